package watch

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"poolerd/wire/lex"
)

// sample watches a few names.
func sample() *Functions {
	f := newFunctions()
	f.addFunction("f", does{marks: lex.MarkTemp})
	f.addFunction("lock_it", does{marks: lex.MarkAdvisory})
	f.addFunction(`Mixed "Case"`, does{marks: lex.MarkHold})
	f.addFunction("größe", does{marks: lex.MarkNotify})
	f.addFunction(strings.Repeat("n", 62), does{marks: lex.MarkListen})
	f.addFunction(strings.Repeat("n", 61)+"ö", does{marks: lex.MarkSticky})
	f.addRelation("fired", access{write: does{marks: lex.MarkPrepare}})
	f.addRelation("looks", access{read: does{marks: lex.MarkSetConfig, configs: []string{"a.b"}}})
	f.addRelation(`Odd "View`, access{read: does{marks: lex.MarkEnds, any: true}})
	return f
}

func TestMarks(t *testing.T) {
	f := sample()
	for _, c := range []struct {
		sql  string
		want lex.Marks
	}{
		{"", 0},
		{"(", 0},
		{"SELECT 1", 0},
		{"SELECT f(1)", lex.MarkTemp},
		{"select F (1)", lex.MarkTemp},
		{"f(", lex.MarkTemp},
		{`SELECT * FROM "api"."f"("x" := $1)`, lex.MarkTemp},
		{`SELECT * FROM "api"."F"("x" := $1)`, 0},
		{"SELECT api . f\n\t(1)", lex.MarkTemp},
		{"SELECT f/* x */(1)", lex.MarkTemp},
		{"SELECT f -- x (\n -- y\n (1)", lex.MarkTemp},
		{"SELECT f, (1)", 0},
		{"SELECT ff(1), f1(1), xf(1), f FROM t", 0},
		{"SELECT count(lock_it(1))", lex.MarkAdvisory},
		{"SELECT lock_it(f(1))", lex.MarkAdvisory | lex.MarkTemp},
		{`SELECT "Mixed ""Case"""(1)`, lex.MarkHold},
		{`SELECT Mixed "Case"(1)`, 0},
		{"SELECT größe(1)", lex.MarkNotify},
		{"SELECT " + strings.Repeat("N", 62) + "(1)", lex.MarkListen},
		{"SELECT " + strings.Repeat("n", 61) + "ö(1)", lex.MarkSticky},
		{"SELECT " + strings.Repeat("n", 62) + "ö(1)", lex.MarkListen}, // PostgreSQL cuts before the ö
		{`SELECT "` + strings.Repeat("n", 62) + `öxyz"(1)`, lex.MarkListen},
		{`EXECUTE E'SELECT\nf(1)'`, lex.MarkTemp},
		{"CALL f()", lex.MarkTemp},
		{"DO 'BEGIN PERFORM f(); END'", lex.MarkTemp},
		{"INSERT INTO fired VALUES (1)", lex.MarkPrepare},
		{`INSERT INTO "api"."fired"("a") VALUES ($1)`, lex.MarkPrepare},
		{`INSERT INTO "api"."Fired"("a") VALUES ($1)`, 0},
		{"MERGE INTO api.FIRED USING looks ON true", lex.MarkPrepare | lex.MarkSetConfig},
		{"UPDATE ONLY fired SET a = 1", lex.MarkPrepare},
		{"update\napi.fired set a = 1", lex.MarkPrepare},
		{"DELETE FROM fired", lex.MarkPrepare},
		{"DELETE  FROM\n\tapi.fired", lex.MarkPrepare},
		{"SELECT * FROM fired", 0},
		{"SELECT fired.a FROM x, fired", lex.MarkPrepare}, // in doubt
		{"SELECT fired.a, fired FROM fired", lex.MarkPrepare},
		{"SELECT fired.a FROM fired JOIN x ON fired.a = x.a", 0},
		{"TRUNCATE fired", lex.MarkPrepare},
		{"TRUNCATE TABLE x, fired", lex.MarkPrepare},
		{"COPY fired (a) FROM STDIN", lex.MarkPrepare},
		{"COPY looks TO STDOUT", lex.MarkSetConfig},
		{"TABLE looks", lex.MarkSetConfig},
		{"SELECT * FROM /* x */ looks", lex.MarkSetConfig},
		{"SELECT * FROM -- x\n looks", lex.MarkSetConfig},
		{"SELECT * FROM x JOIN api.looks USING (a)", lex.MarkSetConfig},
		{"SELECT * FROM x NATURAL JOIN LATERAL (SELECT * FROM (looks))", lex.MarkSetConfig},
		{"SELECT looks", 0},
		{`SELECT * FROM "Odd ""View"`, lex.MarkEnds},
		{`SELECT '"' FROM "x"."Odd ""View"`, lex.MarkEnds},
		{`EXECUTE E'SELECT 1\nFROM looks'`, lex.MarkSetConfig},
		{strings.Repeat("/*", 3000) + strings.Repeat("*/(", 3000), f.all.marks}, // who writes that is in doubt
	} {
		if got := f.Marks([]byte(c.sql)); got != c.want {
			t.Errorf("Marks(%.80q) = %v, want %v", c.sql, got, c.want)
		}
		if f.look([]byte(c.sql)).marks != c.want {
			t.Errorf("look(%.80q) = %v, want %v", c.sql, f.look([]byte(c.sql)).marks, c.want)
		}
	}
	var none *Functions
	if none.Marks([]byte("SELECT f(1)")) != 0 || none.Len() != 0 || len(none.Names()) != 0 || !none.Equal(newFunctions()) || none.Equal(f) || f.Equal(none) {
		t.Error("a nil Functions has names")
	}
	if newFunctions().Marks([]byte("SELECT f(1)")) != 0 {
		t.Error("an empty Functions finds something")
	}
	if !f.Equal(sample()) || f.Len() != 9 {
		t.Error("two of the same are not equal")
	}
	other := sample()
	other.addRelation("looks", access{write: does{marks: lex.MarkTemp}})
	if f.Equal(other) {
		t.Error("another is equal")
	}
}

func TestOwn(t *testing.T) {
	for _, c := range []struct {
		body    string
		marks   lex.Marks
		configs string
		any     bool
	}{
		{"SELECT 1", 0, "", false},
		{"BEGIN UPDATE t SET a = 1; INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1; END", 0, "", false},
		{"BEGIN UPDATE t -- x\n SET a = 1; END", 0, "", false},
		{"BEGIN EXECUTE 'UPDATE t ' || ' SET ' || c || ' = 1'; END", 0, "", false},
		{"BEGIN EXECUTE format('SELECT %I', a); CLOSE c; ALTER TABLE t ADD c int; CREATE TABLE x (); END", 0, "", false},
		{"BEGIN SET LOCAL work_mem = 1; SET CONSTRAINTS ALL DEFERRED; END", 0, "", false},
		{"BEGIN SET LOCAL search_path = x; END", lex.MarkPath, "", false},
		{"BEGIN SET work_mem = 1; END", lex.MarkSetConfig, "work_mem", false},
		{"BEGIN -- x\n SET SESSION App.User TO 'x'; END", lex.MarkSetConfig, "app.user", false},
		{"BEGIN x; /* y */ SET TIME ZONE 'UTC'; END", lex.MarkSetConfig, "timezone", false},
		{"SET search_path FROM CURRENT", lex.MarkSetConfig | lex.MarkPath, "search_path", false},
		{"BEGIN RESET work_mem; END", lex.MarkSetConfig, "work_mem", false},
		{"BEGIN RESET ALL; END", lex.MarkSetConfig, "", true},
		{"BEGIN SET SESSION AUTHORIZATION x; END", lex.MarkSetConfig | lex.MarkPath, "role,session_authorization", false},
		{"BEGIN SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; END", lex.MarkSetConfig, "default_transaction_deferrable,default_transaction_isolation,default_transaction_read_only", false},
		{"BEGIN EXECUTE 'SET ROLE ' || r; END", lex.MarkSetConfig | lex.MarkPath, "role", false},
		{"BEGIN EXECUTE format('SET %I = %L', a, b); END", lex.MarkSetConfig, "", true},
		{"BEGIN q := 'SET ' || x; EXECUTE q; END", lex.MarkSetConfig, "", true},
		{`plpy.execute("SET work_mem = 1")`, lex.MarkSetConfig, "work_mem", false},
		{"SELECT set_config('X.y', v, false)", lex.MarkSetConfig, "x.y", false},
		{"BEGIN EXECUTE 'CREATE TEMP TABLE x (a int)'; END", lex.MarkTemp, "", false},
		{"BEGIN EXECUTE 'PREPARE x (int) AS SELECT $1'; END", lex.MarkPrepare, "", false},
		{"BEGIN LOAD 'x'; END", lex.MarkSticky, "", false},
		{"BEGIN DISCARD ALL; END", lex.MarkEnds, "", false},
		{"BEGIN DROP TABLE IF EXISTS x; END", lex.MarkEnds, "", false},
		{"BEGIN PERFORM currval('s'); END", lex.MarkSequenceRead, "", false},
		{"BEGIN PERFORM nextval('s'); END", 0, "", false},
		{"BEGIN NOTIFY x; END", lex.MarkNotify, "", false},
	} {
		d := own(c.body)
		if d.marks != c.marks || strings.Join(d.configs, ",") != c.configs || d.any != c.any {
			t.Errorf("own(%q) = %v %q %v, want %v %q %v", c.body, d.marks, d.configs, d.any, c.marks, c.configs, c.any)
		}
	}
}

// A slow way to look: every name by a regular expression, with plain spaces and no comments.
func slowly(f *Functions, sql string) (m lex.Marks) {
	for name, d := range f.functions {
		quoted := regexp.QuoteMeta(`"` + strings.ReplaceAll(name, `"`, `""`) + `"`)
		if regexp.MustCompile(`(?s)(^|[^"])` + quoted + `[ \t\n\v\f\r]*\(`).MatchString(sql) {
			m |= d.marks
		}
		if plain.MatchString(name) && regexp.MustCompile(`(?s)(^|[^\w$\x{80}-\x{10ffff}])`+ignoreCase(name)+`[ \t\n\v\f\r]*\(`).MatchString(sql) {
			m |= d.marks
		}
	}
	for name, a := range f.relations {
		if !plain.MatchString(name) {
			continue
		}
		named := `[ \t\n\v\f\r]+((\w+|"\w+")\.)?(` + ignoreCase(name) + `|"` + name + `")([^\w$."\x{80}-\x{10ffff}]|$)`
		if regexp.MustCompile(`(^|[^\w$\\\x{80}-\x{10ffff}])((?i:into|update|truncate|table|only|copy))` + named).MatchString(sql) {
			m |= a.write.marks
		}
		if regexp.MustCompile(`(^|[^\w$\\\x{80}-\x{10ffff}])((?i:from|join|using|table|only|copy))` + named).MatchString(sql) {
			m |= a.read.marks
		}
	}
	return m
}

var plain = regexp.MustCompile(`^[a-z_]\w*$`)

// ignoreCase is (?i) for ASCII alone: PostgreSQL does not take the long s for an s, or the Kelvin sign for a k.
func ignoreCase(name string) string {
	var b strings.Builder
	for _, c := range name {
		if 'a' <= c && c <= 'z' {
			b.WriteString("[" + string(c) + string(c-'a'+'A') + "]")
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// FuzzMarks: what the slow way finds, Marks must find; without comments and quotes it finds no more in functions; and it ends, without a panic.
func FuzzMarks(f *testing.F) {
	for _, s := range []string{
		"SELECT f(1)", `SELECT "api"."f"("x" := $1)`, "INSERT INTO api.fired VALUES (1)", "DELETE FROM fired", `SELECT """"(f)`, "f--\n(1)", "f/**/(", "x.looks", "FROM looks",
		`"Mixed ""Case"""(`, `from "a"."looks"`, "\\nfrom looks", `UPDATE ""."fired"`, `f"(`, `""f"(`, `\0f(x`,
	} {
		f.Add(s)
	}
	all := sample()
	calls := newFunctions()
	for name, d := range all.functions {
		calls.addFunction(name, d)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		got := all.Marks([]byte(sql))
		if got != all.look([]byte(sql)).marks {
			t.Fatalf("Marks and look differ for %q", sql)
		}
		sql = strings.ToValidUTF8(sql, "x")
		got = all.Marks([]byte(sql))
		if want := slowly(all, sql); got&want != want {
			t.Fatalf("Marks(%q) = %v, must have %v", sql, got, want)
		}
		if strings.ContainsAny(sql, `"/-\`) || len(sql) > 60 {
			return
		}
		if got, want := calls.Marks([]byte(sql)), slowly(calls, sql); got != want {
			t.Fatalf("Marks(%q) = %v, want %v", sql, got, want)
		}
	})
}

// request is a request of PostgREST's, 600 bytes with 24 parentheses.
var request = []byte(`WITH pgrst_source AS (SELECT "api"."scene".*, COALESCE("scene_dialogue_1"."scene_dialogue_1", '[]') AS "dialogue" FROM "api"."scene" LEFT JOIN LATERAL ( ` +
	`SELECT json_agg("scene_dialogue_1")::jsonb AS "scene_dialogue_1" FROM (SELECT "dialogue_1"."line" FROM "api"."dialogue" AS "dialogue_1" WHERE ` +
	`"dialogue_1"."scene_id" = "api"."scene"."id") AS "scene_dialogue_1" ) AS "scene_dialogue_1" ON TRUE WHERE "api"."scene"."id" = $1 LIMIT $2 OFFSET $3) ` +
	`SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body, ` +
	`nullif(current_setting('response.headers', true), '') AS response_headers, nullif(current_setting('response.status', true), '') AS response_status, ` +
	`'' AS response_inserted FROM (SELECT * FROM pgrst_source) _postgrest_t`)

func TestMarksAllocates(t *testing.T) {
	f := sample()
	texts := [][]byte{request, []byte(`SELECT * FROM "api"."f"("x" := $1)`), []byte(`INSERT INTO "api"."fired"("a") VALUES ($1)`), []byte("SELECT f /* x */ (1)")}
	if n := testing.AllocsPerRun(100, func() {
		for _, sql := range texts {
			f.Marks(sql)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMarks(b *testing.B) {
	functions := newFunctions()
	functions.addFunction("lock_it", does{marks: lex.MarkAdvisory})
	functions.addFunction("take_number", does{marks: lex.MarkAdvisory})
	both := sample()
	for _, c := range []struct {
		name string
		f    *Functions
	}{{"nil", nil}, {"functions", functions}, {"relations too", both}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportMetric(float64(bytes.Count(request, []byte("("))), "calls")
			b.SetBytes(int64(len(request)))
			for b.Loop() {
				if c.f.Marks(request) != 0 {
					b.Fatal("found something")
				}
			}
		})
	}
}

// TestSearchRounds: what leads to a name is asked for until nothing is new, and a batch at a time.
func TestSearchRounds(t *testing.T) {
	s := NewSearch()
	if a, b := s.Query(), s.Query(); a != first() || b != a {
		t.Fatal("the first query is another")
	}
	row := func(columns ...string) (r [][]byte) {
		for _, c := range columns {
			r = append(r, []byte(c))
		}
		return r
	}
	var rows [][][]byte
	for i := range batch + 5 {
		oid := string(rune('a' + i%26))
		rows = append(rows, row("f", "2"+strings.Repeat("0", i/26)+oid, "s", "f"+strings.Repeat("x", i/26)+oid, "", "", "SELECT pg_advisory_lock(1)"))
	}
	s.Add(append(rows, row("short"), nil))
	if n := len(s.Functions().Names()); n != batch+5 {
		t.Fatalf("%d names", n)
	}
	queries := 0
	for sql := s.Query(); sql != ""; sql = s.Query() {
		if queries++; queries > 3 {
			t.Fatal("the search does not end")
		}
		var answer [][][]byte
		if queries == 1 {
			answer = [][][]byte{row("f", "9", "s", "caller", "", "", "SELECT fa()")}
		}
		s.Add(answer)
	}
	if queries != 2 {
		t.Errorf("%d queries", queries)
	}
	if !slices.ContainsFunc(s.Functions().Names(), func(n Name) bool { return n.Name == "caller" && n.Marks == lex.MarkAdvisory }) {
		t.Error("the caller is not watched")
	}
}
