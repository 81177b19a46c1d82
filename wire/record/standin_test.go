package record

import (
	"regexp"
	"testing"
)

// TestStandIns: what a stand-in looks like.
func TestStandIns(t *testing.T) {
	v := testVeil(t, Hashed)
	for _, c := range []struct{ value, want string }{
		{"", "^$"},
		{"t", "^t$"},
		{"false", "^false$"},
		{"0", "^0$"},
		{"7", "^[1-9]$"},
		{"-7", "^-[1-9]$"},
		{"2147483647", "^[1-2][0-9]{9}$"},
		{"30000", "^[1-3][0-9]{4}$"},
		{"0.50", `^0\.[0-9]{2}$`},
		{"1.5e-10", `^[1-9]\.[0-9]e-10$`},
		{"2024-12-31", "^20[0-2][0-9]-0[1-9]-0[1-9]$"},
		{"2024-12-31 23:59:59.123+02", `^20[0-2][0-9]-0[1-9]-0[1-9] 0[1-9]:0[1-9]:0[1-9]\.[0-9]{3}\+0[1-9]$`},
		{"23:59", "^0[1-9]:0[1-9]$"},
		{"3 days", "^[1-9] days$"},
		{"month", "^month$"},
		{"6F1e2d3c-1111-2222-3333-444455556666", "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
		{`{"name": "Bob", "n": [12, true, null]}`, `^\{"name": "[A-Z][a-z]{2}", "n": \[[1-9][0-9], true, null\]\}$`},
		{`{"Bob Smith": 1}`, `^\{"[A-Z][a-z]{2} [A-Z][a-z]{4}": [1-9]\}$`},
		{"{1,22}", `^\{[1-9],[1-9][0-9]\}$`},
		{"bob@example.com", `^[a-z]{3}@[a-z]{7}\.[a-z]{3}$`},
		{"%ob%", "^%[a-z]{2}%$"},
		{"--=--", "^[a-z]{5}$"},
		{`\xdead`, `^\\x[0-9a-f]{4}$`},
		{"é日😀", "^.{3}$"},
		{"a;b`c", "^[a-z];[a-z]{3}$"},
		{"love & !hate", "^[a-z]{4} & ![a-z]{4}$"},
		{"192.168.0.17/24", `^1[0-9]{2}\.1[0-9]{2}\.[0-9]\.[0-9]{2}/24$`},
		{"fe80::1", "^[0-9a-f]{4}::[0-9a-f]$"},
		{"[2024-12-31,2025-12-31)", `^\[20[0-2][0-9]-0[1-9]-0[1-9],20[0-2][0-9]-0[1-9]-0[1-9]\)$`},
	} {
		if got := string(v.plain([]byte(c.value))); !regexp.MustCompile(c.want).MatchString(got) || len(got) != len(c.value) {
			t.Errorf("%q becomes %q, want %s", c.value, got, c.want)
		}
	}
}

// TestConstants: what stays of a simple query.
func TestConstants(t *testing.T) {
	v := testVeil(t, Hashed)
	for _, c := range []struct{ sql, want string }{
		{"SELECT 1, 'Bob', 1234, 12345", "^SELECT 1, '[A-Z][a-z]{2}', 1234, [1-9][0-9]{4}$"},
		{"SELECT 'it''s'", "^SELECT '[a-z]{2}''[a-z]'$"},
		{"SELECT E'a\\tb', x'FF', b'11', $$Bob$$, $a$Bob$a$", `^SELECT E'[a-z]{4}', x'[0-9a-f]{2}', b'[01]{2}', \$\$[a-z]{3}\$\$, \$a\$[a-z]{3}\$a\$$`},
		{"SET client_encoding = 'UTF8';SET client_min_messages TO WARNING;", "^SET client_encoding = 'UTF8';SET client_min_messages TO WARNING;$"},
		{"SET TIME ZONE 'Europe/Berlin'; SET my.user = bob, 12, 'x'", "^SET TIME ZONE 'Europe/Berlin'; SET my.user = [a-z]{3}, [a-z]{2}, '[a-z]'$"},
		{"SELECT nextval('public.t_id_seq'), current_setting('a.b'), 'pg_class'::regclass", `^SELECT nextval\('public.t_id_seq'\), current_setting\('a.b'\), 'pg_class'::regclass$`},
		{"SELECT now() - interval '30 minutes' AT TIME ZONE 'UTC'", "^SELECT now\\(\\) - interval '[1-9][0-9] minutes' AT TIME ZONE 'UTC'$"},
		{"DO $$ BEGIN RAISE NOTICE 'Bob'; END $$", `^DO \$\$ BEGIN RAISE NOTICE '[A-Z][a-z]{2}'; END \$\$$`},
		{"/* Bob */ SELECT 1 -- Bob", "^ {9} SELECT 1 {7}$"},
		{"SELECT set_config('role', 'web_anon', true), set_config('a.b', '{\"c\": 1}', true)", `^SELECT set_config\('role', 'web_anon', true\), set_config\('a.b', '\{ {6}\}', true\)$`},
	} {
		shown, _, withheld := v.text([]byte(c.sql), true)
		if withheld || !regexp.MustCompile(c.want).Match(shown) || len(shown) != len(c.sql) {
			t.Errorf("%q becomes %q, want %s", c.sql, shown, c.want)
		}
	}
	for _, sql := range []string{"SELECT 'no end", "ALTER ROLE a PASSWORD 'b'", "CREATE ROLE a PASSWORD 'b'", "DO $$ ALTER ROLE a PASSWORD 'b' $$"} {
		if shown, _, withheld := v.text([]byte(sql), true); !withheld || shown != nil {
			t.Errorf("%q becomes %q", sql, shown)
		}
	}
}

// TestIntegersStayInTheirTypes: a permutation of each number of digits, within the limits of the types.
func TestIntegersStayInTheirTypes(t *testing.T) {
	v := testVeil(t, Hashed)
	seen := map[uint64]bool{}
	for n := uint64(0); n < 40_000; n++ {
		p := v.integer(n)
		if seen[p] || n <= 32767 && p > 32767 || (n == 0) != (p == 0) || len(digitsOf(n)) != len(digitsOf(p)) {
			t.Fatalf("%d becomes %d", n, p)
		}
		seen[p] = true
	}
}

func digitsOf(n uint64) string {
	s := ""
	for ; n > 0; n /= 10 {
		s += "x"
	}
	return s
}
