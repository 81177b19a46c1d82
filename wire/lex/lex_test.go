package lex_test

import (
	"strings"
	"testing"

	"poolerd/wire/lex"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want lex.Kind
	}{
		{"", lex.Empty},
		{" \t\r\n\f", lex.Empty},
		{";; ;", lex.Empty},
		{"-- nothing", lex.Empty},
		{"-- BEGIN\r;", lex.Empty},
		{"/* a /* nested */ BEGIN */", lex.Empty},
		{"/* no end", lex.Other},
		{"/* a /* nested */", lex.Other},
		{"\v", lex.Other}, // an error before PostgreSQL 16

		{"SELECT 1", lex.Other},
		{"select", lex.Other},
		{"s", lex.Other},
		{"INSERT INTO t VALUES (1)", lex.Other},
		{"UPDATE t SET a = 1", lex.Other},
		{"WITH pgrst_source AS (SELECT 1) SELECT 2", lex.Other},
		{"EXPLAIN SELECT 1", lex.Other},
		{"ANALYZE", lex.Other},
		{"CREATE TABLE t ()", lex.Other},
		{"LOCK t", lex.Other},
		{"(SELECT 1)", lex.Other},
		{`"begin"`, lex.Other},
		{"'begin'", lex.Other},
		{"1", lex.Other},
		{"\\", lex.Other},
		{"\x80", lex.Other},
		{"e'BEGIN'", lex.Other},
		{"begin1", lex.Other},
		{"begin$", lex.Other},
		{"b\xc3\xa9gin", lex.Other},

		{"BEGIN", lex.Begin},
		{"begin", lex.Begin},
		{" \n-- x\n/* y /* z */ */ bEgIn ; ; -- end", lex.Begin},
		{";BEGIN", lex.Begin},
		{"BEGIN/**/WORK", lex.Begin},
		{"BEGIN--\nTRANSACTION;", lex.Begin},
		{"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY", lex.Begin},
		{"BEGIN ISOLATION LEVEL REPEATABLE READ, READ WRITE, NOT DEFERRABLE;", lex.Begin},
		{"BEGIN READ ONLY,DEFERRABLE ISOLATION LEVEL SERIALIZABLE", lex.Begin},
		{"BEGIN ISOLATION LEVEL READ UNCOMMITTED", lex.Begin},
		{"START TRANSACTION", lex.Begin},
		{"start transaction read write;", lex.Begin},
		{"START", lex.Other},
		{"START WORK", lex.Other},
		{"BEGIN,READ ONLY", lex.Other},
		{"BEGIN READ ONLY,", lex.Other},
		{"BEGIN READ ONLY,,READ WRITE", lex.Other},
		{"BEGIN READ", lex.Other},
		{"BEGIN NOT", lex.Other},
		{"BEGIN ISOLATION", lex.Other},
		{"BEGIN ISOLATION LEVEL", lex.Other},
		{"BEGIN ISOLATION LEVEL SNAPSHOT", lex.Other},
		{"BEGIN ISOLATION LEVEL REPEATABLE", lex.Other},
		{"BEGIN ISOLATION LEVEL READ", lex.Other},
		{`BEGIN "work"`, lex.Other},
		{"BEGIN WORK WORK", lex.Other},
		{"BEGIN WORK TRANSACTION", lex.Other},
		{"BEGIN; SELECT 1", lex.Other},
		{"BEGIN;;SELECT 1", lex.Other},
		{"BEGIN; /* no end", lex.Other},
		{"BEGIN /* no end", lex.Other},
		{"BEGIN\vWORK", lex.Other}, // an error before PostgreSQL 16
		{"BEGIN;\v", lex.Other},
		{"BEGIN\xc2\xa0", lex.Other},
		{"BEGIN ATOMIC", lex.Other},

		{"COMMIT", lex.Commit},
		{"commit work;", lex.Commit},
		{"END", lex.Commit},
		{"END TRANSACTION -- x", lex.Commit},
		{"COMMIT AND CHAIN", lex.Other},
		{"COMMIT AND NO CHAIN", lex.Other},
		{"COMMIT PREPARED 'x'", lex.Other},
		{"COMMIT; SELECT 1", lex.Other},
		{"COMMIT WORK TRANSACTION", lex.Other},

		{"ROLLBACK", lex.Rollback},
		{"Rollback Transaction ;", lex.Rollback},
		{"ABORT", lex.Rollback},
		{"ABORT WORK", lex.Rollback},
		{"ROLLBACK AND CHAIN", lex.Other},
		{"ROLLBACK AND NO CHAIN", lex.Other},
		{"ROLLBACK PREPARED 'x'", lex.Other},
		{"ROLLBACK; SELECT 1", lex.Other},
		{"ROLLBACK TO s", lex.RollbackTo},
		{"ROLLBACK WORK TO SAVEPOINT s", lex.RollbackTo},
		{"rollback transaction to s; SELECT 1", lex.RollbackTo},
		{"SAVEPOINT s", lex.Savepoint},
		{"RELEASE s", lex.Release},
		{"RELEASE SAVEPOINT s", lex.Release},

		{"SET a = 1", lex.Set},
		{"SET SESSION a TO 1", lex.Set},
		{"SET TIME ZONE 'UTC'", lex.Set},
		{"SET ROLE x", lex.Set},
		{"SET a = 1; SELECT 1", lex.Set},
		{"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", lex.Set},
		{"SET SESSION AUTHORIZATION x", lex.Set},
		{"SET LOCAL a = 1", lex.SetLocal},
		{"SET LOCAL ROLE x", lex.SetLocal},
		{"SET TRANSACTION READ ONLY", lex.SetLocal},
		{"SET local.a = 1", lex.Set},
		{"SET transaction.a TO 1", lex.Set},
		{"SET constraints.a TO 1", lex.Set},
		{"SET CONSTRAINTS ALL DEFERRED", lex.Other},
		{"SETTINGS", lex.Other},
		{"RESET a", lex.Reset},
		{"RESET ALL", lex.Reset},
		{"LISTEN a", lex.Listen},
		{"UNLISTEN *", lex.Unlisten},
		{"DEALLOCATE a", lex.Deallocate},
		{"DEALLOCATE PREPARE a", lex.Deallocate},
		{"DEALLOCATE prepare", lex.Deallocate},
		{`DEALLOCATE "all"`, lex.Deallocate},
		{"DEALLOCATE ALL", lex.DeallocateAll},
		{"deallocate prepare all;", lex.DeallocateAll},
		{"DISCARD ALL", lex.DiscardAll},
		{"discard/**/all", lex.DiscardAll},
		{"DISCARD PLANS", lex.Discard},
		{"DISCARD TEMP", lex.Discard},
		{"PREPARE a AS SELECT 1", lex.Prepare},
		{"PREPARE transaction AS SELECT 1", lex.Prepare},
		{"PREPARE transaction (int) AS SELECT $1", lex.Prepare},
		{"PREPARE TRANSACTION 'x'", lex.Other},
		{"PREPARE TRANSACTION E'x'", lex.Other},
		{"EXECUTE a(1)", lex.Execute},
	} {
		// A Query's body ends with a zero, and behind it may stand the next message.
		for _, sql := range []string{c.sql, c.sql + "\x00", c.sql + "\x00SET a = 1; */ '"} {
			if got := lex.Classify([]byte(sql)); got != c.want {
				t.Errorf("Classify(%q) = %v, want %v", sql, got, c.want)
			}
		}
	}
}

func TestKindString(t *testing.T) {
	seen := map[string]bool{}
	for k := lex.Other; k <= lex.RollbackPrepared; k++ {
		if s := k.String(); s == "" || seen[s] || strings.HasPrefix(s, "Kind(") {
			t.Errorf("Kind(%d).String() = %q", uint8(k), s)
		} else {
			seen[s] = true
		}
	}
	if got := lex.Kind(200).String(); got != "Kind(200)" {
		t.Errorf("got %q", got)
	}
}

func TestReadOnlyAndTag(t *testing.T) {
	for _, c := range []struct {
		sql      string
		readOnly bool
		tag      string
	}{
		{"BEGIN", false, "BEGIN"},
		{"BEGIN READ ONLY", true, "BEGIN"},
		{"BEGIN READ WRITE", false, "BEGIN"},
		{"; start transaction isolation level read committed, read only;", true, "START TRANSACTION"},
		{"BEGIN READ ONLY READ WRITE", false, "BEGIN"},
		{"BEGIN READ WRITE, READ ONLY", true, "BEGIN"},
		{"BEGIN -- READ ONLY", false, "BEGIN"},
		{"BEGIN /* READ ONLY */", false, "BEGIN"},
		{"BEGIN\x00READ ONLY", false, "BEGIN"},
	} {
		if got := lex.Classify([]byte(c.sql)); got != lex.Begin {
			t.Errorf("Classify(%q) = %v", c.sql, got)
		}
		if got := lex.ReadOnly([]byte(c.sql)); got != c.readOnly {
			t.Errorf("ReadOnly(%q) = %v", c.sql, got)
		}
		if got := lex.BeginTag([]byte(c.sql)); got != c.tag {
			t.Errorf("BeginTag(%q) = %q, want %q", c.sql, got, c.tag)
		}
	}
}

func TestMulti(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want bool
	}{
		{"", false},
		{"SELECT 1", false},
		{"SELECT 1;", false},
		{"SELECT 1;; ; ", false},
		{"SELECT 1; -- one", false},
		{"SELECT 1; /* one */ ;", false},
		{"SELECT 1; SELECT 2", true},
		{"SELECT 1;SELECT 2\x00", true},
		{"SELECT 1\x00; SELECT 2", false},
		{"; SELECT 1", true},
		{"SELECT ';' , 1", false},
		{"SELECT 'it''s; fine'", false},
		{`SELECT 'a\\; b'`, false},
		{`SELECT 'a\'; SELECT '`, true},      // with standard_conforming_strings on it is two
		{`SELECT '\''; SELECT 1 -- '`, true}, // two with standard_conforming_strings off
		{`SELECT 'a\n; b'`, false},
		{`SELECT E'a\'; b'`, false},
		{`SELECT E'a\\'; SELECT '`, true},
		{"SELECT E'a'\n'b\\'; SELECT '", true}, // the second part is E'...', too
		{`SELECT 1E'\'; SELECT '`, true},
		{`SELECT aE'\'; SELECT '`, true},
		{`SELECT ";"`, false},
		{`SELECT "a"";"`, false},
		{`SELECT U&"\0061;"`, false},
		{"SELECT $$;$$ x", false},
		{"SELECT $a$;$b$;$a$ x", false},
		{"SELECT $a$;$A$; x", true},
		{"SELECT a$b$;c$b$", true}, // no dollar quote: part of a name
		{"SELECT $1$a$;$a$ x", false},
		{"SELECT $1; SELECT $2", true},
		{"SELECT 1 -- ; SELECT 2\n + 1", false},
		{"SELECT 1 -- x\r; SELECT 2", true},
		{"SELECT 1 /* ; /* ; */ ; */ + 1", false},
		{"SELECT 1 /* /* */; SELECT 2", true}, // no end
		{"SELECT 'no end; SELECT 2", true},    // no end
		{`SELECT "no end; SELECT 2`, true},    // no end
		{"SELECT $$ no end; SELECT 2", true},  // no end
		{"SELECT 1 \\; SELECT 2", true},       // no SQL
		{"SELECT $\x8f\\$;$\x8f\\$ x", true},  // a tag, for a client that speaks SJIS
		{"SELECT E'\x8f\\'; SELECT '", true},  // two statements, for a client that speaks SJIS
		{"SELECT '\xc3\xa9;' , 1", false},     // UTF-8
		{"SELECT 1$a$;$a$ x", false},
		{"SELECT 1e5$$'$$; SELECT '", true},
		{"SELECT 1;\v", true}, // in doubt
		{"SELECT 1;\vSELECT 2", true},
		{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END", true}, // in doubt
	} {
		if got := lex.Multi([]byte(c.sql)); got != c.want {
			t.Errorf("Multi(%q) = %v, want %v", c.sql, got, c.want)
		}
	}
}

func TestName(t *testing.T) {
	long := strings.Repeat("n", 63)
	for _, c := range []struct {
		sql, want string
		ok        bool
	}{
		{"LISTEN a", "a", true},
		{"listen Mixed_1$;", "mixed_1$", true},
		{`LISTEN "Mixed ""q"" "`, `Mixed "q" `, true},
		{`LISTEN "é"`, "é", true},
		{"/* x */ UNLISTEN a -- y", "a", true},
		{"DEALLOCATE a", "a", true},
		{"DEALLOCATE PREPARE A", "a", true},
		{"DEALLOCATE prepare", "prepare", true},
		{"DEALLOCATE prepare;", "prepare", true},
		{`DEALLOCATE "all"`, "all", true},
		{"LISTEN none", "none", true},
		{"LISTEN " + long, long, true},
		{"LISTEN a\x00b", "a", true},
		{"LISTEN " + long + "n", "", false}, // would be cut
		{"LISTEN é", "", false},             // folds as the locale says
		{"LISTEN \"\xff\"", "", false},
		{`LISTEN ""`, "", false},
		{`LISTEN "a`, "", false},
		{"LISTEN", "", false},
		{"LISTEN select", "", false},
		{"LISTEN left", "", false},
		{"LISTEN 'a'", "", false},
		{"LISTEN 1", "", false},
		{"LISTEN a.b", "", false},
		{"LISTEN a, b", "", false},
		{"LISTEN a; LISTEN b", "", false},
		{"LISTEN a\v", "", false},
		{"UNLISTEN *", "", false},
		{"DEALLOCATE ALL", "", false},
		{"DEALLOCATE PREPARE ALL", "", false},
		{"DEALLOCATE", "", false},
		{"SELECT a", "", false},
		{"", "", false},
	} {
		if got, ok := lex.Name([]byte(c.sql)); got != c.want || ok != c.ok {
			t.Errorf("Name(%q) = %q, %v, want %q, %v", c.sql, got, ok, c.want, c.ok)
		}
	}
}

// statements are what a pooler sees most.
var statements = [...]string{
	"SELECT abalance FROM pgbench_accounts WHERE aid = $1",
	"INSERT INTO t VALUES ($1, $2)",
	"WITH pgrst_source AS (SELECT 1) SELECT 2",
	"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
	"BEGIN",
	"COMMIT",
	"SET search_path TO a, b",
	"/* tag */ SELECT 1",
	"CREATE -- x\n TEMP TABLE t (a int DEFAULT nextval('s')); SELECT set_config('a.b', lower($1), false), set_config('c.d', '', true)",
}

func TestNoAllocations(t *testing.T) {
	for _, sql := range statements {
		b := []byte(sql)
		n := testing.AllocsPerRun(100, func() {
			_ = lex.Classify(b)
			_ = lex.Multi(b)
			_ = lex.ReadOnly(b)
			_ = lex.BeginTag(b)
			_ = lex.Mark(b)
		})
		if n != 0 {
			t.Errorf("%q: %v allocations", sql, n)
		}
	}
}

func BenchmarkClassify(b *testing.B) {
	for _, sql := range statements {
		b.Run(sql, func(b *testing.B) {
			text := []byte(sql)
			b.ReportAllocs()
			for b.Loop() {
				_ = lex.Classify(text)
			}
		})
	}
}
