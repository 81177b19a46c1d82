package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// runRegress runs PostgreSQL's regression tests as its `make installcheck-parallel` does. The tests' files and programs are copied to where the server's user can read them:
// the server loads and writes some of them itself.
func runRegress(ctx context.Context, b *bed, mode string) (_ *result, err error) {
	s, err := b.prepareSource(ctx)
	if err != nil {
		return nil, err
	}
	keep, err := b.dir("regress", mode)
	if err != nil {
		return nil, err
	}
	p, err := b.open(ctx, mode)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close(ctx, keep)) }()
	if err := p.layRegress(s); err != nil {
		return nil, err
	}
	printed, runErr := p.pgRegress(ctx, b)
	if err := errors.Join(os.WriteFile(filepath.Join(keep, "printed.txt"), printed, 0o644), keepRegress(p.path("out"), keep)); err != nil {
		return nil, err
	}
	r, err := readRegress(printed, p.path("in/parallel_schedule"), filepath.Join(keep, "regression.diffs"))
	if err != nil {
		return nil, errors.Join(err, runErr)
	}
	return r, nil
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

// layRegress copies the tests and the programs into the place: in/ is what the source has, dl/ what the server loads, bin/ what is run, out/ for what is printed.
func (p *place) layRegress(s *source) error {
	regress := filepath.Join(s.src, "src/test/regress")
	if err := os.CopyFS(p.path("in"), os.DirFS(regress)); err != nil {
		return err
	}
	for _, sub := range []string{"dl", "bin", "lib", "out"} {
		if err := os.Mkdir(p.path(sub), 0o755); err != nil {
			return err
		}
	}
	if err := p.own(p.path("out")); err != nil {
		return err
	}
	for from, to := range map[string]string{
		"src/test/regress/regress.so":     "dl/regress.so",
		"contrib/spi/refint.so":           "dl/refint.so",
		"contrib/spi/autoinc.so":          "dl/autoinc.so",
		"src/test/regress/pg_regress":     "bin/pg_regress",
		"src/bin/psql/psql":               "bin/psql",
		"src/interfaces/libpq/libpq.so.5": "lib/libpq.so.5",
	} {
		if err := copyFile(filepath.Join(s.build, from), p.path(to)); err != nil {
			return err
		}
	}
	return nil
}

// pgRegress runs the whole schedule; its exit code tells no more than what it printed.
func (p *place) pgRegress(ctx context.Context, b *bed) ([]byte, error) {
	cmd := exec.CommandContext(ctx, p.path("bin/pg_regress"),
		"--bindir="+p.path("bin"), "--dlpath="+p.path("dl"), "--inputdir="+p.path("in"), "--outputdir="+p.path("out"),
		"--schedule="+p.path("in/parallel_schedule"), "--max-concurrent-tests=20",
		"--host="+p.host, "--port="+strconv.Itoa(p.port), "--user=postgres")
	cmd.Dir = p.path("out")
	cmd.Env = append(environment(), "LD_LIBRARY_PATH="+p.path("lib"), "PGSSLMODE=disable")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.who}
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := endHanging(cmd.Process.Pid, b.limit, b.log)
	defer stop()
	err := cmd.Wait()
	return printed.Bytes(), err
}

// keepRegress keeps what the tests printed.
func keepRegress(out, keep string) error {
	for _, name := range []string{"regression.diffs", "regression.out"} {
		if err := copyFile(filepath.Join(out, name), filepath.Join(keep, name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(out, "results")); err != nil {
		return nil
	}
	return os.CopyFS(filepath.Join(keep, "results"), os.DirFS(filepath.Join(out, "results")))
}

// regressLine is how pg_regress tells of a test: "test boolean ... ok 71 ms" up to PostgreSQL 15, TAP since.
var regressLine = regexp.MustCompile(`(?m)^(?:test +|     )(\w[\w.]*) +\.\.\. (ok|FAILED|failed)\b|^(ok|not ok) \d+ +[-+] (\w[\w.]*) `)

// readRegress takes the tests from the schedule, in its order, how they ended from what pg_regress printed, and why from the differences.
func readRegress(printed []byte, schedule, diffs string) (*result, error) {
	text, err := os.ReadFile(schedule)
	if err != nil {
		return nil, err
	}
	reasons, err := readDiffs(diffs)
	if err != nil {
		return nil, err
	}
	ended := map[string]bool{}
	for _, m := range regressLine.FindAllSubmatch(printed, -1) {
		ended[string(m[1])+string(m[4])] = string(m[2])+string(m[3]) == "ok"
	}
	if len(ended) == 0 {
		return nil, fmt.Errorf("pg_regress ran no test: %s", lastLines(string(printed)))
	}
	r := &result{}
	for line := range strings.Lines(string(text)) {
		names, ok := strings.CutPrefix(line, "test:")
		if !ok {
			continue
		}
		for _, name := range strings.Fields(names) {
			okay, known := ended[name]
			t := test{Name: name, OK: okay}
			switch {
			case !known:
				t.Why = "was not reached"
			case !okay:
				t.Why = reasons[name]
			}
			r.Tests = append(r.Tests, t)
		}
	}
	return r, nil
}

// readDiffs makes a line of each test's differences: how many there are, and the first that is more than a change of place.
func readDiffs(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	reasons := map[string]string{}
	for part := range strings.SplitSeq("\n"+string(text), "\ndiff ") {
		head, body, _ := strings.Cut(part, "\n")
		if fields := strings.Fields(head); len(fields) > 0 {
			reasons[strings.TrimSuffix(filepath.Base(fields[len(fields)-1]), ".out")] = summary(body)
		}
	}
	return reasons, nil
}

func summary(body string) string {
	added, removed, first, message := 0, 0, "", ""
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"):
		case strings.HasPrefix(line, "+"):
			added++
			if first == "" {
				first = line
			}
			if message == "" && (strings.Contains(line, "ERROR: ") || strings.Contains(line, "FATAL: ") || strings.Contains(line, "connection")) {
				message = line
			}
		case strings.HasPrefix(line, "-"):
			removed++
			if first == "" {
				first = line
			}
		}
	}
	if message == "" {
		message = first
	}
	return fmt.Sprintf("%d lines lack, %d are new: %s", removed, added, message)
}

func lastLines(text string) string {
	const most = 10
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
