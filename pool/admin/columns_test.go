package admin

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/pool"
)

// golden reads what PgBouncer 1.25.2 describes its rows as, one column a line: the word behind SHOW, then name, type, length and modifier. It was written down from the
// program itself, by libpq.
func golden(t *testing.T) map[string][]string {
	t.Helper()
	f, err := os.Open("testdata/pgbouncer_columns.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	all := map[string][]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		what, column, _ := strings.Cut(lines.Text(), " ")
		all[what] = append(all[what], column)
	}
	return all
}

// TestColumns: the database pgbouncer has PgBouncer's columns in its order and no others, since programs count them; in poolerd ours follow.
func TestColumns(t *testing.T) {
	ours := map[string][]string{
		"clients": {"pinned 25 -1 -1"},
		"servers": {"uses 1700 -1 -1"},
		"pools":   {"pool_size 23 4 -1", "reserve_pool_size 23 4 -1", "pinned 23 4 -1"},
	}
	c := newConsole(t)
	plain := connect(t, c, "root")
	own := connectAs(t, c, "root", func(s *pool.ConsoleSession) { s.Own = true })
	known := golden(t)
	for what, columns := range known {
		t.Run(what, func(t *testing.T) {
			hasColumns(t, plain, what, columns)
			hasColumns(t, own, what, append(columns, ours[what]...))
		})
	}
	for what := range c.shows {
		if _, ok := known[what]; !ok && what != "help" && what != "fds" {
			t.Errorf("the columns of SHOW %s are not PgBouncer's", what)
		}
	}
}

// hasColumns asks in both protocols, and whether the rows have as many.
func hasColumns(t *testing.T, x *client, what string, want []string) {
	t.Helper()
	a := x.query("SHOW " + what)
	same(t, [][]string{described(a)}, [][]string{want})
	d := x.ask(&pgproto3.Parse{Query: "SHOW " + what}, &pgproto3.Bind{ResultFormatCodes: []int16{1}}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{})
	if len(d.fields) != len(want) || d.fields[0].Format != 1 {
		t.Errorf("a portal is described as %+v", d.fields)
	}
	for _, row := range append(a.rows, d.rows...) {
		if len(row) != len(want) {
			t.Errorf("a row has %d values, want %d", len(row), len(want))
		}
	}
}

func described(a answer) []string {
	var all []string
	for _, f := range a.fields {
		all = append(all, fmt.Sprintf("%s %d %d %d", f.Name, f.DataTypeOID, f.DataTypeSize, f.TypeModifier))
	}
	return all
}
