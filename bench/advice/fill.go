package advice

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// undefinedTable is the SQLSTATE of a table that the search path does not lead to.
const undefinedTable = "42P01"

// fill makes a call of a statement as pg_stat_statements keeps it: a parameter that a condition compares with a column gets a value out of the middle of the
// column's statistics, another one what its type and its place suggest. Nothing of it is shown.
func (e *explainer) fill(ctx context.Context, text string) (call, *plan, error) {
	c := call{sql: text, filled: true}
	generic, types, err := e.generic(ctx, c)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == undefinedTable {
		c.setup = []string{"SET LOCAL search_path = " + e.schema.searchPath()}
		generic, types, err = e.generic(ctx, c)
	}
	if err != nil {
		return c, nil, err
	}
	c.types = types
	c.params = make([][]byte, len(types))
	for i, oid := range types {
		c.params[i] = guess(text, i+1, oid)
	}
	generic.Root.walk(func(n *node, _ []*node) {
		r := e.schema.byName[n.Schema+"."+n.Relation]
		if r == nil {
			return
		}
		for _, t := range n.terms() {
			e.schema.bindTypical(c.params, r, t)
		}
	})
	return c, generic, nil
}

// terms are all conditions on a node's own relation.
func (n *node) terms() []term {
	return append(append(terms(n.IndexCond, n.Alias), terms(n.Filter, n.Alias)...), terms(n.Recheck, n.Alias)...)
}

// boundBy finds the parameter that a term's right side is.
var boundBy = regexp.MustCompile(`^\(*\$([0-9]+)(?:::[^()]*)?\)*$`)

// bindTypical gives a parameter a value that the column has.
func (s *schema) bindTypical(params [][]byte, r *relation, t term) {
	found := boundBy.FindStringSubmatch(t.other)
	if found == nil || t.column == "" {
		return
	}
	number, _ := strconv.Atoi(found[1])
	value, known := s.root(r).Typical[t.column]
	if !known {
		value, known = r.Typical[t.column]
	}
	if !known || number < 1 || number > len(params) {
		return
	}
	switch t.operator {
	case "=", "<", ">", "<=", ">=", "<>":
		params[number-1] = []byte(value)
	case "= ANY":
		params[number-1] = []byte(`{"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"}`)
	}
}

// generic returns the plan that does not depend on the parameters, with all partitions in it, and the parameters' types.
func (e *explainer) generic(ctx context.Context, c call) (p *plan, types []uint32, err error) {
	const statement = "poolerd_advice"
	setup := append([]string{
		"SET LOCAL plan_cache_mode = force_generic_plan", "SET LOCAL enable_partition_pruning = off",
	}, c.setup...)
	err = e.inTransaction(ctx, "READ ONLY", setup, func() error {
		description, err := e.conn.PgConn().Prepare(ctx, statement, c.sql, nil)
		if err != nil {
			return err
		}
		types = description.ParamOIDs
		arguments := strings.TrimSuffix(strings.Repeat("NULL, ", len(types)), ", ")
		if arguments != "" {
			arguments = "(" + arguments + ")"
		}
		p, err = e.read(ctx, "EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE "+statement+arguments, nil, nil, false)
		return errors.Join(err, e.conn.PgConn().Deallocate(ctx, statement))
	})
	return p, types, err
}

// searchPath is all schemas that hold tables.
func (s *schema) searchPath() string {
	seen := map[string]bool{}
	var all []string
	for _, r := range s.relations {
		if !seen[r.Schema] {
			seen[r.Schema] = true
			all = append(all, r.Schema)
		}
	}
	if len(all) == 0 {
		return "public"
	}
	return plainNames(all)
}

// guess is a parameter's value when nothing is known but its type and its place; nil is NULL.
func guess(text string, number int, oid uint32) []byte {
	if regexp.MustCompile(fmt.Sprintf(`(?i)offset\s+\$%d\b`, number)).MatchString(text) {
		return []byte("0")
	}
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.Float4OID, pgtype.Float8OID, pgtype.NumericOID, pgtype.OIDOID:
		return []byte("10")
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID, pgtype.UnknownOID:
		return []byte("%a%")
	case pgtype.BoolOID:
		return []byte("t")
	case pgtype.JSONOID, pgtype.JSONBOID:
		return []byte("{}")
	case pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
		return []byte("2000-01-01")
	case pgtype.UUIDOID:
		return []byte("00000000-0000-0000-0000-000000000000")
	case pgtype.IntervalOID:
		return []byte("1 day")
	case pgtype.Int2ArrayOID, pgtype.Int4ArrayOID, pgtype.Int8ArrayOID, pgtype.TextArrayOID, pgtype.VarcharArrayOID, pgtype.UUIDArrayOID:
		return []byte("{}")
	}
	return nil
}
