package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// installing bounds what fetches packages.
const installing = 5 * time.Minute

// errTool says that a client program cannot be had.
var errTool = errors.New("this client cannot be had")

// unavailable fails a test whose client cannot be had.
func unavailable(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("POOLERD_E2E_OPTIONAL") != "" {
		t.Skip(err)
	}
	t.Fatalf("%v (POOLERD_E2E_OPTIONAL=1 leaves such tests out)", err)
}

// program finds one of PostgreSQL's own clients, psql or pgbench.
func program(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(shared.BinDir(), name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		unavailable(t, fmt.Errorf("%w: %s is neither in %s nor on the PATH; install PostgreSQL's client programs", errTool, name, shared.BinDir()))
	}
	return path
}

// python is the interpreter of a virtual environment that has psycopg.
var python = sync.OnceValues(func() (string, error) {
	return environment("e2e-venv", filepath.Join("testdata", "requirements.txt"))
})

// environment gives the interpreter of a virtual environment in the user's cache
// that has what a file of requirements names. Python itself is installed by apt
// where it is missing.
func environment(folder, requirements string) (string, error) {
	requirements, err := filepath.Abs(requirements)
	if err != nil {
		return "", err
	}
	dir, err := cacheFolder(folder)
	if err != nil {
		return "", err
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	path := filepath.Join(dir, "bin", "python")
	pip := []string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements}
	if shell(path, append(pip, "--no-index")...) == nil {
		return path, nil
	}
	system, err := exec.LookPath("python3")
	if err != nil || shell(system, "-c", "import ensurepip, venv") != nil {
		if err := apt("python3", "python3-venv"); err != nil {
			return "", fmt.Errorf("%w: python3 with its venv module: %w", errTool, err)
		}
		system = "python3"
	}
	if err := shell(system, "-m", "venv", "--clear", dir); err != nil {
		return "", fmt.Errorf("%w: %s: %w", errTool, folder, err)
	}
	if err := shell(path, pip...); err != nil {
		return "", fmt.Errorf("%w: %s: %w", errTool, folder, err)
	}
	return path, nil
}

// runPython runs one of testdata's programs and returns what it printed.
func runPython(t *testing.T, limit time.Duration, script string, args ...string) []byte {
	t.Helper()
	interpreter, err := python()
	if err != nil {
		unavailable(t, err)
	}
	return runClient(t, limit, interpreter, append([]string{filepath.Join("testdata", script)}, args...)...)
}

// runClient runs a client program that must end well, and returns its standard
// output.
func runClient(t *testing.T, limit time.Duration, path string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(within(t, limit), path, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(path), strings.Join(args, " "), err, out, stderr.String())
	}
	return out
}

// shell runs a command of the installation; its output is part of the error.
func shell(path string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), installing)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", path, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// apt installs Debian's packages, which only root may do.
func apt(packages ...string) error {
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		return fmt.Errorf("install %s by hand: this is not root on Debian", strings.Join(packages, " and "))
	}
	if err := shell("apt-get", "update", "-qq"); err != nil {
		return err
	}
	return shell("apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)...)
}

// cacheFolder is a place for what the tests install, in the user's cache.
func cacheFolder(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "poolerd", name)
	return dir, os.MkdirAll(filepath.Dir(dir), 0o755)
}

// lock waits until no other process installs the same.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
