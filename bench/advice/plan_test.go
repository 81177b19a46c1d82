package advice

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestPlans: what other statements than the sample's do wrong is seen too, without examples of them.
func TestPlans(t *testing.T) {
	c := cluster(t, true, 1)
	url := c.URL("postgres", "fountain")
	sql(t, c, `CREATE TABLE review (id integer PRIMARY KEY, ref integer, v varchar(40), kinds text[]);
		INSERT INTO review SELECT n, n % 5000, md5(n::text), ARRAY[n % 7, n]::text[] FROM generate_series(1, 20000) AS n;
		CREATE INDEX review_kept ON review (id, ref, v)`)
	sql(t, c, "VACUUM ANALYZE review")
	all := advised(t, Options{URL: url, Private: true}, func() {
		conn := dial(t, url)
		for range 20 {
			for _, one := range []struct{ sql, param string }{
				{"SELECT count(*) FROM api.playwright p JOIN review r ON r.ref = p.id WHERE p.bio = $1", "Wrote tragedies, later masques. Three scripts are in the archive."},
				{"SELECT count(*) FROM review WHERE v = $1", "c4ca4238a0b923820dcc509a6f75849b"},
				{"SELECT count(*) FROM review WHERE kinds @> ARRAY[$1]", "5"},
				{"SELECT count(*) FROM review WHERE lower(v) = $1", "x"},
				{"SELECT count(*) FROM review WHERE v || $1 = 'ab'", "b"},
				{"SELECT count(*) FROM api.script WHERE id = $1", "3"},
			} {
				times := 1
				if strings.Contains(one.sql, "JOIN") || strings.Contains(one.sql, "v = ") {
					times = 5 // they are the fastest
				}
				for range times {
					if err := run1(t, conn, one.sql, one.param); err != nil {
						t.Fatalf("%s: %v", one.sql, err)
					}
				}
			}
		}
		do(t, conn, "UPDATE review SET ref = ref + 1")
		do(t, conn, "SET work_mem = '64kB'")
		for range 5 {
			do(t, conn, "SELECT md5(v) FROM review ORDER BY 1 OFFSET 19999")
		}
		_ = conn.Close(context.Background())
	})
	for _, want := range []struct{ title, remedy string }{
		{"public.review is read whole for want of an index on (ref)", "CREATE INDEX CONCURRENTLY ON public.review (ref);"},
		{"public.review is read whole for want of an index on (v)", "CREATE INDEX CONCURRENTLY ON public.review (v);"},
		{"public.review is read whole for want of an index on (kinds)", "CREATE INDEX CONCURRENTLY ON public.review USING gin (kinds);"},
		{"public.review is read whole for want of an index on (lower((v)::text))", "CREATE INDEX CONCURRENTLY ON public.review ((lower((v)::text)));"},
		{"sorts and hashes spill to disk", "work_mem"},
		{"indexes that cost writes and serve no statement", "DROP INDEX CONCURRENTLY public.review_kept;"},
	} {
		a := find(all, want.title)
		if a == nil {
			t.Errorf("%q is not said", want.title)
		} else if !strings.Contains(a.Remedy, want.remedy) {
			t.Errorf("%q: the remedy is %q", want.title, a.Remedy)
		}
	}
	if a := find(all, "||"); a != nil {
		t.Errorf("an index on a made-up parameter: %+v", *a)
	}
	if a := find(all, "script"); a != nil {
		t.Errorf("a table of one page wants an index: %+v", *a)
	}
	for _, a := range all {
		if text := a.Title + strings.Join(a.Evidence, " "); strings.Contains(text, "c4ca4238") {
			t.Errorf("a value is shown: %s", text)
		}
		if strings.Contains(a.Title, "want of an index") && strings.HasPrefix(a.Remedy, "CREATE") {
			sql(t, c, a.Remedy) // each is valid SQL
		}
	}
}

func run1(t *testing.T, conn *pgconn.PgConn, text, param string) error {
	t.Helper()
	return conn.ExecParams(t.Context(), text, texts(param), nil, nil, nil).Read().Err
}

// joinPlan is a hash join that reads all of a table for a few rows.
const joinPlan = `[{"Plan": {"Node Type": "Hash Join", "Actual Total Time": 12.0, "Actual Rows": 4, "Actual Loops": 1, "Hash Cond": "(r.ref = p.id)", "Plans": [
	{"Node Type": "Gather", "Parent Relationship": "Outer", "Actual Total Time": 10.0, "Actual Rows": 20000, "Actual Loops": 1, "Workers Launched": 1, "Plans": [
		{"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Schema": "public", "Relation Name": "review", "Alias": "r", "Actual Total Time": 8.0, "Actual Rows": 10000, "Actual Loops": 2}]},
	{"Node Type": "Hash", "Parent Relationship": "Inner", "Actual Total Time": 0.5, "Actual Rows": 1, "Actual Loops": 1, "Plans": [
		{"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Schema": "api", "Relation Name": "playwright", "Alias": "p", "Actual Total Time": 0.5, "Actual Rows": 1, "Actual Loops": 1}]}]},
	"Planning Time": 0.2, "Execution Time": 12.5}]`

func TestJoinedLookup(t *testing.T) {
	s := small()
	p, err := parsePlan([]byte(joinPlan), true, s.rows)
	if err != nil {
		t.Fatal(err)
	}
	found := s.lookups(&work{}, planned{plan: p})
	if len(found) != 1 || found[0].root.Name != "review" || strings.Join(found[0].keys, ",") != "ref" || found[0].read != 20000 {
		t.Fatalf("got %+v", found)
	}
	if saved := found[0].saved; saved < 7.9 || saved > 8 { // the two processes' 8 ms each lie side by side
		t.Errorf("saves %v ms", saved)
	}
	// With an index the planner knew what it did.
	s.byName["public.review"].Indexes = []indexDefinition{{Name: "review_ref", Method: "btree", Columns: []string{"ref", "id"}}}
	if found = s.lookups(&work{}, planned{plan: p}); len(found) != 0 {
		t.Errorf("with the index, got %+v", found[0])
	}
}

// small is a schema of two tables.
func small() *schema {
	s := &schema{relations: map[string]*relation{}, byName: map[string]*relation{}}
	for _, r := range []*relation{
		{OID: "1", Schema: "public", Name: "review", Kind: "r", Rows: 20000, Columns: []column{{Name: "id", Type: "integer"}, {Name: "ref", Type: "integer"}}},
		{OID: "2", Schema: "api", Name: "playwright", Kind: "r", Rows: 20, Columns: []column{{Name: "id", Type: "integer"}}},
	} {
		s.relations[r.OID], s.byName[r.Schema+"."+r.Name] = r, r
	}
	return s
}

func TestBadPlans(t *testing.T) {
	for _, text := range []string{"", "x", "[]", "[null]", `[{"Plan": null}]`, `[{}, {}]`} {
		if p, err := parsePlan([]byte(text), true, small().rows); err == nil {
			t.Errorf("%q gave %+v", text, p)
		}
	}
}
