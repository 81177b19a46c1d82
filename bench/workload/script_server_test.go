package workload_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"poolerd/bench/workload"
)

// eventful uses all that scripts have. What it computes lands in the table noted.
const eventful = `-- everything; but \nothing here is a command
\set a 40 + 2
\set half :a / 4.0
CREATE TEMPORARY TABLE local (t text) ON COMMIT DROP; -- outside a transaction: gone at once
INSERT INTO noted VALUES (1, :a::text);
INSERT INTO noted
    VALUES (2, 'semi;colon' || $$dollar;$$ || $x$y;$$z$x$ || E'\';' || "left"(':,', 1)) /* nested /* ; */ ; */;
INSERT INTO noted SELECT 3, count(*)::text FROM generate_series(1, :a) AS g (n) WHERE n % 2 = 0;
SELECT 5 AS five, 'text' AS word, NULL::int AS nothing \gset got_
INSERT INTO noted VALUES (:got_five, :got_five::text || ' and ' || :half::text);
\if :got_five > 4 and not false
INSERT INTO noted VALUES (6, 'then');
\else
INSERT INTO noted VALUES (6, 'else');
\endif
\if :got_five = 4
INSERT INTO noted VALUES (7, 'if');
\elif :got_five = 5
INSERT INTO noted VALUES (7, 'elif');
\endif
\set h hash(:a, 7) % 1000
\set p permute(:a, 1000, 3)
BEGIN;
INSERT INTO noted VALUES (8, :h::text || ',' || :p::text);
\sleep 1 ms
END;
CREATE OR REPLACE FUNCTION twice(i integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 2 * i END; END;
INSERT INTO noted VALUES (9, twice(21)::text)
`

// A script leaves in the database what pgbench leaves, in every protocol.
func TestScriptAgainstPgbench(t *testing.T) {
	c := workload.Server(t)
	pgbench := filepath.Join(c.BinDir(), "pgbench")
	if _, err := os.Stat(pgbench); err != nil {
		t.Skip("pgbench is not installed beside the server")
	}
	noted := func(play func()) string {
		t.Helper()
		if _, err := c.Psql(t.Context(), "fountain", "DROP TABLE IF EXISTS noted; CREATE TABLE noted (n integer, what text)"); err != nil {
			t.Fatal(err)
		}
		play()
		out, err := c.Psql(t.Context(), "fountain", "SELECT n, what FROM noted ORDER BY n, what")
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	file := filepath.Join(t.TempDir(), "eventful.sql")
	if err := os.WriteFile(file, []byte(eventful), 0o600); err != nil {
		t.Fatal(err)
	}
	for p, theirs := range map[workload.Protocol]string{workload.Simple: "simple", workload.Unprepared: "extended", workload.Prepared: "prepared"} {
		want := noted(func() {
			out, err := exec.CommandContext(t.Context(), pgbench, "-n", "-t", "2", "-M", theirs, "-f", file, c.URL("postgres", "fountain")).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		})
		got := noted(func() {
			s := script(t, p, nil, eventful)
			d := dial(t, "postgres")
			for range 2 {
				s.Begin()
				d.transaction(t, s)
				if s.Err() != nil || len(d.texts) > 0 {
					t.Fatalf("%v %v", s.Err(), d.texts)
				}
			}
		})
		if got != want || strings.Count(want, "\n") < 16 {
			t.Errorf("%v: ours leaves\n%s\npgbench's\n%s", p, got, want)
		}
	}
}

// Pipelines, \; and the error paths, on a real server.
func TestScriptOnServer(t *testing.T) {
	if _, err := workload.Server(t).Psql(t.Context(), "fountain", "CREATE TABLE unique_number (n integer PRIMARY KEY); INSERT INTO unique_number VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		p     workload.Protocol
		text  string
		codes []string
		err   string
	}{
		{"pipeline", workload.Prepared, "\\startpipeline\nBEGIN;\nSELECT :scale;\nCOMMIT;\n\\syncpipeline\nSELECT 2;\n\\endpipeline", nil, ""},
		{"pipeline unprepared", workload.Unprepared, "\\startpipeline\nSELECT 1;\nSELECT 2;\n\\endpipeline\nSELECT 3;", nil, ""},
		{"pipeline that fails", workload.Prepared, "\\startpipeline\nBEGIN;\nSELECT 1 / 0;\nCOMMIT;\n\\endpipeline\nSELECT 4;", []string{"22012"}, ""},
		{"several", workload.Simple, "BEGIN\\; SELECT 1\\; COMMIT;\nSELECT 1;", nil, ""},
		{"fails inside", workload.Prepared, "BEGIN;\nINSERT INTO unique_number VALUES (1);\nCOMMIT;", []string{"23505"}, ""},
		{"fails inside simple", workload.Simple, "BEGIN;\nINSERT INTO unique_number VALUES (1);\nCOMMIT;", []string{"23505"}, ""},
		{"fails outside", workload.Unprepared, "INSERT INTO unique_number VALUES (1);\nSELECT 1;", []string{"23505"}, ""},
		{"no such table", workload.Prepared, "SELECT * FROM nowhere;", []string{"42P01"}, ""},
		{"left open", workload.Prepared, "BEGIN;\nSELECT 1;", nil, "lacks a COMMIT"},
		{"no row", workload.Prepared, "BEGIN;\nSELECT 1 AS x WHERE false\\gset\nCOMMIT;", nil, "got no row"},
		{"division", workload.Simple, "BEGIN;\n\\set x 1 / 0\nCOMMIT;", nil, "division by zero"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := script(t, c.p, nil, c.text)
			d := dial(t, "postgres")
			for range 3 {
				d.texts = nil
				s.Begin()
				if status := d.transaction(t, s); status != 'I' {
					t.Fatalf("status %c after it: %v", status, d.texts)
				}
				var codes []string
				for _, text := range d.texts {
					codes = append(codes, text[:5])
				}
				if strings.Join(codes, " ") != strings.Join(c.codes, " ") {
					t.Errorf("%v, want %v", d.texts, c.codes)
				}
				if err := s.Err(); (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v, want %q", err, c.err)
				}
			}
		})
	}
}
