package advice

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// schema is what the catalogues tell of the user's tables.
type schema struct {
	relations map[string]*relation // by oid
	byName    map[string]*relation // by schema.name
	foreign   []*foreignKey
}

// relation is a table, a partitioned table or a partition.
type relation struct {
	OID        string
	Schema     string
	Name       string
	Kind       string   // pg_class.relkind: "r", "p", "m", "f"
	Parent     string   // oid; "" for what is no partition
	Rows       float64  // estimated
	Bytes      int64    // with its indexes
	Key        []string // of a partitioned table; an expression is ""
	Strategy   string   // "h", "r", "l"
	Columns    []column
	Indexes    []indexDefinition
	Distinct   map[string]float64 // estimated number of different values
	Typical    map[string]string  // a value out of the middle, as text; never shown
	Partitions []*relation        `json:"-"` // direct ones
	Referenced bool               // other tables' foreign keys point here
	Grants     []string           // GRANT statements with %s for the table
}

type column struct {
	Name      string
	Type      string
	Generated bool
	Identity  bool
}

type indexDefinition struct {
	OID        string
	Name       string
	Method     string   // "btree", "gin"
	Columns    []string // of the key; an expression is as PostgreSQL prints it
	Expression bool
	Unique     bool
	Constraint bool // it keeps a primary key, a unique or an exclusion constraint
	Partial    bool
	Definition string
}

type foreignKey struct {
	Name       string
	Table      string // oid
	References string // oid
	Columns    []string
	Definition string
}

const relationsQuery = `
	SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, coalesce((SELECT i.inhparent::text FROM pg_inherits i WHERE i.inhrelid = c.oid AND c.relispartition), '') AS parent,
	       greatest(c.reltuples, 0)::float8 AS rows, pg_total_relation_size(c.oid) AS bytes, coalesce(p.partstrat::text, '') AS strategy,
	       (SELECT jsonb_agg(coalesce(a.attname, '') ORDER BY k.position) FROM unnest(p.partattrs::int2[]) WITH ORDINALITY AS k (number, position)
	          LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number AND k.number > 0) AS key,
	       (SELECT jsonb_agg(jsonb_build_object('Name', a.attname, 'Type', format_type(a.atttypid, a.atttypmod),
	                'Generated', a.attgenerated <> '', 'Identity', a.attidentity <> '') ORDER BY a.attnum)
	          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
	       (SELECT jsonb_agg(jsonb_build_object('OID', x.indexrelid::text, 'Name', xc.relname, 'Method', am.amname, 'Unique', x.indisunique, 'Partial', x.indpred IS NOT NULL,
	                'Expression', x.indexprs IS NOT NULL, 'Constraint', EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')),
	                'Definition', pg_get_indexdef(x.indexrelid),
	                'Columns', (SELECT jsonb_agg(CASE WHEN x.indkey[k - 1] = 0 THEN pg_get_indexdef(x.indexrelid, k, true)
	                                ELSE (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = x.indkey[k - 1]) END ORDER BY k)
	                              FROM generate_series(1, x.indnkeyatts) AS k)))
	          FROM pg_index x JOIN pg_class xc ON xc.oid = x.indexrelid JOIN pg_am am ON am.oid = xc.relam
	         WHERE x.indrelid = c.oid AND x.indisvalid) AS indexes,
	       (SELECT jsonb_agg(g.said ORDER BY g.said) FROM (
	          SELECT format('GRANT %s ON %%s TO %s', string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type), coalesce(quote_ident(r.rolname), 'PUBLIC')) AS said
	            FROM aclexplode(c.relacl) AS x LEFT JOIN pg_roles r ON r.oid = x.grantee WHERE x.grantee <> c.relowner GROUP BY r.rolname) AS g) AS grants,
	       EXISTS (SELECT FROM pg_constraint k WHERE k.confrelid = c.oid AND k.contype = 'f') AS referenced
	  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid
	 WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'`

const foreignQuery = `
	SELECT k.conname AS name, k.conrelid::text AS "table", k.confrelid::text AS "references", pg_get_constraintdef(k.oid) AS definition,
	       (SELECT jsonb_agg(a.attname ORDER BY u.position) FROM unnest(k.conkey) WITH ORDINALITY AS u (number, position)
	          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number) AS columns
	  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
	 WHERE k.contype = 'f' AND k.conparentid = 0`

// statsQuery prefers, of a partitioned table, the figures of the whole.
const statsQuery = `
	SELECT DISTINCT ON (s.schemaname, s.tablename, s.attname) s.schemaname AS schema, s.tablename AS "table", s.attname AS "column", s.n_distinct::float8 AS distinct,
	       coalesce((s.histogram_bounds::text::text[])[1 + array_length(s.histogram_bounds::text::text[], 1) / 2], (s.most_common_vals::text::text[])[1]) AS typical
	  FROM pg_stats s WHERE s.schemaname <> 'information_schema' AND s.schemaname NOT LIKE 'pg\_%'
	 ORDER BY s.schemaname, s.tablename, s.attname, s.inherited DESC`

func readSchema(ctx context.Context, conn *pgx.Conn) (*schema, error) {
	s := &schema{relations: map[string]*relation{}, byName: map[string]*relation{}}
	relations, err := ask[*relation](ctx, conn, relationsQuery)
	if err != nil {
		return nil, fmt.Errorf("reading the tables and their indexes: %w", err)
	}
	for _, r := range relations {
		r.Distinct, r.Typical = map[string]float64{}, map[string]string{}
		s.relations[r.OID] = r
		s.byName[r.Schema+"."+r.Name] = r
	}
	for _, r := range relations {
		if parent := s.relations[r.Parent]; parent != nil {
			parent.Partitions = append(parent.Partitions, r)
		}
	}
	for _, r := range relations {
		if r.Kind == "p" {
			r.Rows, r.Bytes = 0, 0 // some versions keep -1 here, some the last ANALYZE's
			for _, leaf := range r.leaves() {
				r.Rows += leaf.Rows
				r.Bytes += leaf.Bytes
			}
		}
	}
	if s.foreign, err = ask[*foreignKey](ctx, conn, foreignQuery); err != nil {
		return nil, fmt.Errorf("reading the foreign keys: %w", err)
	}
	return s, s.readStats(ctx, conn)
}

func (s *schema) readStats(ctx context.Context, conn *pgx.Conn) error {
	type stat struct {
		Schema, Table, Column string
		Distinct              float64
		Typical               *string
	}
	stats, err := ask[stat](ctx, conn, statsQuery)
	if err != nil {
		return fmt.Errorf("reading pg_stats: %w", err)
	}
	for _, one := range stats {
		r := s.byName[one.Schema+"."+one.Table]
		if r == nil {
			continue
		}
		if one.Distinct < 0 { // a part of the rows
			one.Distinct *= -r.Rows
		}
		r.Distinct[one.Column] = one.Distinct
		if one.Typical != nil {
			r.Typical[one.Column] = *one.Typical
		}
	}
	return nil
}

// root is the whole table that a partition belongs to, or the relation itself.
func (s *schema) root(r *relation) *relation {
	for s.relations[r.Parent] != nil {
		r = s.relations[r.Parent]
	}
	return r
}

// leaves are the partitions that hold rows; of a plain table, itself.
func (r *relation) leaves() []*relation {
	if r.Kind != "p" {
		return []*relation{r}
	}
	var all []*relation
	for _, p := range r.Partitions {
		all = append(all, p.leaves()...)
	}
	return all
}

// String is the relation's name as SQL writes it.
func (r *relation) String() string { return plainName(r.Schema) + "." + plainName(r.Name) }

// typeOf is a column's type, "" where there is no such column.
func (r *relation) typeOf(name string) string {
	for _, c := range r.Columns {
		if c.Name == name {
			return c.Type
		}
	}
	return ""
}

// led is whether a whole index's first column is the given one.
func (r *relation) led(column string) bool {
	return slices.ContainsFunc(r.Indexes, func(i indexDefinition) bool {
		return !i.Partial && len(i.Columns) > 0 && i.Columns[0] == column && (i.Method == "btree" || i.Method == "hash" && len(i.Columns) == 1)
	})
}

// covers is whether some whole index starts with the columns, in any order.
func (r *relation) covers(columns []string) bool {
	return slices.ContainsFunc(r.Indexes, func(i indexDefinition) bool {
		if i.Partial || i.Method != "btree" || len(i.Columns) < len(columns) {
			return false
		}
		for _, c := range i.Columns[:len(columns)] {
			if !slices.Contains(columns, c) {
				return false
			}
		}
		return true
	})
}

// plainName quotes a name only where it must be.
func plainName(s string) string {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (i == 0 || !isDigit(c)) {
			return pgx.Identifier{s}.Sanitize()
		}
	}
	if s == "" || reserved(s) {
		return pgx.Identifier{s}.Sanitize()
	}
	return s
}

// reserved is whether a word cannot be a name without quotes: PostgreSQL's appendix SQL Key Words, those that tables are likely to be called.
func reserved(s string) bool {
	switch s {
	case "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "both", "case", "cast", "check", "column", "constraint", "create", "default", "desc", "do",
		"else", "end", "except", "false", "fetch", "for", "foreign", "from", "grant", "group", "having", "in", "into", "limit", "not", "null", "offset", "on", "only",
		"or", "order", "primary", "references", "select", "table", "then", "to", "true", "union", "unique", "user", "using", "when", "where", "window", "with":
		return true
	}
	return false
}

func plainNames(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = plainName(s)
	}
	return strings.Join(quoted, ", ")
}
