package e2e

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
)

// pgxDrivers are pgx in each of its ways to run a query.
func pgxDrivers() []driver {
	modes := []struct {
		name string
		mode pgx.QueryExecMode
	}{
		{"pgx", pgx.QueryExecModeCacheStatement}, // its default
		{"pgx-describe", pgx.QueryExecModeCacheDescribe},
		{"pgx-describe-exec", pgx.QueryExecModeDescribeExec},
		{"pgx-exec", pgx.QueryExecModeExec},
		{"pgx-simple", pgx.QueryExecModeSimpleProtocol},
	}
	var all []driver
	for _, m := range modes {
		open := pgxOpener(m.mode)
		connect := func(ctx context.Context, at place, settings map[string]string) (session, error) {
			conn, err := open(ctx, at, settings)
			return &pgxSession{conn: conn, names: make(map[string]string), prepares: m.mode == pgx.QueryExecModeCacheStatement}, err
		}
		cannot := make(map[string]string)
		if m.mode == pgx.QueryExecModeSimpleProtocol {
			cannot["strings with backslashes"] = "pgx refuses to quote for them"
		}
		all = append(all, driver{name: m.name, all: m.mode != pgx.QueryExecModeCacheStatement, show: goDriver(connect, cannot, pgxBehaviours(open))})
	}
	return all
}

type opener func(ctx context.Context, at place, settings map[string]string) (*pgx.Conn, error)

func pgxOpener(mode pgx.QueryExecMode) opener {
	return func(ctx context.Context, at place, settings map[string]string) (*pgx.Conn, error) {
		config, err := pgx.ParseConfig(fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=%s&connect_timeout=10", at.user, at.host, at.port, at.database, driverSSLMode()))
		if err != nil {
			return nil, err
		}
		config.DefaultQueryExecMode = mode
		for name, value := range settings {
			config.RuntimeParams[name] = value
		}
		return pgx.ConnectConfig(ctx, config)
	}
}

// pgxSession runs statements with what the mode is; those to be prepared get a
// name by Prepare where the mode is the default.
type pgxSession struct {
	conn     *pgx.Conn
	names    map[string]string // by text
	prepares bool
}

var returnsRows = regexp.MustCompile(`^(SELECT|SHOW|FETCH|EXECUTE|INSERT|DELETE)\b`)

func (p *pgxSession) run(ctx context.Context, s statement) ([]string, error) {
	if s.how == several {
		_, err := p.conn.PgConn().Exec(ctx, s.sql).ReadAll()
		return nil, err
	}
	if !returnsRows.MatchString(s.sql) {
		_, err := p.conn.Exec(ctx, s.sql)
		return nil, err
	}
	sql := s.sql
	if s.how == prepared && p.prepares {
		name, ok := p.names[sql]
		if !ok {
			name = fmt.Sprintf("s%d", len(p.names))
			if _, err := p.conn.Prepare(ctx, name, sql); err != nil {
				return nil, err
			}
			p.names[sql] = name
		}
		sql = name
	}
	args := make([]any, len(s.params))
	for i, value := range s.params {
		args[i] = value
	}
	return columnOf(p.conn.Query(ctx, sql, args...))
}

func columnOf(rows pgx.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		values, err := row.Values()
		switch {
		case err != nil:
			return "", err
		case len(values) == 0 || values[0] == nil:
			return "NULL", nil
		default:
			return fmt.Sprint(values[0]), nil
		}
	})
}

func (p *pgxSession) notification(ctx context.Context, wait time.Duration) (*notification, error) {
	// What is there already is returned even when the time is over.
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	n, err := p.conn.WaitForNotification(waiting)
	switch {
	case err == nil:
		return &notification{n.Channel, n.Payload}, nil
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return nil, nil
	default:
		return nil, err
	}
}

func (p *pgxSession) close(ctx context.Context) error { return p.conn.Close(ctx) }
