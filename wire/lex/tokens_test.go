package lex_test

import (
	"strings"
	"testing"

	"poolerd/wire/lex"
)

func TestTokens(t *testing.T) {
	for _, c := range []struct {
		sql, want string
		ok        bool
	}{
		{"", "", true},
		{"SELECT a.\"b\", 'it''s' -- x\n", `SELECT|a|.|"b"|,|'it''s'`, true},
		{"set_config($1, E'\\n', $t$;$t$)", `set_config|(|$|1|,|E'\n'|,|$t$;$t$|)`, true},
		{"x /* y */ 1.5\x00z", "x|1.5", true},
		{"x 'no end", "x", false},
		{"", "", true},
	} {
		tokens, ok := lex.Tokens(nil, []byte(c.sql))
		var got []string
		for _, token := range tokens {
			got = append(got, c.sql[token.From:token.To])
		}
		if strings.Join(got, "|") != c.want || ok != c.ok {
			t.Errorf("Tokens(%q) = %q, %v, want %q, %v", c.sql, got, ok, c.want, c.ok)
		}
	}
}
