package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// runPipeline runs libpq_pipeline as its TAP test does, and compares the messages that libpq traced with the expected ones: each trace is a test of its own.
func runPipeline(ctx context.Context, b *bed, mode string) (_ *result, err error) {
	s, err := b.prepareSource(ctx)
	if err != nil {
		return nil, err
	}
	keep, err := b.dir("pipeline", mode)
	if err != nil {
		return nil, err
	}
	p, err := b.open(ctx, mode)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close(ctx, keep)) }()
	binary := filepath.Join(s.build, "src/test/modules/libpq_pipeline/libpq_pipeline")
	list := exec.CommandContext(ctx, binary, "tests")
	list.Env = s.environment()
	names, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("%s tests: %w", binary, err)
	}
	r, conninfo := &result{}, p.conninfo("postgres", "postgres")
	newest := conninfo
	runs := strings.Fields(string(names))
	if s.major >= protocol32Since {
		newest += " max_protocol_version=latest"
		runs = append(runs, cancel30)
	}
	for _, name := range runs {
		trace := filepath.Join(keep, name+".trace")
		args := []string{"-r", "700", "-t", trace, name, newest}
		switch {
		case mode != direct && strings.HasPrefix(name, "cancel"):
			r.Tests = append(r.Tests, test{Name: name, Skip: true, Why: "looks in pg_stat_activity for the process id that its client was told, which is not a server's"})
			continue
		case name == cancel30:
			args = []string{"cancel", conninfo + " max_protocol_version=3.0"}
		}
		r.Tests = append(r.Tests, runProgram(ctx, name, b.limit, filepath.Join(keep, name+".txt"), s.environment(), binary, args...))
		expected := filepath.Join(s.src, "src/test/modules/libpq_pipeline/traces", name+".trace")
		if _, err := os.Stat(expected); err == nil {
			r.Tests = append(r.Tests, compareTrace(ctx, name+" trace", expected, trace))
		}
	}
	return r, nil
}

const (
	// protocol32Since is the first version whose libpq knows protocol 3.2.
	protocol32Since = 18

	// cancel30 is the test of cancel requests once more, by the protocol before.
	cancel30 = "cancel-3.0"
)

// runProgram is a test that passes when a program exits with 0 in time. What it printed is in log.
func runProgram(ctx context.Context, name string, limit time.Duration, log string, env []string, binary string, args ...string) test {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	writeErr := os.WriteFile(log, out, 0o644)
	switch {
	case ctx.Err() != nil:
		return test{Name: name, Why: fmt.Sprintf("hangs for longer than %s", limit)}
	case err != nil || writeErr != nil:
		return test{Name: name, Why: fmt.Sprintf("%v: %s", errors.Join(err, writeErr), lastLine(string(out)))}
	}
	return test{Name: name, OK: true}
}

// compareTrace is a test that passes when two files are equal.
func compareTrace(ctx context.Context, name, expected, got string) test {
	out, err := exec.CommandContext(ctx, "diff", "-U0", expected, got).CombinedOutput()
	if err == nil {
		return test{Name: name, OK: true}
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "@@") {
			_, after, _ := strings.Cut(string(out), line)
			first, _, _ := strings.Cut(after, "\n")
			return test{Name: name, Why: fmt.Sprintf("%q", first)}
		}
	}
	return test{Name: name, Why: fmt.Sprintf("%v: %s", err, lastLine(string(out)))}
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
