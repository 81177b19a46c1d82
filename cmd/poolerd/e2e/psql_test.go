package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// psqlCase is one run of psql. What it prints, on both outputs, and its exit
// code must be the same with and without the pooler.
type psqlCase struct {
	name   string
	args   []string
	script string // for -f; its \copy may read and write %DIR%
	stdin  string
	exit   int
}

func psqlCases() []psqlCase {
	return []psqlCase{
		{name: "describe", args: []string{"-c", `\d api.*`}},
		{name: "describe more", args: []string{"-c", `\d+ api.dialogue`, "-c", `\df+ api.*`, "-c", `\dn+`, "-c", `\du`, "-c", `\dp api.*`}},
		{name: "many statements", args: []string{"-c", `SELECT 1 AS one; SELECT 2 AS two, 'zwei' AS zwei; SELECT FROM api.script LIMIT 2`}},
		{name: "many commands", args: []string{"-c", "BEGIN", "-c", "SELECT 1 / 0", "-c", "SELECT 2", "-c", "ROLLBACK", "-c", "SELECT 3"}},
		{name: "error", args: []string{"-c", "SELECT 1; SELECT nonsense; SELECT 3"}, exit: 1},
		{name: "error stops", args: []string{"-v", "ON_ERROR_STOP=1"}, script: "SELECT 1;\nSELECT nonsense;\nSELECT 3;\n", exit: 3},
		{name: "error goes on", script: "SELECT 1;\nSELECT nonsense;\nSELECT 3;\n"},
		{name: "one transaction", args: []string{"-1"}, script: "CREATE TABLE never (n int);\nINSERT INTO never VALUES (1);\nTABLE never;\nDROP TABLE never;\n"},
		{name: "savepoints", args: []string{"-v", "ON_ERROR_ROLLBACK=1"}, script: "BEGIN;\nSELECT 1;\nSELECT nonsense;\nSELECT 3;\nCOMMIT;\n"},
		{name: "notice", args: []string{"-c", `DO $$ BEGIN RAISE NOTICE 'act %', 1; RAISE WARNING 'exeunt'; END $$`, "-c", "COMMIT"}},
		{name: "copy out", args: []string{"-c", `\copy (SELECT * FROM api.scene ORDER BY id LIMIT 50) TO STDOUT WITH (FORMAT csv, HEADER)`}},
		{name: "copy in", args: []string{"-v", "ON_ERROR_STOP=1"}, script: `BEGIN;
CREATE TEMPORARY TABLE props (n int, name text) ON COMMIT DROP;
\copy (SELECT id, name FROM api.character ORDER BY id) TO '%DIR%/props'
\copy props FROM '%DIR%/props'
COPY props FROM STDIN;
1001	a skull
1002	a dagger
\.
SELECT count(*), max(n), min(name) FROM props;
\copy props FROM STDIN (FORMAT csv)
1003,"a ring"
\.
SELECT * FROM props WHERE n > 1000 ORDER BY n;
COMMIT;
`},
		{name: "copy fails", script: "BEGIN;\nCREATE TABLE never (n int);\nCOPY never FROM STDIN;\n1\ntwo\n\\.\nSELECT 1;\nROLLBACK;\nSELECT 2;\n"},
		{name: "standard input", stdin: "SELECT 1;\nSELECT 'two' AS two \\gset\n\\echo :two\nSELECT :'two' || 'three';\n"},
		{name: "settings", script: `SET search_path TO api;
SET DateStyle TO 'German';
SELECT id, written FROM script ORDER BY id LIMIT 2;
SHOW search_path;
RESET search_path;
SHOW search_path;
\encoding
SET client_encoding TO 'LATIN1';
\encoding
RESET ALL;
SHOW DateStyle;
`},
		{name: "prepare", script: "PREPARE p (int) AS SELECT name FROM api.playwright WHERE id = $1;\nEXECUTE p(1);\nEXECUTE p(2);\nDEALLOCATE p;\nEXECUTE p(3);\n"},
		{name: "temporary table", script: "CREATE TEMPORARY TABLE props AS SELECT 1 AS n;\nSELECT * FROM props;\nDROP TABLE props;\n"},
		{name: "cursor", args: []string{"-v", "FETCH_COUNT=7"}, script: "SELECT id, title FROM api.script ORDER BY id;\nBEGIN;\nDECLARE c CURSOR FOR SELECT id FROM api.script ORDER BY id;\nFETCH 3 FROM c;\nMOVE 5 IN c;\nFETCH 1 FROM c;\nCLOSE c;\nCOMMIT;\n"},
		{name: "describe a query", script: "SELECT 1 AS a, 'x'::text AS b, now() AS c \\gdesc\nSELECT 'SELECT ' || n FROM generate_series(1, 3) AS n \\gexec\n"},
		{name: "large rows", args: []string{"-At", "-c", "SELECT n, repeat(md5(n::text), 10000) FROM generate_series(1, 40) AS n"}},
		{name: "empty", args: []string{"-c", "", "-c", ";", "-c", "-- nothing"}},
		{name: "unknown database", args: []string{"-d", "no-such-stage", "-c", "SELECT 1"}, exit: 2},
	}
}

// TestPsql runs psql direct and through the pooler.
func TestPsql(t *testing.T) {
	psql := program(t, "psql")
	p := startPooler(t, options{poolSize: 2})
	straight := &pooler{host: shared.Host(), port: shared.Port(), user: p.user}
	for _, c := range psqlCases() {
		t.Run(c.name, func(t *testing.T) {
			dir := openFolder(t)
			direct, pooled := c.run(t, psql, dir, straight), c.run(t, psql, dir, p)
			if direct.exit != c.exit {
				t.Fatalf("direct: exit code %d, want %d; %s%s", direct.exit, c.exit, direct.stdout, direct.stderr)
			}
			if pooled.exit != direct.exit {
				t.Errorf("exit code %d, direct %d; %s", pooled.exit, direct.exit, pooled.stderr)
			}
			compare(t, "standard output", pooled.stdout, direct.stdout)
			if c.exit == 2 { // the message names the port
				return
			}
			compare(t, "standard error", pooled.stderr, direct.stderr)
		})
	}
}

// psqlRun is what a run of psql did.
type psqlRun struct {
	stdout, stderr string
	exit           int
}

func (c psqlCase) run(t *testing.T, psql, dir string, p *pooler) psqlRun {
	t.Helper()
	args := []string{"-X", "-h", p.host, "-p", strconv.Itoa(p.port), "-U", p.user, "-d", "fountain"}
	if c.script != "" {
		path := filepath.Join(dir, "script.sql")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(c.script, "%DIR%", dir)), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-f", path)
	}
	cmd := exec.CommandContext(within(t, patience), psql, append(args, c.args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PGSSLMODE=disable")
	cmd.Stdin = strings.NewReader(c.stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || !exit.Exited()) {
		t.Fatalf("psql: %v\n%s%s", err, &stdout, &stderr)
	}
	return psqlRun{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// compare fails at the first line that differs.
func compare(t *testing.T, what, pooled, direct string) {
	t.Helper()
	if pooled == direct {
		return
	}
	a, b := strings.Split(pooled, "\n"), strings.Split(direct, "\n")
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	line := func(lines []string) string {
		if i < len(lines) {
			return lines[i][:min(len(lines[i]), 300)]
		}
		return "(the end)"
	}
	t.Errorf("%s, line %d:\nthrough the pooler: %s\ndirect:             %s", what, i+1, line(a), line(b))
}
