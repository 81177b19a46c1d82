package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// TestTranslate: what PgBouncer's getopt_long takes is taken, in any order.
func TestTranslate(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"a.ini", "serve --as-pgbouncer --config a.ini"},
		{"/etc/pgbouncer/config", "serve --as-pgbouncer --config /etc/pgbouncer/config"},
		{"testdata/good.ini", "serve --as-pgbouncer --config testdata/good.ini"},
		{"main.go", "serve --as-pgbouncer --config main.go"}, // a file that is there
		{"--quiet a.ini", "serve --as-pgbouncer --config a.ini --quiet"},
		{"-d a.ini", "serve --as-pgbouncer --config a.ini --daemon"},
		{"a.ini -q -v", "serve --as-pgbouncer --config a.ini --quiet --verbose 1"},
		{"-qdvv -u pooler a.ini", "serve --as-pgbouncer --config a.ini --daemon --quiet --verbose 2 --user pooler"},
		{"-upooler --verbose --daemon a.ini", "serve --as-pgbouncer --config a.ini --daemon --verbose 1 --user pooler"},
		{"-vvvvv --user=pooler -- -odd.ini", "serve --as-pgbouncer --config -odd.ini --verbose 3 --user pooler"},
		{"-V", "version"},
		{"-q --version a.ini", "version"},
		{"-q -h", "--help"},
	} {
		got, ok, err := translate(append([]string{"poolerd"}, strings.Fields(tc.args)...))
		if want := append([]string{"poolerd"}, strings.Fields(tc.want)...); err != nil || !ok || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, %v, want %q", tc.args, got, ok, err, want)
		}
	}
	for _, args := range []string{"", "serve a.ini", "serve", "--help", "-h", "check -c a.ini", "bnech", "help serve"} {
		words := append([]string{"poolerd"}, strings.Fields(args)...)
		if got, ok, err := translate(words); err != nil || ok || !slices.Equal(got, words) {
			t.Errorf("%s: got %q, %v, %v, want it left alone", args, got, ok, err)
		}
	}
}

// TestPgBouncersMistakes end with PgBouncer's exit code, and say what to do.
func TestPgBouncersMistakes(t *testing.T) {
	clearEnvironment(t)
	for _, tc := range []struct{ args, want string }{
		{"-q", "no configuration file is named"},
		{"-x a.ini", "unknown shorthand flag"},
		{"--bogus a.ini", "unknown flag: --bogus"},
		{"-u", "flag needs an argument"},
		{"a.ini b.ini", `"b.ini" is one argument too many`},
		{"-R a.ini", "--reboot (-R) is not supported"},
		{"-q testdata/missing.ini", "testdata/missing.ini: no such file or directory"},
	} {
		var out, errOut bytes.Buffer
		code := run(t.Context(), append([]string{"poolerd"}, strings.Fields(tc.args)...), &out, &errOut)
		if code != exitFail || !strings.Contains(errOut.String(), tc.want) || strings.Count(errOut.String(), "\n") != 1 {
			t.Errorf("%s: exit code %d, said %q, want %q", tc.args, code, errOut.String(), tc.want)
		}
	}
}
