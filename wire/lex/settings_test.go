package lex_test

import (
	"slices"
	"testing"

	"poolerd/wire/lex"
)

func TestSettings(t *testing.T) {
	one := func(name, value string) []lex.Setting { return []lex.Setting{{Name: name, Value: value}} }
	for _, c := range []struct {
		sql  string
		want []lex.Setting
	}{
		{"SET client_encoding = 'UTF8';SET client_min_messages TO WARNING;", []lex.Setting{
			{Name: "client_encoding", Value: "'UTF8'"}, {Name: "client_min_messages", Value: "WARNING"},
		}},
		{"SET a=1", one("a", "1")},
		{"set Search_Path to A , \"B c\",'d' ; -- x", one("search_path", "A , \"B c\",'d'")},
		{"SET SESSION a = -1.5", one("a", "-1.5")},
		{"SET a = + 2", one("a", "+ 2")},
		{"SET a = on", one("a", "on")},
		{"SET a = true", one("a", "true")},
		{"SET a = none", one("a", "none")},
		{"SET a = 'it''s'", one("a", "'it''s'")},
		{`SET a = E'x\n\\'`, one("a", `E'x\n\\'`)},
		{"SET a = $$x'y$$", one("a", "$$x'y$$")},
		{"SET a = $t$x$$y$t$;", one("a", "$t$x$$y$t$")},
		{"SET a =/* c */ 1 /* d */", one("a", "1")},
		{`SET "TimeZone" = 'UTC'`, one("timezone", "'UTC'")},
		{"SET App.User_Id = '7'", one("app.user_id", "'7'")},
		{"SET local.x = 1", one("local.x", "1")},
		{"SET session.x TO 1", one("session.x", "1")},
		{"SET time.x TO 1", one("time.x", "1")},
		{"SET a = 'é'", one("a", "'é'")},
		{"SET a TO DEFAULT", []lex.Setting{{Name: "a", Default: true}}},
		{`SET a TO "default"`, one("a", `"default"`)},
		{"SET LOCAL a = 1", []lex.Setting{{Name: "a", Value: "1", Local: true}}},
		{"SET LOCAL TIME ZONE DEFAULT", []lex.Setting{{Name: "timezone", Default: true, Local: true}}},
		{"SET TIME ZONE 'Europe/Rome'", one("timezone", "'Europe/Rome'")},
		{"SET TIME ZONE -8", one("timezone", "-8")},
		{"SET TIME ZONE utc", one("timezone", "utc")},
		{"SET TIME ZONE LOCAL", []lex.Setting{{Name: "timezone", Default: true}}},
		{"SET timezone TO local", one("timezone", "local")},
		{"SET SESSION TIME ZONE 'UTC'", one("timezone", "'UTC'")},
		{"SET NAMES 'utf8'", one("client_encoding", "'utf8'")},
		{"SET NAMES", []lex.Setting{{Name: "client_encoding", Default: true}}},
		{"SET NAMES; SET NAMES DEFAULT", []lex.Setting{{Name: "client_encoding", Default: true}, {Name: "client_encoding", Default: true}}},
		{"SET ROLE anon", one("role", "anon")},
		{"SET XML OPTION document", one("xmloption", "document")},
		{"SET ROLE NONE", one("role", "NONE")},
		{"SET ROLE 'x y'", one("role", "'x y'")},
		{"SET role = anon", one("role", "anon")},
		{"SET LOCAL ROLE anon", []lex.Setting{{Name: "role", Value: "anon", Local: true}}},
		{"SET SESSION AUTHORIZATION joe", one("session_authorization", "joe")},
		{"SET SESSION SESSION AUTHORIZATION DEFAULT", []lex.Setting{{Name: "session_authorization", Default: true}}},
		{"SET LOCAL SESSION AUTHORIZATION 'joe'", []lex.Setting{{Name: "session_authorization", Value: "'joe'", Local: true}}},
		{"SET SCHEMA 'x'", one("search_path", "'x'")},
		{"RESET a", []lex.Setting{{Name: "a", Default: true, Reset: true}}},
		{"RESET a.b;", []lex.Setting{{Name: "a.b", Default: true, Reset: true}}},
		{"RESET ALL", []lex.Setting{{Default: true, Reset: true}}},
		{"RESET TIME ZONE", []lex.Setting{{Name: "timezone", Default: true, Reset: true}}},
		{"RESET SESSION AUTHORIZATION", []lex.Setting{{Name: "session_authorization", Default: true, Reset: true}}},
		{"RESET ROLE", []lex.Setting{{Name: "role", Default: true, Reset: true}}},
		{"SET a = 1\x00; SELECT 1", one("a", "1")},
	} {
		got, ok := lex.Settings([]byte(c.sql))
		if !ok || !slices.Equal(got, c.want) {
			t.Errorf("Settings(%q) = %+v, %v, want %+v", c.sql, got, ok, c.want)
		}
	}
}

func TestNoSettings(t *testing.T) {
	for _, sql := range []string{
		"", ";", "-- SET a = 1", "SELECT 1", "BEGIN", "SET", "SET a", "SET a =", "SET a TO", "SET a = 1,", "SET a = ,1", "SET a = 1 2", "SET a = (1)",
		"SET a = DEFAULT, 1", "SET a = 1, DEFAULT", "SET a = b.c", "SET a = select", "SET a = user", "SET a = null", "SET a = 1 + 1", "SET a = - x",
		"SET a = 1e5", "SET a = 0x1F", "SET a = 1_000", "SET a = 1.2.3", "SET a = B'1'", "SET a = X'1'", "SET a = N'x'", "SET a = U&'x'", `SET a = ""`,
		`SET a = 'x\y'`, `SET a = E'\''`, `SET a = E'\x41'`, `SET a = E'\u0041'`, "SET a = 'x'\n'y'", "SET a = 'x", "SET a = \"x", "SET a = $$x",
		"SET a = 1 /* no end", "SET a == 1", "SET a = = 1", "SET a := 1", "SET select = 1", "SET left = 1", "SET a. = 1", "SET .a = 1", `SET "a.b" = 1`,
		"SET a = '\xff'", "SET a = 1\v", "SET é = 1", "SET a FROM CURRENT", "SET a = 1; SELECT 1", "SET a = 1; SET", "SELECT 1; SET a = 1",
		"SET TRANSACTION READ ONLY", "SET LOCAL TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ ONLY", "SET TRANSACTION SNAPSHOT 'x'",
		"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET CONSTRAINTS ALL DEFERRED", "SET transaction_isolation = 'serializable'",
		"SET transaction_read_only TO on", "RESET transaction_deferrable", "RESET TRANSACTION ISOLATION LEVEL", "RESET", "RESET a b", "RESET a, b",
		"RESET select", "SET TIME ZONE", "SET TIME ZONE INTERVAL '1' HOUR", "SET TIME ZONE a, b", "SET TIME ZONE day", "SET TIME ZONE - 'x'",
		"SET NAMES utf8", "SET NAMES 'a', 'b'", "SET SCHEMA x", "SET SCHEMA DEFAULT", "SET ROLE", "SET ROLE DEFAULT", "SET ROLE 1", "SET ROLE a, b",
		"SET ROLE current_user", "SET ROLE on", "SET SESSION AUTHORIZATION", "SET SESSION AUTHORIZATION 1", "SET XML OPTION x", "SET XML DOCUMENT", "SET LOCAL",
		"SET SESSION", "SET LOCAL SESSION a = 1", "SET SESSION LOCAL a = 1",
	} {
		if got, ok := lex.Settings([]byte(sql)); ok || got != nil {
			t.Errorf("Settings(%q) = %+v, %v", sql, got, ok)
		}
	}
}
