package lex_test

import (
	"reflect"
	"strings"
	"testing"

	"poolerd/wire/lex"
)

func TestEffects(t *testing.T) {
	set := func(name, value string) lex.Effect {
		return lex.Effect{Kind: lex.Set, Settings: []lex.Setting{{Name: name, Value: value}}}
	}
	named := func(kind lex.Kind, name string) lex.Effect { return lex.Effect{Kind: kind, Name: name} }
	unknown := func(kind lex.Kind, names ...string) lex.Effect {
		e := lex.Effect{Kind: kind, Unknown: true}
		for _, name := range names {
			e.Settings = append(e.Settings, lex.Setting{Name: name})
		}
		return e
	}
	long := strings.Repeat("n", 63)
	for _, c := range []struct {
		sql  string
		want []lex.Effect
		tags string
	}{
		{"", nil, ""},
		{"SELECT 1; SELECT ';', \"a;\", $$;$$ -- ;\n; UPDATE t SET a = 1", nil, ""},
		{"SELECT 1; 'no end", nil, "not split"},
		{"SELECT 'a\\'; SET a = 1", nil, "not split"},
		{"SELECT 'no end", nil, ""}, // one statement, of no interest

		{"SET a = 1", []lex.Effect{set("a", "1")}, "SET"},
		{";SET a = 1\x00; SET b = 1", []lex.Effect{set("a", "1")}, "SET"},
		{"SELECT 1; SET a = 1;; reset b; SELECT 2;", []lex.Effect{
			set("a", "1"), {Kind: lex.Reset, Settings: []lex.Setting{{Name: "b", Default: true, Reset: true}}},
		}, "SET, RESET"},
		{"SET LOCAL a = 1; SET CONSTRAINTS ALL DEFERRED", []lex.Effect{
			{Kind: lex.SetLocal, Settings: []lex.Setting{{Name: "a", Value: "1", Local: true}}},
		}, "SET"},
		{"RESET ALL", []lex.Effect{{Kind: lex.Reset, Settings: []lex.Setting{{Default: true, Reset: true}}}}, "RESET"},
		{"SET TRANSACTION READ ONLY", []lex.Effect{{Kind: lex.SetLocal}}, "SET"},
		{"SET SESSION TRANSACTION READ ONLY", []lex.Effect{{Kind: lex.SetLocal}}, "SET"},
		{"SET transaction_isolation = 'serializable'", []lex.Effect{{Kind: lex.SetLocal}}, "SET"},
		{`SET SESSION "Transaction_Read_Only" TO on`, []lex.Effect{{Kind: lex.SetLocal}}, "SET"},
		{"RESET transaction_deferrable", []lex.Effect{{Kind: lex.Reset}}, "RESET"},
		{"RESET TRANSACTION ISOLATION LEVEL", []lex.Effect{{Kind: lex.Reset}}, "RESET"},
		{"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", []lex.Effect{set("default_transaction_read_only", "on")}, "SET"},
		{"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL Repeatable READ, NOT DEFERRABLE READ WRITE; SELECT 1", []lex.Effect{
			{Kind: lex.Set, Settings: []lex.Setting{
				{Name: "default_transaction_isolation", Value: "'repeatable read'"},
				{Name: "default_transaction_deferrable", Value: "off"},
				{Name: "default_transaction_read_only", Value: "off"},
			}},
		}, "SET"},
		{"SET LOCAL SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE", []lex.Effect{
			{Kind: lex.SetLocal, Settings: []lex.Setting{{Name: "default_transaction_isolation", Value: "'serializable'", Local: true}}},
		}, "SET"},
		{"SET SESSION SESSION CHARACTERISTICS AS TRANSACTION DEFERRABLE", []lex.Effect{set("default_transaction_deferrable", "on")}, "SET"},
		{"SET SESSION CHARACTERISTICS AS TRANSACTION READ", []lex.Effect{unknown(lex.Set)}, "SET"},
		{"SET XML OPTION DOCUMENT", []lex.Effect{set("xmloption", "DOCUMENT")}, "SET"},
		{"SET a.B FROM CURRENT", []lex.Effect{unknown(lex.Set, "a.b")}, "SET"},
		{"SET a = 1e5; SET b = 2", []lex.Effect{unknown(lex.Set, "a"), set("b", "2")}, "SET, SET"},
		{"SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE", []lex.Effect{unknown(lex.Set, "timezone")}, "SET"},
		{"SET LOCAL TIME ZONE INTERVAL '1'", []lex.Effect{
			{Kind: lex.SetLocal, Unknown: true, Settings: []lex.Setting{{Name: "timezone", Local: true}}},
		}, "SET"},
		{"SET ROLE U&'a'", []lex.Effect{unknown(lex.Set, "role")}, "SET"},
		{"SET SESSION AUTHORIZATION U&'a'", []lex.Effect{unknown(lex.Set, "session_authorization")}, "SET"},
		{"SET SCHEMA U&'a'; SET NAMES U&'a'", []lex.Effect{unknown(lex.Set, "search_path"), unknown(lex.Set, "client_encoding")}, "SET, SET"},
		{"SET é = 1", []lex.Effect{unknown(lex.Set)}, "SET"},

		{"LISTEN A; UNLISTEN \"B\"\"c\"; UNLISTEN *", []lex.Effect{named(lex.Listen, "a"), named(lex.Unlisten, `B"c`), {Kind: lex.Unlisten}}, "LISTEN, UNLISTEN, UNLISTEN"},
		{"LISTEN " + long + "x", []lex.Effect{named(lex.Listen, long)}, "LISTEN"},
		{`LISTEN "é"`, []lex.Effect{named(lex.Listen, "é")}, "LISTEN"},
		{"LISTEN É", []lex.Effect{{Kind: lex.Listen, Name: "É", Unknown: true}}, "LISTEN"},
		{`LISTEN "` + long[1:] + `é"`, []lex.Effect{{Kind: lex.Listen, Name: long[1:], Unknown: true}}, "LISTEN"},
		{`LISTEN U&"a"`, []lex.Effect{{Kind: lex.Listen, Unknown: true}}, "LISTEN"},
		{"LISTEN 'a'", []lex.Effect{{Kind: lex.Listen, Unknown: true}}, "LISTEN"},

		{"BEGIN; START TRANSACTION READ ONLY", []lex.Effect{{Kind: lex.Begin}, {Kind: lex.Begin}}, "BEGIN, START TRANSACTION"},
		{"COMMIT; END WORK; COMMIT AND CHAIN; END TRANSACTION AND NO CHAIN", []lex.Effect{
			{Kind: lex.Commit}, {Kind: lex.Commit}, {Kind: lex.Commit, Chain: true}, {Kind: lex.Commit},
		}, "COMMIT, COMMIT, COMMIT, COMMIT"},
		{"ROLLBACK; ABORT WORK AND CHAIN; ROLLBACK AND NO CHAIN", []lex.Effect{{Kind: lex.Rollback}, {Kind: lex.Rollback, Chain: true}, {Kind: lex.Rollback}}, "ROLLBACK, ROLLBACK, ROLLBACK"},
		{"PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'; ROLLBACK PREPARED 'x'", []lex.Effect{
			{Kind: lex.PrepareTransaction}, {Kind: lex.CommitPrepared}, {Kind: lex.RollbackPrepared},
		}, "PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED"},
		{"SAVEPOINT A; RELEASE SAVEPOINT a; RELEASE a; ROLLBACK TO a; ROLLBACK WORK TO SAVEPOINT \"A\"; ABORT TO a", []lex.Effect{
			named(lex.Savepoint, "a"), named(lex.Release, "a"), named(lex.Release, "a"), named(lex.RollbackTo, "a"), named(lex.RollbackTo, "A"), {Kind: lex.Rollback},
		}, "SAVEPOINT, RELEASE, RELEASE, ROLLBACK, ROLLBACK, ROLLBACK"},
		{"SAVEPOINT savepoint; ROLLBACK TO savepoint; RELEASE SAVEPOINT savepoint", []lex.Effect{
			named(lex.Savepoint, "savepoint"), named(lex.RollbackTo, "savepoint"), named(lex.Release, "savepoint"),
		}, "SAVEPOINT, ROLLBACK, RELEASE"},

		{"PREPARE A (int) AS SELECT $1; EXECUTE a(1); DEALLOCATE PREPARE a; DEALLOCATE prepare; DEALLOCATE ALL", []lex.Effect{
			named(lex.Prepare, "a"), named(lex.Execute, "a"), named(lex.Deallocate, "a"), named(lex.Deallocate, "prepare"), {Kind: lex.DeallocateAll},
		}, "PREPARE, , DEALLOCATE, DEALLOCATE, DEALLOCATE ALL"},
		{"PREPARE transaction AS SELECT 1", []lex.Effect{named(lex.Prepare, "transaction")}, "PREPARE"},
		{"DISCARD ALL; DISCARD plans; DISCARD TEMPORARY", []lex.Effect{{Kind: lex.DiscardAll}, named(lex.Discard, "plans"), named(lex.Discard, "temp")}, "DISCARD ALL, DISCARD PLANS, DISCARD TEMP"},
		{"LOAD 'x'", []lex.Effect{{Kind: lex.Load}}, "LOAD"},

		{"CREATE RULE r AS ON INSERT TO t DO ALSO (NOTIFY a; LISTEN b); SET a = 1", []lex.Effect{set("a", "1")}, "SET"},
		{"(SELECT 1); SET a = 1", []lex.Effect{set("a", "1")}, "SET"},
		{"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1; SELECT 2'; SET a = 1", []lex.Effect{set("a", "1")}, "SET"},
		{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END", nil, "not split"},
		{"BEGIN; CREATE TABLE atomic (a int); COMMIT", []lex.Effect{{Kind: lex.Begin}, {Kind: lex.Commit}}, "BEGIN, COMMIT"},
	} {
		got, ok := lex.Effects([]byte(c.sql))
		var tags []string
		for i, e := range got {
			tags = append(tags, e.Tag())
			if i < len(c.want) && e.Kind == c.want[i].Kind && e.Tag() == "START TRANSACTION" {
				got[i] = lex.Effect{Kind: lex.Begin} // what only the tag shows
			}
		}
		joined := strings.Join(tags, ", ")
		if !ok {
			joined = "not split"
		}
		if joined != c.tags || !reflect.DeepEqual(got, c.want) {
			t.Errorf("Effects(%q) =\n%+v, tags %q, want\n%+v, tags %q", c.sql, got, joined, c.want, c.tags)
		}
	}
}
