package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"poolerd/bench/proc"
)

// machineLine names what the figures were measured on.
func machineLine(ctx context.Context, t *target, others ...string) string {
	parts := []string{
		fmt.Sprintf("%d cores (%s)", runtime.NumCPU(), proc.Model()),
		proc.System(),
		orUnknown(versionOf(ctx, t.pgbench, "pgbench ")),
	}
	if server, err := t.cluster.Psql(ctx, t.database, "SHOW server_version"); err == nil {
		parts = append(parts, "PostgreSQL "+strings.TrimSpace(server))
	}
	parts = append(parts, others...)
	return strings.Join(parts, " · ")
}

// loadAverage is the machine's own load before the first run: above about 0.3
// something else was running, or had just ended.
func loadAverage() string {
	load, _, _ := strings.Cut(proc.FirstLine("/proc/loadavg"), " ")
	return orUnknown(load)
}

// versionOf is the first line of PROGRAM --version that begins with prefix,
// empty if there is none: poolerd's first names the PgBouncer whose place it takes.
func versionOf(ctx context.Context, program, prefix string) string {
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, prefix) {
			return line
		}
	}
	return ""
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// raiseFileLimit lets this program and all that it starts open as many files
// as the machine allows, and refuses when that is fewer than are needed. Being
// set on purpose, the limit is inherited by child processes.
func raiseFileLimit(needed int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of open files to %d: %w", limit.Max, err)
	}
	if limit.Max < uint64(needed) {
		return fmt.Errorf("the limit of open files is %d, %d are needed: raise it (ulimit -Hn), or ask for fewer clients", limit.Max, needed)
	}
	return nil
}
