package lex_test

import (
	"bytes"
	"strings"
	"testing"

	"poolerd/wire/lex"
)

func FuzzTexts(f *testing.F) {
	for _, sql := range statements {
		f.Add([]byte(sql))
	}
	for _, sql := range []string{
		"SET a = 'x', E'y\\n', $t$z$t$; RESET \"B\".c", "SELECT E'\\'';SELECT $1$a$;$a$", "LISTEN \"a\"\"b\"", "/* /* */ */--\n;", "1.5e'\\",
		"SET TIME ZONE -8", "DEALLOCATE PREPARE x", "SET SESSION AUTHORIZATION 'joe'",
	} {
		f.Add([]byte(sql))
	}
	f.Fuzz(func(t *testing.T, sql []byte) {
		kind, multi := lex.Classify(sql), lex.Multi(sql)
		settings, isSettings := lex.Settings(sql)
		name, isName := lex.Name(sql)
		_ = kind.String()

		text, _, _ := bytes.Cut(sql, []byte{0})
		for _, same := range [][]byte{text, append(bytes.Clone(text), "\x00 '\" ; BEGIN"...)} {
			if got := lex.Classify(same); got != kind {
				t.Errorf("%q is %v, and %q %v", sql, kind, same, got)
			}
			if got := lex.Multi(same); got != multi {
				t.Errorf("Multi(%q) is %v, and of %q %v", sql, multi, same, got)
			}
		}

		switch kind {
		case lex.Empty, lex.Begin, lex.Commit, lex.Rollback:
			upper := bytes.ToUpper(text)
			if got := lex.Classify(upper); got != kind && len(upper) == len(text) && ascii(text) {
				t.Errorf("%q is %v, and in capitals %v", sql, kind, got)
			}
			if isSettings || isName {
				t.Errorf("%q is %v, and a setting (%v) or a name (%v)", sql, kind, isSettings, isName)
			}
		}
		if !multi && !bytes.Contains(text, []byte("\v")) && lex.Multi(append(bytes.Clone(text), "\n;"...)) {
			t.Errorf("%q is one statement, but not with a semicolon", sql)
		}
		if isName && (name == "" || multi && text[0] != ';') {
			t.Errorf("Name(%q) = %q, Multi %v", sql, name, multi)
		}
		for _, s := range settings {
			again(t, s)
		}
	})
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// again writes a setting as SQL and reads it.
func again(t *testing.T, s lex.Setting) {
	t.Helper()
	if s.Name == "" {
		return // RESET ALL
	}
	name := `"` + strings.ReplaceAll(s.Name, ".", `"."`) + `"`
	sql := "SET " + name + " TO " + s.Value
	if s.Local {
		sql = "SET LOCAL " + name + " TO " + s.Value
	}
	if s.Default {
		sql += "DEFAULT"
	}
	s.Reset = false
	got, ok := lex.Settings([]byte(sql))
	if !ok || len(got) != 1 || got[0] != s {
		t.Errorf("%+v written as %q reads %+v, %v", s, sql, got, ok)
	}
}
