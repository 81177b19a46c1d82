package watch_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/bench/postgres"
	"poolerd/pool/watch"
	"poolerd/wire/lex"
)

// server is a PostgreSQL for the tests of this package, started by the first that needs it.
var server struct {
	cluster *postgres.Cluster
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.cluster != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.cluster.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "stopping PostgreSQL:", err)
			code = 1
		}
	}
	os.Exit(code)
}

type session struct {
	t    testing.TB
	ctx  context.Context
	conn *pgconn.PgConn
}

func connect(t testing.TB, database string) *session {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	if server.cluster == nil {
		c, err := postgres.Start(ctx, postgres.Options{Sample: true})
		if err != nil {
			t.Fatal(err)
		}
		server.cluster = c
	}
	conn, err := pgconn.Connect(ctx, server.cluster.URL("postgres", database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(ctx) })
	return &session{t, ctx, conn}
}

// fresh opens a session with a database of the test's own.
func fresh(t testing.TB, name string) *session {
	t.Helper()
	connect(t, "postgres").run("CREATE DATABASE " + name)
	return connect(t, name)
}

func (s *session) run(sql string) (rows [][][]byte) {
	s.t.Helper()
	results, err := s.conn.Exec(s.ctx, sql).ReadAll()
	if err != nil {
		s.t.Fatalf("%v in %s", err, sql)
	}
	if len(results) > 0 {
		rows = results[len(results)-1].Rows
	}
	return rows
}

func (s *session) search() *watch.Functions {
	s.t.Helper()
	search := watch.NewSearch()
	for n, sql := 0, search.Query(); sql != ""; sql = search.Query() {
		if n++; n > 50 {
			s.t.Fatal("the search does not end")
		}
		search.Add(s.run(sql))
	}
	return search.Functions()
}

func names(f *watch.Functions) (list []string) {
	for _, n := range f.Names() {
		kind := "function"
		if n.Relation {
			kind = "relation"
		}
		list = append(list, fmt.Sprintf("%s %s: %v", kind, n.Name, n.Marks))
	}
	return list
}

func TestNothingToWatch(t *testing.T) {
	for _, database := range []string{"postgres", "fountain"} {
		f := connect(t, database).search()
		if f.Len() != 0 {
			t.Errorf("database %s: %q", database, names(f))
		}
	}
}

// schema has what leads to session state, and what nearly does.
const schema = `
CREATE TABLE plain (id int, a text);
CREATE FUNCTION harmless(a int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
  UPDATE plain
     SET a = 'x' WHERE id = 1;
  PERFORM set_config('app.x', 'y', true);
  PERFORM pg_advisory_xact_lock(1);
  EXECUTE 'UPDATE plain ' || ' SET ' || quote_ident('a') || ' = 1';
  EXECUTE format('SELECT %L', a) INTO a;
  SET LOCAL work_mem = '4MB';
  RETURN a; END $$;
CREATE FUNCTION locks() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_lock(1)';
CREATE FUNCTION unlocks() RETURNS bool LANGUAGE sql AS 'SELECT pg_advisory_unlock(1)';
CREATE FUNCTION second() RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM public.locks(); RETURN 1; END';
CREATE FUNCTION "Third One"() RETURNS int LANGUAGE sql AS 'SELECT second() -- (locks)';
CREATE FUNCTION sets() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  SET statement_timeout = 1000; RESET ROLE; END $$;
CREATE FUNCTION configs(v text) RETURNS text LANGUAGE sql AS $$ SELECT set_config('App.Tenant', v, false) $$;
CREATE FUNCTION anything(n text, v text) RETURNS text LANGUAGE sql AS $$ SELECT set_config(n, v, false) $$;
CREATE FUNCTION temps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE IF NOT EXISTS seen (a int) ON COMMIT DROP; RETURN NEW; END $$;
CREATE TABLE "Fired" (id int PRIMARY KEY, a text);
CREATE TRIGGER t AFTER INSERT ON "Fired" FOR EACH ROW EXECUTE FUNCTION temps();
CREATE VIEW through AS SELECT * FROM "Fired";
CREATE FUNCTION writes() RETURNS void LANGUAGE sql AS $$ INSERT INTO public."Fired" VALUES (1) $$;
CREATE FUNCTION reads() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM public."Fired" $$;
CREATE VIEW looks AS SELECT second() AS s, 'x' AS x;
CREATE VIEW looks_again AS SELECT s FROM looks;
CREATE TABLE defaults (id int DEFAULT second(), a text);
CREATE TABLE checks (id int CHECK (id > second()));
CREATE TABLE direct (id int, a text DEFAULT set_config('app.d', 'x', false));
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TRIGGER t AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION temps();
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE);
CREATE TRIGGER t AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION temps();
CREATE TABLE guarded (id int);
CREATE POLICY p ON guarded USING (second() = 1);
CREATE DOMAIN dom AS int CHECK (VALUE > second());
CREATE TABLE domained (id dom);
CREATE FUNCTION "Fast"(i int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT public.second()';
CREATE TABLE indexed (id int);
CREATE INDEX ON indexed ("Fast"(id));
CREATE FUNCTION over(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION over(a text) RETURNS void LANGUAGE sql AS 'SELECT pg_notify(a, a)';
CREATE PROCEDURE proc() LANGUAGE plpgsql AS $$ BEGIN DECLARE c CURSOR FOR SELECT 1; BEGIN EXECUTE 'PREPARE p AS SELECT 1'; END; END $$;
CREATE FUNCTION defaulted(a int DEFAULT second()) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE agg(int) (SFUNC = int4pl, STYPE = int);
CREATE FUNCTION step(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT second()';
CREATE AGGREGATE agg2(int) (SFUNC = step, STYPE = int);
`

// atomic has bodies in standard SQL, which PostgreSQL has from version 14 on.
const atomic = `
CREATE FUNCTION standard() RETURNS int BEGIN ATOMIC SELECT second(); END;
CREATE FUNCTION standard_lock() RETURNS void BEGIN ATOMIC SELECT pg_advisory_lock(2); END;
CREATE FUNCTION standard_local() RETURNS text BEGIN ATOMIC SELECT set_config('a.b', 'c', true); END;
CREATE FUNCTION standard_harmless() RETURNS int BEGIN ATOMIC SELECT harmless(1); END;
CREATE FUNCTION standard_view() RETURNS int BEGIN ATOMIC SELECT s FROM looks_again; END;
`

func TestSearch(t *testing.T) {
	s := fresh(t, "searched")
	s.run(schema)
	major, err := server.cluster.Major()
	if err != nil {
		t.Fatal(err)
	}
	if major >= 14 {
		s.run(atomic)
	}
	// Nothing of what the queries use may be found on the search path, whatever it has.
	s.run(`CREATE SCHEMA evil; CREATE TABLE evil.pg_proc (oid int); CREATE FUNCTION evil.string_agg(text, text) RETURNS text LANGUAGE sql AS 'SELECT 1/0';
		CREATE FUNCTION evil.eq(oid, oid) RETURNS bool LANGUAGE sql AS 'SELECT 1/0 = 1'; CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.eq);
		CREATE FUNCTION evil.cat(text, text) RETURNS text LANGUAGE sql AS 'SELECT 1/0'; CREATE OPERATOR evil.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.cat);
		CREATE ROLE nobody_much; SET search_path = evil, pg_catalog; SET standard_conforming_strings = off; SET ROLE nobody_much`)
	f := s.search()
	want := []string{
		"function Fast: advisory", "function Third One: advisory", "function agg2: advisory", "function anything: set_config|path", "function configs: set_config",
		"function defaulted: advisory", "function locks: advisory", "function over: notify", "function proc: prepare", "function second: advisory",
		"function sets: set_config|path", "function standard: advisory", "function standard_lock: advisory", "function standard_view: advisory",
		"function step: advisory", "function temps: temp", "function unlocks: ends", "function writes: temp",
		"relation Fired: temp", "relation checks: advisory", "relation child: temp", "relation defaults: advisory", "relation direct: set_config",
		"relation domained: advisory", "relation guarded: advisory", "relation indexed: advisory", "relation looks: advisory", "relation looks_again: advisory",
		"relation parent: temp", "relation part: temp", "relation parted: temp", "relation through: temp",
	}
	if major < 14 {
		want = slices.DeleteFunc(want, func(name string) bool { return strings.HasPrefix(name, "function standard") })
	}
	if got := names(f); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !f.Equal(s.search()) {
		t.Error("a second search finds something else")
	}
	for _, c := range []struct {
		sql   string
		marks lex.Marks
	}{
		{`SELECT "public"."Third One" ()`, lex.MarkAdvisory},
		{`SELECT "third one"()`, 0},
		{`INSERT INTO "public"."Fired"("id") VALUES (1)`, lex.MarkTemp},
		{`SELECT * FROM "public"."Fired"`, 0},
		{`SELECT reads()`, 0},
		{`SELECT * FROM looks_again`, lex.MarkAdvisory},
		{`CALL proc()`, lex.MarkPrepare},
		{`SELECT harmless(1)`, 0},
		{`DELETE FROM parent`, lex.MarkTemp},
	} {
		if got := f.Marks([]byte(c.sql)); got != c.marks {
			t.Errorf("Marks(%q) = %v, want %v", c.sql, got, c.marks)
		}
	}
	for _, c := range []struct {
		sql  string
		want string
		ok   bool
	}{
		{"SELECT sets()", "role,statement_timeout", true},
		{"SELECT configs('x')", "app.tenant", true},
		{"SELECT anything('a', 'b')", "", false},
		{"INSERT INTO direct VALUES (1)", "app.d", true},
		{"SELECT 1", "", true},
	} {
		if got, ok := f.SetConfigs([]byte(c.sql)); strings.Join(got, ",") != c.want || ok != c.ok {
			t.Errorf("SetConfigs(%q) = %q, %v", c.sql, got, ok)
		}
	}
}

func TestFingerprint(t *testing.T) {
	s := fresh(t, "fingerprinted")
	s.run("CREATE TABLE a (id int); CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE FUNCTION h() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE p (id int)")
	last := string(s.run(watch.Fingerprint)[0][0])
	for _, sql := range []string{
		"CREATE OR REPLACE FUNCTION h() RETURNS int LANGUAGE sql AS 'SELECT 2'", "CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION g()", "CREATE VIEW v AS SELECT h()",
		"CREATE OR REPLACE VIEW v AS SELECT h() + 0 AS h", "ALTER TABLE a ALTER id SET DEFAULT h()", "ALTER TABLE a ADD CHECK (id > h())", "CREATE POLICY p ON a USING (h() = 1)",
		"ALTER TABLE a INHERIT p", "ALTER TABLE a RENAME TO b", "ALTER FUNCTION h() RENAME TO i", "DROP TRIGGER t ON b",
	} {
		s.run(sql)
		now := string(s.run(watch.Fingerprint)[0][0])
		if now == last {
			t.Errorf("%s does not change the fingerprint", sql)
		}
		last = now
	}
	s.run("CREATE TEMP TABLE x (id int); INSERT INTO b VALUES (100); ANALYZE b")
	if now := string(s.run(watch.Fingerprint)[0][0]); now != last {
		t.Errorf("the fingerprint was %s, and is %s", last, now)
	}
}

// body is that of a middling function, about 1 kB.
const body = `DECLARE r record; total numeric := 0; -- COMMENT
BEGIN
  FOR r IN SELECT id, amount FROM account WHERE owner = b AND deleted_at IS NULL ORDER BY id LOOP
    IF r.amount > a THEN
      UPDATE account
         SET amount = amount - a, updated_at = now()
       WHERE id = r.id;
    ELSE
      INSERT INTO log (message) VALUES ('skipped' || r.id);
    END IF;
  END LOOP;
  PERFORM NAME('app.x', 'y', true);
  RETURN total + fn_NUMBER(a - 1, b);
END`

// BenchmarkSearch searches 10,000 functions. In none of them, or in one of 33, is a word of interest that means nothing; the chain has three calls.
func BenchmarkSearch(b *testing.B) {
	s := fresh(b, "large")
	s.run(`SET check_function_bodies = off`)
	text := strings.ReplaceAll(body, "COMMENT", strings.Repeat("words of a comment ", 30))
	for i := 0; i < 10000; {
		var sql strings.Builder
		for range 500 {
			one := strings.ReplaceAll(text, "NUMBER", fmt.Sprint(i*7%10000))
			fmt.Fprintf(&sql, "CREATE FUNCTION fn_%d(a int, b text) RETURNS int LANGUAGE plpgsql AS $b$%s$b$;", i, strings.ReplaceAll(one, "NAME", "calls"))
			i++
		}
		s.run(sql.String())
	}
	s.run("VACUUM ANALYZE")
	measure := func(name string, want int) {
		b.Run(name, func(b *testing.B) {
			s.t = b
			for b.Loop() {
				if f := s.search(); f.Len() != want {
					b.Fatalf("found %d: %.300q", f.Len(), names(f))
				}
			}
		})
	}
	b.Run("fingerprint", func(b *testing.B) {
		for b.Loop() {
			s.run(watch.Fingerprint)
		}
	})
	measure("no word", 0)
	for i := 0; i < 10000; i += 33 {
		one := strings.ReplaceAll(strings.ReplaceAll(text, "NUMBER", fmt.Sprint(i*7%10000)), "NAME", "set_config")
		s.run(fmt.Sprintf("CREATE OR REPLACE FUNCTION fn_%d(a int, b text) RETURNS int LANGUAGE plpgsql AS $b$%s$b$;", i, one))
	}
	s.run("VACUUM ANALYZE")
	measure("words", 0)
	s.run(`CREATE FUNCTION one() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_lock(1)'; CREATE FUNCTION two() RETURNS void LANGUAGE sql AS 'SELECT one()';
		CREATE FUNCTION three() RETURNS void LANGUAGE sql AS 'SELECT two()'`)
	measure("chain", 3)
}
