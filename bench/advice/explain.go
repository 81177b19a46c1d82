package advice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// explainLimit is how long one statement may run for its plan.
	explainLimit = 5 * time.Second
	// againBelow is how fast a statement must be, in milliseconds, to be run againTimes more: the first run in a connection also fills its caches, and others
	// may meet whatever else the machine does.
	againBelow = 50
	againTimes = 3
)

// explainer has statements explained, each in a transaction that is rolled back.
type explainer struct {
	conn   *pgx.Conn
	server *server
	schema *schema
	until  time.Time // after it nothing more is explained; zero: no limit but the context's
}

// call is a statement with parameters.
type call struct {
	sql    string
	params [][]byte
	types  []uint32
	setup  []string
	filled bool // the parameters are made up
}

// holds is whether an expression has a made-up parameter in it: then it is not the statement's own.
func (c *call) holds(expr string) bool {
	return c.filled && slices.ContainsFunc(c.params, func(p []byte) bool {
		return p != nil && (strings.Contains(expr, literal(string(p))) || slices.Contains(strings.FieldsFunc(expr, func(r rune) bool { return strings.ContainsRune("() ,", r) }), string(p)))
	})
}

// readOnlyRefused is the SQLSTATE of a write in a transaction that may not.
const readOnlyRefused = "25006"

// explain returns the plan of a call. It is run where it only reads, or where writes may be tried; else, and where running it fails, the plan is not run.
func (e *explainer) explain(ctx context.Context, c call, mayWrite bool) (*plan, error) {
	var p *plan
	err := e.inTransaction(ctx, "READ ONLY", c.setup, func() (err error) {
		p, err = e.fastest(ctx, c)
		return err
	})
	var refused *pgconn.PgError
	if mayWrite && errors.As(err, &refused) && refused.Code == readOnlyRefused {
		err = e.inTransaction(ctx, "READ WRITE", c.setup, func() (err error) {
			p, err = e.once(ctx, c, true)
			return err
		})
	}
	if err != nil && errors.As(err, &refused) {
		err = e.inTransaction(ctx, "READ ONLY", c.setup, func() (err error) {
			p, err = e.once(ctx, c, false)
			return err
		})
	}
	return p, err
}

// fastest runs a statement, a fast one again, and returns the best run's plan.
func (e *explainer) fastest(ctx context.Context, c call) (*plan, error) {
	best, err := e.once(ctx, c, true)
	if err != nil || best.Execution+best.Planning > againBelow {
		return best, err
	}
	for range againTimes {
		p, err := e.once(ctx, c, true)
		if err != nil {
			return nil, err
		}
		p.Planning = min(p.Planning, best.Planning)
		if p.Execution < best.Execution {
			best = p
		} else {
			best.Planning = p.Planning
		}
	}
	return best, nil
}

func (e *explainer) once(ctx context.Context, c call, run bool) (*plan, error) {
	options := "VERBOSE, FORMAT JSON"
	if run {
		options = "ANALYZE, BUFFERS, " + options
	}
	return e.read(ctx, "EXPLAIN ("+options+") "+c.sql, c.params, c.types, run)
}

// read runs an EXPLAIN and reads its answer.
func (e *explainer) read(ctx context.Context, sql string, params [][]byte, types []uint32, ran bool) (*plan, error) {
	result := e.conn.PgConn().ExecParams(ctx, sql, params, types, nil, nil).Read()
	if result.Err != nil {
		return nil, result.Err
	}
	if len(result.Rows) != 1 || len(result.Rows[0]) != 1 {
		return nil, fmt.Errorf("EXPLAIN gave %d rows, not one", len(result.Rows))
	}
	return parsePlan(result.Rows[0][0], ran, e.schema.rows)
}

// rows is how many a relation has, for plans that were not run.
func (s *schema) rows(schema, relation string) float64 {
	if r := s.byName[schema+"."+relation]; r != nil {
		return r.Rows
	}
	return 0
}

// inTransaction runs do in a transaction that it rolls back.
func (e *explainer) inTransaction(ctx context.Context, access string, setup []string, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	limit := explainLimit
	if end, ok := ctx.Deadline(); ok {
		// The server ends a statement, not the client, which would lose its connection over it.
		limit = max(time.Millisecond, min(limit, time.Until(end)-100*time.Millisecond))
	}
	if !e.until.IsZero() {
		if limit = min(limit, time.Until(e.until)); limit <= 0 {
			return errNoTime
		}
		limit = max(time.Millisecond, limit)
	}
	begin := fmt.Sprintf("BEGIN ISOLATION LEVEL READ COMMITTED %s; SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = 1000", access, limit.Milliseconds())
	if err := e.simple(ctx, begin); err != nil {
		return errors.Join(err, e.simple(ctx, "ROLLBACK"))
	}
	var err error
	for _, sql := range setup {
		if err = e.simple(ctx, sql); err != nil {
			break
		}
	}
	if err == nil {
		err = do()
	}
	return errors.Join(err, e.simple(ctx, "ROLLBACK"))
}

func (e *explainer) simple(ctx context.Context, sql string) error {
	_, err := e.conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}
