package lex_test

import (
	"slices"
	"testing"

	"poolerd/wire/lex"
)

func TestCustomSets(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want []string
	}{
		{"SELECT 1", nil},
		{"", nil},
		{"SET work_mem = 1", nil},
		{"SET my.own TO 'x'", []string{"my.own"}},
		{"DO $$ BEGIN SET My.Own TO 'x'; set session a.b=1; SET LOCAL \"c\".d = 2; RESET e.f; END $$", []string{"my.own", "a.b", "c.d", "e.f"}},
		{"DO 'BEGIN EXECUTE ''SET my.own TO 1''; END'", []string{"my.own"}},
		{"offset my.own", nil},
		{"UPDATE t SET t.a = 1", []string{"t.a"}}, // asking for it costs nothing but the question
		{"SET", nil},
		{"s", nil},
		{"SET my.own\x00SET x.y", []string{"my.own"}},
	} {
		if got := lex.CustomSets([]byte(c.sql)); !slices.Equal(got, c.want) {
			t.Errorf("CustomSets(%q) = %q, want %q", c.sql, got, c.want)
		}
	}
}

func FuzzCustomSets(f *testing.F) {
	f.Add([]byte("DO $$ BEGIN SET My.Own TO 'x'; set session a.b=1; RESET e.f"))
	f.Fuzz(func(t *testing.T, sql []byte) {
		for _, name := range lex.CustomSets(sql) {
			if name == "" || !slices.Contains([]byte(name), '.') {
				t.Errorf("%q gives %q", sql, name)
			}
		}
	})
}
