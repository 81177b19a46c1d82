// Suites runs the tests of outsiders against a poolerd that knows nothing of them: PostgreSQL's regression tests, libpq_pipeline's, and pgx's own. Each suite runs
// straight against PostgreSQL, then through poolerd in transaction and in session mode, each time with a new cluster, and a table tells what differs:
//
//	go run ./.ci/suites                                   everything, with bin/poolerd
//	go run ./.ci/suites -suite regress -mode transaction  one suite in one mode, beside the last run without a pooler
//
// PgBouncer's own suite is run when it is asked for. It starts the pooler itself, so that its modes are poolerd in PgBouncer's place, and PgBouncer itself:
//
//	go run ./.ci/suites -suite pgbouncer -pgbouncer CHECKOUT -mode poolerd
//
// Nothing of the suites is kept in this tree. PostgreSQL's source is the package of the installed server's very version, from where apt has the server, or of any version in
// a folder, beside a server of the same major version:
//
//	PG_BINDIR=/usr/local/pgsql/bin go run ./.ci/suites -suite regress,pipeline -source ../postgresql-18.1
//
// pgx is the version that go.mod names. What was fetched and built stays in the folder that POOLERD_SUITES_CACHE names, else in poolerd/suites of the user's cache.
//
// What a run leaves behind is in -out: regress-transaction/regression.diffs, the logs of poolerd and of the server, and the results as JSON. The exit code is 1 when
// a suite passes less than it has to (least), or could not be run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// modes are the ways to the server, in the order in which they are run: the others are compared with the first.
var modes = []string{direct, "transaction", "session"}

// direct is the mode without a pooler.
const direct = "direct"

// suite is one outsider's tests.
type suite struct {
	name string
	// run runs all tests of the suite in one mode. The error is about what kept them from being run; a test that fails is a result.
	run func(context.Context, *bed, string) (*result, error)
	// least is how many tests have to pass in a mode; 0 is as many as direct.
	least map[string]int
	modes []string // in which it can be run; nil is modes
}

// modesOf are the modes of a suite.
func (s suite) modesOf() []string {
	if s.modes != nil {
		return s.modes
	}
	return modes
}

// suites are those that there are. What they have to pass is what the project promises in CONTRIBUTING.md.
func suites() []suite {
	return []suite{
		{name: "regress", run: runRegress, least: map[string]int{direct: 215, "transaction": 205, "session": 213}},
		{name: "pipeline", run: runPipeline, least: map[string]int{"transaction": 0, "session": 0}},
		{name: "pgx", run: runPgx, least: map[string]int{"transaction": 860, "session": 860}},
		{name: "pgbouncer", run: runPgbouncer, least: map[string]int{pooled: 220}, modes: []string{direct, pooled}},
	}
}

// bed is the test bed: what all runs share.
type bed struct {
	poolerd  string        // the binary under test
	cache    string        // what was fetched and built
	out      string        // what the runs leave behind
	source   string        // PostgreSQL's source; "" is that of the installed package
	poolSize int           // servers a pool
	limit    time.Duration // after which a test hangs
	settings string        // further lines of poolerd's [pgbouncer] section
	log      func(format string, args ...any)

	pgbouncer string // a checkout of PgBouncer
	workers   int    // tests of PgBouncer's suite at a time
	only      string // those of them that are run, an expression for pytest -k; "" is all
}

// dir makes the folder of what one run leaves behind, empty.
func (b *bed) dir(suite, mode string) (string, error) {
	dir := filepath.Join(b.out, suite+"-"+mode)
	return dir, errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755))
}

func main() {
	var (
		wantSuites = flag.String("suite", "regress,pipeline,pgx", "the suites to run, comma-separated")
		wantModes  = flag.String("mode", strings.Join(modes, ","), "how: direct, transaction, session; of PgBouncer's suite direct, poolerd; one left out is taken from the last run if there is one")
		set        = flag.String("set", "", "further settings of poolerd, `key=value` with semicolons between them")
		b          = bed{log: func(format string, args ...any) { fmt.Fprintf(os.Stderr, "suites: "+format+"\n", args...) }}
	)
	flag.StringVar(&b.poolerd, "poolerd", "bin/poolerd", "the `binary` under test")
	flag.StringVar(&b.out, "out", "bin/suites", "the `folder` for results, differences and logs")
	flag.StringVar(&b.source, "source", "", "the `folder` of PostgreSQL's source, of the major version of the server that is found (see PG_BINDIR); without it apt has to have that of the installed server")
	flag.IntVar(&b.poolSize, "pool-size", 30, "servers of each pool")
	flag.DurationVar(&b.limit, "limit", 2*time.Minute, "time after which a test is held to hang, and is ended")
	flag.StringVar(&b.pgbouncer, "pgbouncer", "", "the `folder` of PgBouncer's source at tag pgbouncer_1_25_2, for its suite")
	flag.IntVar(&b.workers, "workers", 4, "tests of PgBouncer's suite at a time: most of them wait most of the time")
	flag.StringVar(&b.only, "only", "", "of PgBouncer's suite, the tests that this `expression` of pytest -k names")
	flag.Parse()
	b.settings = strings.ReplaceAll(*set, ";", "\n")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.runAll(ctx, strings.Split(*wantSuites, ","), strings.Split(*wantModes, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "suites:", err)
		os.Exit(1)
	}
}

// runAll runs the named suites in the named modes and prints the table.
func (b *bed) runAll(ctx context.Context, wantSuites, wantModes []string) error {
	if err := b.prepare(wantSuites, wantModes); err != nil {
		return err
	}
	var all []*result
	var broken []error
	for _, s := range suites() {
		if !slices.Contains(wantSuites, s.name) {
			continue
		}
		for _, mode := range s.modesOf() {
			r, err := b.runOne(ctx, s, mode, slices.Contains(wantModes, mode))
			if err != nil {
				broken = append(broken, fmt.Errorf("%s, %s: %w", s.name, mode, err))
			}
			if r != nil {
				all = append(all, r)
			}
		}
	}
	printTable(os.Stdout, all)
	return errors.Join(append(broken, judge(all)...)...)
}

// runOne runs a suite in a mode, or brings the result of the last such run where it is not wanted again: nil if there was none.
func (b *bed) runOne(ctx context.Context, s suite, mode string, wanted bool) (*result, error) {
	kept := filepath.Join(b.out, s.name+"-"+mode, "result.json")
	if !wanted {
		return loadResult(kept)
	}
	b.log("%s, %s", s.name, mode)
	started := time.Now()
	r, err := s.run(ctx, b, mode)
	if err != nil {
		return nil, err
	}
	r.Suite, r.Mode, r.Seconds = s.name, mode, time.Since(started).Seconds()
	return r, r.save(kept)
}

// prepare checks what was asked for, and makes paths absolute: the suites run in folders of their own.
func (b *bed) prepare(wantSuites, wantModes []string) error {
	var known []string
	for _, s := range suites() {
		known = append(known, s.name)
	}
	for _, name := range wantSuites {
		if !slices.Contains(known, name) {
			return fmt.Errorf("-suite %s: not one of %s", name, strings.Join(known, ", "))
		}
	}
	for _, name := range wantModes {
		if all := append(slices.Clone(modes), pooled); !slices.Contains(all, name) {
			return fmt.Errorf("-mode %s: not one of %s", name, strings.Join(all, ", "))
		}
	}
	if b.cache = os.Getenv("POOLERD_SUITES_CACHE"); b.cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("set POOLERD_SUITES_CACHE to a folder: %w", err)
		}
		b.cache = filepath.Join(dir, "poolerd", "suites")
	}
	for _, path := range []*string{&b.cache, &b.out, &b.poolerd, &b.source, &b.pgbouncer} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute
	}
	if info, err := os.Stat(b.poolerd); err != nil || info.IsDir() {
		return fmt.Errorf("-poolerd %s: not a program; build it with make build, or name another one", b.poolerd)
	}
	return errors.Join(os.MkdirAll(b.cache, 0o755), os.MkdirAll(b.out, 0o755))
}
