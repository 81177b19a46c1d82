package lex_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/bench/postgres"
	"poolerd/wire/lex"
)

// What this package says of a text, a real PostgreSQL must say as well.

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

// connect opens a session with a real server.
func connect(t *testing.T) *session {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	if server.cluster == nil {
		c, err := postgres.Start(ctx, postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		server.cluster = c
	}
	conn, err := pgconn.Connect(ctx, server.cluster.URL("postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(ctx) })
	return &session{t, ctx, conn}
}

type session struct {
	t    *testing.T
	ctx  context.Context
	conn *pgconn.PgConn
}

// try sends a simple Query. It gives the tags of what was carried out, and the SQLSTATE of an error.
func (s *session) try(sql string) (tags []string, code string) {
	s.t.Helper()
	results, err := s.conn.Exec(s.ctx, sql).ReadAll()
	for _, r := range results {
		if r.Err == nil {
			tags = append(tags, r.CommandTag.String())
		}
	}
	var e *pgconn.PgError
	switch {
	case errors.As(err, &e):
		return tags, e.Code
	case err != nil:
		s.t.Fatalf("%q: %v", sql, err)
	}
	return tags, ""
}

// rows sends a simple Query that must succeed, and gives its rows with columns joined by a bar.
func (s *session) rows(sql string) []string {
	s.t.Helper()
	results, err := s.conn.Exec(s.ctx, sql).ReadAll()
	if err != nil {
		s.t.Fatalf("%q: %v", sql, err)
	}
	var list []string
	for _, row := range results[len(results)-1].Rows {
		columns := make([]string, len(row))
		for i, c := range row {
			columns[i] = string(c)
		}
		list = append(list, strings.Join(columns, "|"))
	}
	return list
}

// transactionTexts varies the statements that begin and end transactions, right and wrong ones.
func transactionTexts(r *rand.Rand) []string {
	heads := []string{
		"BEGIN", "BEGIN WORK", "BEGIN TRANSACTION", "START TRANSACTION", "START", "START WORK", "COMMIT", "END", "COMMIT WORK", "END TRANSACTION",
		"ROLLBACK", "ABORT", "ROLLBACK TRANSACTION", "ABORT WORK", "BEGIN WORK TRANSACTION", "BEGIN ATOMIC",
	}
	modes := []string{
		"", "READ ONLY", "READ WRITE", "DEFERRABLE", "NOT DEFERRABLE", "ISOLATION LEVEL SERIALIZABLE", "ISOLATION LEVEL REPEATABLE READ",
		"ISOLATION LEVEL READ COMMITTED", "ISOLATION LEVEL READ UNCOMMITTED",
	}
	rest := []string{"READ", "NOT", "ISOLATION LEVEL", "LEVEL", "WORK", "AND CHAIN", "AND NO CHAIN", "TO s", "PREPARED 'x'", ",", "'x'", "1", "ONLY", `"read" only`}
	tails := []string{"", ";", ";;", " ; ", "-- x", "/* x */;", ";-- x\n;", "\x0b", "; SELECT 1", "/* x", ")", ";\f"}
	texts := []string{";BEGIN", "; ;COMMIT", "\x0bBEGIN", "/**/ROLLBACK"}
	for _, h := range heads {
		for _, a := range append(modes, rest...) {
			for _, comma := range []string{" ", ",", " , "} {
				for _, b := range modes {
					texts = append(texts, h+" "+a+comma+b)
				}
			}
		}
		for _, tail := range tails {
			texts = append(texts, h+tail, h+" READ ONLY"+tail)
		}
	}
	spaces := []string{" ", "\n", "\t", "/* , */", "--x\n", "  ", "\r", "\f", "/* /* */ */", "--\r"}
	for i, text := range texts {
		if r.IntN(3) == 0 {
			continue
		}
		text = strings.ReplaceAll(text, " ", spaces[r.IntN(len(spaces))])
		if r.IntN(2) == 0 {
			text = strings.ToLower(text)
		}
		texts[i] = text + tails[r.IntN(len(tails))]
	}
	return texts
}

func TestTransactionsAgainstServer(t *testing.T) {
	s := connect(t)
	seen := map[lex.Kind]int{}
	for _, sql := range transactionTexts(rand.New(rand.NewPCG(1, 2))) {
		kind := lex.Classify([]byte(sql))
		seen[kind]++
		tags, code := s.try(sql)
		began := code == "" && s.conn.TxStatus() == 'T' && len(tags) == 1 && !strings.Contains(sql, "\v")
		if (kind == lex.Begin) != began {
			t.Errorf("%q is %v; the server gives %q %s and status %c", sql, kind, tags, code, s.conn.TxStatus())
		}
		if kind == lex.Begin && began {
			if tag := lex.BeginTag([]byte(sql)); tag != tags[0] {
				t.Errorf("%q has the tag %q, the server says %q", sql, tag, tags[0])
			}
			if on := s.rows("SHOW transaction_read_only")[0] == "on"; on != lex.ReadOnly([]byte(sql)) {
				t.Errorf("ReadOnly(%q) = %v", sql, !on)
			}
		}
		s.rows("ROLLBACK")

		if kind == lex.Begin || began {
			continue
		}
		s.rows("BEGIN")
		tags, code = s.try(sql)
		want := map[lex.Kind]string{lex.Commit: "COMMIT", lex.Rollback: "ROLLBACK"}[kind]
		if ended := code == "" && s.conn.TxStatus() == 'I' && len(tags) == 1 && tags[0] == want; want != "" && !ended {
			t.Errorf("%q is %v; the server gives %q %s and status %c", sql, kind, tags, code, s.conn.TxStatus())
		}
		s.rows("ROLLBACK")
	}
	for _, kind := range []lex.Kind{lex.Begin, lex.Commit, lex.Rollback, lex.RollbackTo, lex.Other} {
		if seen[kind] < 20 {
			t.Errorf("only %d texts were %v", seen[kind], kind)
		}
	}
}

func TestMultiAgainstServer(t *testing.T) {
	s := connect(t)
	r := rand.New(rand.NewPCG(3, 4))
	pieces := []string{
		"'", "'", "'", "\\", "\\", ";", ";", "$$", "$a$", "$", "1", "e", "E'", "a", " ", "\n", "--", "/*", "*/", "\"", "SELECT ", "; SELECT ", "AS ", "''", "U&'", "é",
	}
	one, several := 0, 0
	for _, conforming := range []string{"on", "off"} {
		s.rows("SET escape_string_warning = off; SET standard_conforming_strings = " + conforming)
		for range 12000 {
			sql := "SELECT "
			if r.IntN(4) == 0 {
				sql += "E"
			}
			sql += "'"
			for range r.IntN(9) {
				sql += pieces[r.IntN(len(pieces))]
			}
			sql += []string{"", "'", "';", "'; SELECT '1", "'; SELECT '1'", "$$", "$a$; SELECT 1", "; SELECT 1 -- '"}[r.IntN(8)]
			tags, code := s.try(sql)
			if code == "42601" || code == "22025" { // not SQL: nothing is carried out
				continue
			}
			multi := lex.Multi([]byte(sql))
			if n := len(tags); n > 1 || n == 1 && code != "" {
				several++
				if !multi {
					t.Errorf("Multi(%q) = false; the server carried out %d with standard_conforming_strings %s", sql, n, conforming)
				}
			} else if n == 1 && code == "" && !multi {
				one++
			}
		}
	}
	if one < 200 || several < 200 {
		t.Errorf("only %d texts of one statement and %d of several", one, several)
	}
	t.Logf("%d texts of one statement, %d of several", one, several)
}

func TestKeywordsAgainstServer(t *testing.T) {
	s := connect(t)
	for _, row := range s.rows("SELECT word, catcode FROM pg_get_keywords()") {
		name, category, _ := strings.Cut(row, "|")
		_, ok := lex.Name([]byte("LISTEN " + name))
		if want := category == "U" || category == "C"; ok != want {
			t.Errorf("%s is a name: %v, and the server says %s", name, ok, category)
		}
		_, code := s.try("LISTEN " + name)
		if ok != (code == "") {
			t.Errorf("LISTEN %s gives %q", name, code)
		}
		_, ok = lex.Settings([]byte("SET application_name = " + name))
		_, code = s.try("SET application_name = " + name)
		if ok != (code == "") && name != "default" {
			t.Errorf("SET application_name = %s gives %q", name, code)
		}
		_, ok = lex.Settings([]byte("SET TIME ZONE " + name))
		_, code = s.try("SET TIME ZONE " + name)
		if ok && code != "" {
			t.Errorf("SET TIME ZONE %s gives %q", name, code)
		}
		for _, sql := range []string{"SET ROLE " + name, "SET SESSION AUTHORIZATION " + name, "RESET " + name, "SET " + name + " = 1", "SET " + name + ".x = 1"} {
			_, ok = lex.Settings([]byte(sql))
			if _, code = s.try(sql); ok && code == "42601" {
				t.Errorf("%s gives %q", sql, code)
			}
			s.rows("RESET SESSION AUTHORIZATION; RESET ROLE")
		}
	}
}

// TestSettingsAgainstServer replays each setting by itself: it must lead to the same value as the text did.
func TestSettingsAgainstServer(t *testing.T) {
	s := connect(t)
	s.rows("CREATE ROLE other; CREATE ROLE \"Other One\"")
	values := []string{
		"1", "-1", "+1", "- 1", "1.5", ".5", "1.", "on", "true", "false", "DEFAULT", "default", "none", "utc", "local", "LOCAL", "other", "OTHER",
		`"Other One"`, `"default"`, "''", "'other'", "'a''b'", "'a b'", "a, b", `a,"B",'c d',$$e$$`, "$$x$$", "$t$x$$y$t$", `E'a\nb'`, `E'a\\b'`, `E'\''`, `'a\b'`,
		`E'\x41'`, "'é'", "'a'\n'b'", "warning", "'UTC'", "'Europe/Rome'", "-8", "utf8", "'UTF8'", "'latin1'", "1e3", "0x10", "1_0", "B'1'", "X'1'", "N'a'",
		"U&'a'", `""`, "select", "user", "current_user", "null", "a b", "a.b", "(1)", "1,2", "DEFAULT,1", "interval '1' hour", "day", "/* c */ 1 -- d", "1;", "1;;",
	}
	forms := []struct{ head, name string }{
		{"SET application_name = ", "application_name"},
		{"SET SESSION application_name TO ", "application_name"},
		{"SET search_path TO ", "search_path"},
		{"SET app.x = ", "app.x"},
		{`SET "Search_Path"=`, "search_path"},
		{"SET client_min_messages TO ", "client_min_messages"},
		{"SET TIME ZONE ", "timezone"},
		{"SET timezone TO ", "timezone"},
		{"SET NAMES ", "client_encoding"},
		{"SET SCHEMA ", "search_path"},
		{"SET ROLE ", "role"},
		{"SET role = ", "role"},
		{"SET SESSION AUTHORIZATION ", "session_authorization"},
		{"SET SESSION SESSION AUTHORIZATION ", "session_authorization"},
		{"SET extra_float_digits=", "extra_float_digits"},
		{"SET statement_timeout TO ", "statement_timeout"},
		{"SET local.x TO ", "local.x"},
		{"SET session.x = ", "session.x"},
	}
	replayed := 0
	for _, f := range forms {
		for _, v := range values {
			sql := f.head + v
			s.rows("RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL")
			settings, ok := lex.Settings([]byte(sql))
			_, code := s.try(sql)
			if !ok {
				continue
			}
			if len(settings) != 1 || settings[0].Name != f.name {
				t.Errorf("%q reads %+v", sql, settings)
				continue
			}
			if code == "42601" {
				t.Errorf("%q reads %+v, and is no SQL", sql, settings)
			}
			if code != "" {
				continue // a value that this parameter cannot have
			}
			show := fmt.Sprintf("SELECT coalesce(current_setting('%s', true), '')", f.name)
			want := s.rows(show)[0]
			s.rows("RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL")
			s.rows("SET " + settings[0].Name + " TO " + strings.Repeat("DEFAULT", boolean(settings[0].Default)) + settings[0].Value)
			if got := s.rows(show)[0]; got != want {
				t.Errorf("%q leads to %q, and replayed as %+v to %q", sql, want, settings[0], got)
			}
			replayed++
		}
	}
	if replayed < 100 {
		t.Errorf("only %d settings were replayed", replayed)
	}
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
