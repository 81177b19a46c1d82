package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// pgxModule is a dependency of ours: go.mod names its version.
const pgxModule = "github.com/jackc/pgx/v5"

// runPgx runs the tests of pgx's packages, one package after the other. What is counted are Go's top-level tests and examples.
func runPgx(ctx context.Context, b *bed, mode string) (_ *result, err error) {
	s, err := b.prepareSource(ctx)
	if err != nil {
		return nil, err
	}
	src, err := b.copyPgx(ctx)
	if err != nil {
		return nil, err
	}
	keep, err := b.dir("pgx", mode)
	if err != nil {
		return nil, err
	}
	p, err := b.open(ctx, mode)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close(ctx, keep)) }()
	if err := p.layPgx(ctx, src, filepath.Join(keep, "setup.txt")); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(keep, "tests.json"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	r := &result{}
	for _, name := range pgxPackages() {
		g := goTests{src: src, pkg: name, env: p.pgxEnvironment(s), limit: b.limit, log: log}
		tests, err := g.run(ctx)
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", name, err)
		}
		r.Tests = append(r.Tests, tests...)
	}
	if reference, err := loadResult(filepath.Join(b.out, "pgx-"+direct, "result.json")); err == nil && reference != nil && mode != direct {
		r.complete(reference)
	}
	return r, nil
}

// copyPgx copies the module out of Go's cache: its tests are run as a module of its own, with the versions that its go.mod names.
func (b *bed) copyPgx(ctx context.Context) (string, error) {
	where, err := output(ctx, "go", "list", "-m", "-f", "{{.Version}} {{.Dir}}", pgxModule)
	if err != nil {
		return "", err
	}
	version, dir, _ := strings.Cut(where, " ")
	if dir == "" {
		if dir, err = output(ctx, "go", "mod", "download", "-json", pgxModule+"@"+version); err != nil {
			return "", err
		}
		var got struct{ Dir string }
		if err := json.Unmarshal([]byte(dir), &got); err != nil {
			return "", err
		}
		dir = got.Dir
	}
	src := filepath.Join(b.cache, "pgx_"+version)
	if _, err := os.Stat(filepath.Join(src, "go.mod")); err == nil {
		return src, nil
	}
	// Go's cache is read-only, and CopyFS keeps that from files only for the copies' owner.
	if err := errors.Join(os.RemoveAll(src), os.CopyFS(src, os.DirFS(dir))); err != nil {
		return "", err
	}
	return src, nil
}

// pgxPackages are pgx's packages whose tests work through a database. Of the others one test or none does.
func pgxPackages() []string {
	return []string{".", "./pgconn", "./pgtype", "./pgtype/zeronull", "./pgxpool", "./stdlib", "./tracelog"}
}

// layPgx makes the database and the roles that the tests ask for, as pgx's own CI does, straight on the server.
func (p *place) layPgx(ctx context.Context, src, log string) error {
	psql := filepath.Join(p.cluster.BinDir(), "psql")
	to := fmt.Sprintf("host=%s port=%d user=postgres sslmode=disable dbname=", p.cluster.Host(), p.cluster.Port())
	return errors.Join(
		command(ctx, log, src, environment(), psql, "-X", "-q", "-d", to+"postgres", "-c", "create database pgx_test"),
		command(ctx, log, src, environment(), psql, "-X", "-q", "-d", to+"pgx_test", "-f", "testsetup/postgresql_setup.sql"),
	)
}

// pgxEnvironment names the database to the tests, and the program of libpq that they compare a parser with. The connections of pgx's CI that are about methods of authentication
// and about TLS are left out: PostgreSQL and poolerd trust everybody here.
func (p *place) pgxEnvironment(s *source) []string {
	database := p.conninfo("pgx_md5", "pgx_test") + " password=secret"
	return append(s.environment(), "GOWORK=off", "GOFLAGS=",
		"PGX_TEST_DATABASE="+database, "PGX_TEST_TCP_CONN_STRING="+database, "PGX_TEST_PGBOUNCER_CONN_STRING="+database,
		"PGX_TEST_LIBPQ_URI_REGRESS="+filepath.Join(s.build, "src/interfaces/libpq/test/libpq_uri_regress"))
}

// goTests are the tests of one package.
type goTests struct {
	src, pkg string
	env      []string
	limit    time.Duration
	log      io.Writer // takes the events of go test
}

// event is a line of `go test -json`, see `go doc test2json`.
type event struct {
	Action, Test, Output string
}

// run runs the package. A test that hangs ends the whole package's process, so the others are run again without it and without those that have ended.
func (g *goTests) run(ctx context.Context) (tests []test, err error) {
	const tries = 6
	var done []string
	for range tries {
		events, runErr := g.once(ctx, done)
		ended, hanging := readEvents(events, g.limit)
		tests = append(tests, ended...)
		tests = append(tests, hanging...)
		if len(hanging) == 0 {
			if len(tests) == 0 {
				return nil, fmt.Errorf("no test was run: %w", runErr)
			}
			return tests, nil
		}
		for _, t := range append(ended, hanging...) {
			done = append(done, regexp.QuoteMeta(t.Name))
		}
	}
	return tests, nil
}

// once runs the tests that are not yet done.
func (g *goTests) once(ctx context.Context, done []string) ([]event, error) {
	args := []string{"test", "-json", "-count", "1", "-timeout", g.limit.String()}
	if len(done) > 0 {
		args = append(args, "-skip", "^("+strings.Join(done, "|")+")$")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, g.pkg)...)
	cmd.Dir, cmd.Env = g.src, g.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, g.log), g.log
	runErr := cmd.Run()
	var events []event
	for line := range bytes.Lines(out.Bytes()) {
		var e event
		if json.Unmarshal(line, &e) == nil {
			events = append(events, e)
		}
	}
	return events, errors.Join(runErr, ctx.Err())
}

// readEvents tells the top-level tests that have ended from those that hang, when the process was ended for that. All others have not begun, or had a test that hangs before them,
// and are neither.
func readEvents(events []event, limit time.Duration) (ended, hanging []test) {
	said := map[string]*strings.Builder{}
	for _, e := range events {
		name, _, _ := strings.Cut(e.Test, "/")
		switch {
		case e.Action == "output":
			if m := hangingTest.FindStringSubmatch(e.Output); m != nil {
				if age, err := time.ParseDuration(m[2]); err == nil && age > limit/2 {
					hanging = append(hanging, test{Name: m[1], Why: fmt.Sprintf("hangs: it was ended after %s", age)})
				}
			}
			if said[name] != nil {
				said[name].WriteString(e.Output)
			}
		case e.Test != name || name == "":
		case e.Action == "run":
			said[name] = &strings.Builder{}
		case e.Action == "pass":
			ended = append(ended, test{Name: name, OK: true})
		case e.Action == "skip":
			ended = append(ended, test{Name: name, Skip: true})
		case e.Action == "fail" && said[name] != nil:
			ended = append(ended, test{Name: name, Why: complaint(said[name].String())})
		}
	}
	for _, t := range hanging {
		ended = slices.DeleteFunc(ended, func(other test) bool { return other.Name == t.Name })
	}
	return ended, hanging
}

// hangingTest is how a test process that ran out of time names the tests that were running, with how long they had been.
var hangingTest = regexp.MustCompile(`^\t\t(\w+)\S* \((\w+)\)\n`)
