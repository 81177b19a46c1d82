package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// python makes a virtual environment with what a checkout's requirements.txt lists, for a user, and gives the path of its interpreter. One that was made before for the
// same list is used again.
func (b *bed) python(ctx context.Context, c *checkout, who *syscall.Credential, log string) (string, error) {
	home := b.cache
	if who != nil && !mayRun(ctx, who, "test", "-x", home) {
		home = "/var/cache/poolerd-suites" // root's own cache is closed to others
	}
	dir := filepath.Join(home, "pgbouncer-python")
	interpreter, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "requirements.txt")
	wanted, err := os.ReadFile(c.path("requirements.txt"))
	if err != nil {
		return "", err
	}
	if have, err := os.ReadFile(done); err == nil && bytes.Equal(have, wanted) && mayRun(ctx, who, interpreter, "-c", "import pytest") {
		return interpreter, nil
	}
	system, err := systemPython(ctx, who)
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(home, 0o755)); err != nil {
		return "", err
	}
	if err := command(ctx, log, "/", os.Environ(), system, "-m", "venv", dir); err != nil {
		return "", err
	}
	if err := command(ctx, log, "/", os.Environ(), interpreter, "-m", "pip", "install", "-q", "-r", c.path("requirements.txt")); err != nil {
		return "", err
	}
	// psycopg takes the machine's libpq, and brings its own only where there is none.
	if !mayRun(ctx, who, interpreter, "-c", "import psycopg") {
		if err := command(ctx, log, "/", os.Environ(), interpreter, "-m", "pip", "install", "-q", "psycopg[binary]"); err != nil {
			return "", err
		}
	}
	return interpreter, os.WriteFile(done, wanted, 0o644)
}

// systemPython is the first python3 on PATH that the user may run and that can make virtual environments.
func systemPython(ctx context.Context, who *syscall.Credential) (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin") {
		path := filepath.Join(dir, "python3")
		// The path as it is given by Python: a link into a folder that the user may not enter is of no use.
		if mayRun(ctx, who, path, "-c", "import ensurepip, venv") {
			return path, nil
		}
	}
	return "", fmt.Errorf("no python3 on PATH that %s may run and that has venv: install python3 and python3-venv", nameOf(who))
}

func nameOf(who *syscall.Credential) string {
	if who == nil {
		return "this user"
	}
	return fmt.Sprintf("the user %d", who.Uid)
}

// mayRun tells whether a user can run a program with success.
func mayRun(ctx context.Context, who *syscall.Credential, name string, args ...string) bool {
	if _, err := os.Stat(name); strings.ContainsRune(name, '/') && err != nil {
		return false
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: who}
	return cmd.Run() == nil
}
