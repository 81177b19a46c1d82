package workload

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pgbenchRunner runs scripts with the real pgbench.
type pgbenchRunner struct {
	path string
	url  string
	dir  string
}

func newPgbench(t *testing.T) *pgbenchRunner {
	t.Helper()
	c := Server(t)
	path := filepath.Join(c.BinDir(), "pgbench")
	if _, err := os.Stat(path); err != nil {
		if path, err = exec.LookPath("pgbench"); err != nil {
			t.Skip("pgbench is not installed beside the server: the tables of the other tests hold what it gave")
		}
	}
	return &pgbenchRunner{path: path, url: c.URL("postgres", "postgres"), dir: t.TempDir()}
}

// run runs a script once, and gives what pgbench says.
func (p *pgbenchRunner) run(t *testing.T, script string, args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(p.dir, "script.sql")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), p.path, append(append([]string{"-n", "-t", "1", "-f", file}, args...), p.url)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var shown = regexp.MustCompile(`(?m)^debug\(script=0,command=(\d+)\): (.*)$`)

// evaluateAll has pgbench evaluate expressions, which must have values, and gives them in debug's words.
func (p *pgbenchRunner) evaluateAll(t *testing.T, expressions []string) []string {
	t.Helper()
	var script strings.Builder
	for _, e := range expressions {
		fmt.Fprintf(&script, "\\set x debug(%s)\n", e)
	}
	script.WriteString("SELECT 1;\n")
	var args []string
	for name, value := range expressionVariables() {
		if value != "" { // which pgbench does not take
			args = append(args, "-D", name+"="+value)
		}
	}
	out, err := p.run(t, script.String(), args...)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var values []string
	for _, m := range shown.FindAllStringSubmatch(out, -1) {
		values = append(values, m[2])
	}
	return values
}

// agree compares pgbench's words with ours.
func agree(theirs, ours string) bool {
	return theirs == ours || theirs == "null" && ours == "NULL"
}

func TestAgainstPgbench(t *testing.T) {
	p := newPgbench(t)
	t.Run("values", func(t *testing.T) { compareValues(t, p) })
	t.Run("faults", func(t *testing.T) { compareFaults(t, p) })
}

// Expressions give what pgbench gives: those of the tables, and ones made up.
func compareValues(t *testing.T, p *pgbenchRunner) {
	var expressions []string
	for _, c := range values() {
		if !strings.Contains(c.expression, "debug(") { // which would be shown twice
			expressions = append(expressions, c.expression)
		}
	}
	made := madeUp(t, 2000)
	expressions = append(expressions, made...)
	theirs := p.evaluateAll(t, expressions)
	if len(theirs) != len(expressions) {
		t.Fatalf("%d values of %d expressions", len(theirs), len(expressions))
	}
	for i, e := range expressions {
		ours, err := compute(t, e, 1)
		if err != nil || !agree(theirs[i], ours) {
			t.Errorf("%s: %s, %v; pgbench says %s", e, ours, err, theirs[i])
		}
	}
}

// What has no value for us has none for pgbench, for the same reason.
func compareFaults(t *testing.T, p *pgbenchRunner) {
	for _, c := range faults() {
		out, err := p.run(t, "\\set x "+c.expression+"\nSELECT 1;\n", "-D", "word=hello", "-D", "big=99999999999999999999")
		if err == nil {
			t.Errorf("%s: pgbench says %s", c.expression, out)
		}
		if strings.HasPrefix(c.want, "the variable") {
			continue // said in other words
		}
		if !strings.Contains(out, c.want) {
			t.Errorf("%s: pgbench says %s", c.expression, out)
		}
	}
}

// madeUp makes expressions that have values: of everything that is computed exactly.
func madeUp(t *testing.T, n int) []string {
	r := rand.New(rand.NewPCG(11, 7))
	var all []string
	for len(all) < n {
		e := madeUpOne(r, 4)
		if _, err := compute(t, e, 1); err == nil {
			all = append(all, e)
		}
	}
	return all
}

func madeUpOne(r *rand.Rand, depth int) string {
	if depth == 0 {
		leaves := []string{"0", "1", "2", "3", "7", "-5", "100", "1.5", "2.25", "-0.5", "true", "false", "null", ":i", ":neg", ":d", ":t", "9223372036854775807"}
		return leaves[r.IntN(len(leaves))]
	}
	sub := func() string { return madeUpOne(r, r.IntN(depth)) }
	binary := []string{"+", "-", "*", "/", "%", "|", "&", "#", "<<", ">>", "=", "<>", "<", "<=", ">", ">=", "and", "or"}
	unary := []string{"-", "+", "~", "not "}
	calls := []string{"abs(%s)", "int(%s)", "double(%s)", "(%s)", "hash(%s, 3)", "hash_fnv1a(%s)", "permute(%s, 97, 5)", "sqrt(%s)"}
	pairs := []string{"least(%s, %s)", "greatest(%s, %s)", "mod(%s, %s)"}
	switch r.IntN(7) {
	case 0:
		return unary[r.IntN(len(unary))] + sub()
	case 1:
		return fmt.Sprintf(calls[r.IntN(len(calls))], sub())
	case 2:
		return fmt.Sprintf(pairs[r.IntN(len(pairs))], sub(), sub())
	case 3:
		return fmt.Sprintf("case when %s then %s else %s end", sub(), sub(), sub())
	case 4:
		return fmt.Sprintf("(%s) %s", sub(), []string{"is null", "is not true", "notnull", "isnull", "is false"}[r.IntN(5)])
	}
	return sub() + " " + binary[r.IntN(len(binary))] + " " + sub()
}
