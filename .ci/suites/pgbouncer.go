package main

import (
	"context"
	_ "embed"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"poolerd/bench/postgres"
	"poolerd/bench/proc"
)

// pooled is the mode of PgBouncer's suite in which poolerd stands in for PgBouncer; direct is PgBouncer itself, the program in the checkout.
const pooled = "poolerd"

// runPgbouncer runs PgBouncer's own pytest suite, which starts a PgBouncer for each test, with settings of its own.
func runPgbouncer(ctx context.Context, b *bed, mode string) (_ *result, err error) {
	c, err := openCheckout(b.pgbouncer)
	if err != nil {
		return nil, err
	}
	keep, err := b.dir("pgbouncer", mode)
	if err != nil {
		return nil, err
	}
	binary := b.poolerd
	if mode == direct {
		binary = c.path("pgbouncer")
	}
	bench, err := c.lay(ctx, binary)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(bench.dir)) }()
	for _, name := range []string{"openssl", "slapd", "socat"} {
		if _, err := exec.LookPath(name); err != nil {
			b.log("%s is not on PATH: the tests that need it will fail", name)
		}
	}
	if mode == pooled {
		bench.leaveOut(noTakeOver, "test_operations.py::test_online_restart", "test_operations.py::test_scram_takeover")
	}
	python, err := b.python(ctx, c, bench.who, filepath.Join(keep, "python.txt"))
	if err != nil {
		return nil, err
	}
	report := filepath.Join(bench.dir, "report.xml")
	runErr := bench.pytest(ctx, b, python, report, filepath.Join(keep, "pytest.txt"))
	text, err := os.ReadFile(report)
	if err != nil {
		return nil, errors.Join(runErr, err)
	}
	if err := os.WriteFile(filepath.Join(keep, "report.xml"), text, 0o644); err != nil {
		return nil, err
	}
	tests, err := readReport(text)
	if err != nil {
		return nil, err
	}
	r := &result{Tests: append(tests, bench.leftOut...)}
	if mode == pooled {
		r.Known, err = readKnown(knownFailures)
	}
	return r, err
}

// noTakeOver is why the tests of -R are left out: they wait forever for a process that does not end.
const noTakeOver = "sockets are not taken over from a running process (-R), which PgBouncer advises against: so_reuseport takes its place"

// leaveOut keeps tests from being run.
func (w *workbench) leaveOut(why string, names ...string) {
	for _, name := range names {
		w.leftOut = append(w.leftOut, test{Name: name, Skip: true, Why: why})
	}
}

// checkout is PgBouncer's source.
type checkout struct{ dir string }

func openCheckout(dir string) (*checkout, error) {
	if dir == "" {
		return nil, errors.New("-pgbouncer names no folder: a checkout of PgBouncer at tag pgbouncer_1_25_2 is needed, with PgBouncer built in it for mode direct")
	}
	c := &checkout{dir}
	for _, name := range []string{"test/conftest.py", "include/bouncer.h", "pyproject.toml", "requirements.txt"} {
		if _, err := os.Stat(c.path(name)); err != nil {
			return nil, fmt.Errorf("-pgbouncer %s is no checkout of PgBouncer: %w", dir, err)
		}
	}
	return c, nil
}

func (c *checkout) path(name string) string { return filepath.Join(c.dir, filepath.FromSlash(name)) }

// workbench is a copy of the suite, with all that it reads outside its own folder, for the user that runs it: initdb refuses root.
type workbench struct {
	dir     string
	bindir  string // PostgreSQL's
	who     *syscall.Credential
	account string // the name of who runs it
	sandbox sandbox
	leftOut []test // what cannot be run on this machine
}

// lay makes the workbench, outside /tmp, which the sandbox hides. Its path is short: the tests' folders hold Unix sockets.
func (c *checkout) lay(ctx context.Context, binary string) (_ *workbench, err error) {
	w := &workbench{}
	if w.bindir, err = postgres.Find(ctx); err != nil {
		return nil, err
	}
	if w.who, err = proc.Unprivileged(); err != nil {
		return nil, err
	}
	uid := os.Getuid()
	if w.who != nil {
		uid = int(w.who.Uid)
	}
	account, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return nil, err
	}
	w.account = account.Username
	if w.dir, err = os.MkdirTemp("/var/tmp", "pgb-*"); err != nil {
		return nil, err
	}
	if err := os.Chmod(w.dir, 0o755); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(w.dir))
		}
	}()
	if err := os.CopyFS(w.path("test"), os.DirFS(c.path("test"))); err != nil {
		return nil, err
	}
	for _, sub := range []string{"include", "bin", "tmp"} {
		if err := os.Mkdir(w.path(sub), 0o755); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(
		copyFile(c.path("include/bouncer.h"), w.path("include/bouncer.h")),
		copyFile(c.path("pyproject.toml"), w.path("pyproject.toml")),
		copyFile(binary, w.path("pgbouncer")),
		os.Chmod(w.path("pgbouncer"), 0o755),
		// What PgBouncer was built with decides which tests are run; poolerd has all of it.
		os.WriteFile(w.path("config.mak"), []byte("ldap_support = yes\ntls_support = yes\n"), 0o644),
	); err != nil {
		return nil, err
	}
	if err := os.Chmod(w.path("tmp"), 0o777|os.ModeSticky); err != nil {
		return nil, err
	}
	w.sandbox = newSandbox(ctx, w.who, w.path("tmp"))
	if err := w.laySudo(); err != nil {
		return nil, err
	}
	return w, w.own()
}

func (w *workbench) path(name string) string { return filepath.Join(w.dir, name) }

// own hands everything to the user that runs the suite.
func (w *workbench) own() error {
	if w.who == nil {
		return nil
	}
	return filepath.WalkDir(w.dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, int(w.who.Uid), int(w.who.Gid)))
	})
}

// pytest runs the suite. The error is about tests that failed as well: what counts is the report.
func (w *workbench) pytest(ctx context.Context, b *bed, python, report, log string) error {
	out, err := os.Create(log)
	if err != nil {
		return err
	}
	defer out.Close()
	args := []string{
		python, "-m", "pytest", "-q", "-n", fmt.Sprint(b.workers), "--timeout", fmt.Sprint(int(b.limit / time.Second)), "-p", "no:cacheprovider",
		"--basetemp", w.path("t"), "--junitxml", report,
		"--tb", "native", "--no-showlocals", // the suite's own choice makes Python 3.11 stumble: "AST constructor recursion depth mismatch", which ends the whole run
	}
	for _, t := range w.leftOut {
		args = append(args, "--deselect", "test/"+t.Name)
	}
	if b.only != "" {
		args = append(args, "-k", b.only)
	}
	cmd := w.sandbox.command(ctx, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = w.dir, out, out
	cmd.Env = w.environment()
	return cmd.Run()
}

// tmpdir is where the suite finds the workbench's tmp.
func (w *workbench) tmpdir() string {
	if w.sandbox.own {
		return "/tmp"
	}
	return w.path("tmp")
}

func (w *workbench) environment() []string {
	var env []string
	for _, entry := range environment() {
		name, _, _ := strings.Cut(entry, "=")
		switch name {
		case "PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "LC_ALL":
		default:
			if !strings.HasPrefix(name, "PYTHON") && !strings.HasPrefix(name, "PYTEST") && !strings.HasPrefix(name, "POOLERD_") {
				env = append(env, entry)
			}
		}
	}
	env = append(env, "PATH="+w.path("bin")+":"+w.bindir+":/usr/local/sbin:/usr/sbin:/sbin:"+os.Getenv("PATH"), "HOME="+w.dir, "TMPDIR="+w.tmpdir(),
		"USER="+w.account, "LOGNAME="+w.account, "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1", "HAVE_IPV6_LOCALHOST=1")
	if w.sandbox.drops {
		env = append(env, "USE_SUDO=1")
	}
	return env
}

//go:embed pgbouncer.known
var knownFailures string

// readKnown reads the list of the tests that poolerd is known to fail: "test_file.py::test_name: reason" in each line, and lines that begin with "#".
func readKnown(text string) (map[string]string, error) {
	known := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, reason, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, fmt.Errorf("pgbouncer.known: %q lacks a reason", line)
		}
		known[name] = reason
	}
	return known, nil
}

// readReport reads pytest's report in JUnit's format. A test that fails while it is set up or cleaned up is in it twice.
func readReport(text []byte) ([]test, error) {
	var report struct {
		Suites []struct {
			Cases []struct {
				Class   string  `xml:"classname,attr"`
				Name    string  `xml:"name,attr"`
				Failure *remark `xml:"failure"`
				Error   *remark `xml:"error"`
				Skipped *remark `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &report); err != nil {
		return nil, fmt.Errorf("pytest's report: %w", err)
	}
	var tests []test
	at := map[string]int{}
	for _, s := range report.Suites {
		for _, c := range s.Cases {
			t := test{Name: strings.TrimPrefix(c.Class, "test.") + ".py::" + c.Name, OK: true}
			switch {
			case c.Failure != nil:
				t.OK, t.Why = false, shorten(c.Failure.Message)
			case c.Error != nil:
				t.OK, t.Why = false, shorten(c.Error.Message)
			case c.Skipped != nil:
				t.OK, t.Skip, t.Why = false, true, shorten(c.Skipped.Message)
			}
			if i, twice := at[t.Name]; twice {
				if tests[i].OK {
					tests[i] = t
				}
				continue
			}
			at[t.Name] = len(tests)
			tests = append(tests, t)
		}
	}
	if len(tests) == 0 {
		return nil, errors.New("pytest's report has no test")
	}
	return tests, nil
}

type remark struct {
	Message string `xml:"message,attr"`
}
