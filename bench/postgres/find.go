package postgres

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoBinaries means that no PostgreSQL server is installed where Find looks.
var ErrNoBinaries = errors.New("no PostgreSQL server binaries found")

// Find returns the folder of the newest server binaries at hand: PG_BINDIR if
// it is set (and then nothing else), what `pg_config --bindir` says, PATH,
// /usr/lib/postgresql/*/bin, and what Install fetched before. A folder counts
// if it holds initdb, pg_ctl and postgres: pg_config alone often comes with a
// client library, and PATH may hold a stray one of the three.
//
// The error tells what was looked at. It is ErrNoBinaries if an installation
// would help, and another one for a PG_BINDIR that is wrong.
func Find(ctx context.Context) (bindir string, err error) {
	return systemMachine().find(ctx)
}

// machine is what finding and installing ask of the computer: the real one, or
// a test's.
type machine struct {
	getenv func(name string) string
	// executable tells whether path is a file that can be run.
	executable func(path string) bool
	glob       func(pattern string) ([]string, error)
	// output runs a command and returns its standard output.
	output func(ctx context.Context, name string, args ...string) (string, error)
	// run runs a command; its output is part of the error.
	run func(ctx context.Context, name string, args ...string) error
	// cacheDir is where fetched binaries may stay.
	cacheDir func() (string, error)
	// fetch downloads server binaries into dir/bin.
	fetch func(ctx context.Context, dir string, log func(string, ...any)) error
	root  bool
	// etc is where Debian's packages keep their settings: /etc.
	etc string
}

func systemMachine() machine {
	return machine{
		getenv:     os.Getenv,
		executable: isExecutable,
		glob:       filepath.Glob,
		output:     commandOutput,
		run:        runCommand,
		cacheDir:   cacheDir,
		fetch:      fetchEmbedded,
		root:       os.Geteuid() == 0,
		etc:        "/etc",
	}
}

func (m machine) find(ctx context.Context) (string, error) {
	if dir := m.getenv("PG_BINDIR"); dir != "" {
		if missing := m.missing(dir); len(missing) > 0 {
			return "", fmt.Errorf("PG_BINDIR=%s: no %s there: set it to the folder of PostgreSQL's server binaries, or unset it to have them looked for",
				dir, strings.Join(missing, ", "))
		}
		return filepath.Abs(dir)
	}
	var seen []string
	for _, dir := range m.candidates(ctx) {
		missing := m.missing(dir)
		if len(missing) == 0 {
			return m.home(dir), nil
		}
		if len(missing) < len(serverBinaries()) {
			seen = append(seen, fmt.Sprintf("%s has no %s", dir, strings.Join(missing, ", ")))
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if len(seen) > 0 {
		return "", fmt.Errorf("%w by PG_BINDIR, pg_config, PATH, or in /usr/lib/postgresql (%s)", ErrNoBinaries, strings.Join(seen, "; "))
	}
	return "", fmt.Errorf("%w by PG_BINDIR, pg_config, PATH, or in /usr/lib/postgresql", ErrNoBinaries)
}

// candidates are the folders to look at, best first, some of them twice.
func (m machine) candidates(ctx context.Context) []string {
	var dirs []string
	if out, err := m.output(ctx, "pg_config", "--bindir"); err == nil && strings.TrimSpace(out) != "" {
		dirs = append(dirs, strings.TrimSpace(out))
	}
	for _, dir := range filepath.SplitList(m.getenv("PATH")) {
		// A relative entry is not a place to run a server from.
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	// The pattern is a constant, and the only error is one in the pattern.
	debian, _ := m.glob("/usr/lib/postgresql/*/bin")
	dirs = append(dirs, newestFirst(debian)...)
	if dir, err := m.fetchedDir(); err == nil {
		dirs = append(dirs, filepath.Join(dir, "bin"))
	}
	return dirs
}

// newestFirst sorts .../VERSION/bin folders by their version, as a number.
func newestFirst(dirs []string) []string {
	version := func(dir string) float64 {
		v, err := strconv.ParseFloat(filepath.Base(filepath.Dir(dir)), 64)
		if err != nil {
			return -1
		}
		return v
	}
	sorted := slices.Clone(dirs)
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	return sorted
}

func serverBinaries() []string { return []string{"initdb", "pg_ctl", "postgres"} }

// missing are the binaries that a server needs and dir does not hold.
func (m machine) missing(dir string) []string {
	return slices.DeleteFunc(serverBinaries(), func(name string) bool {
		return m.executable(filepath.Join(dir, name))
	})
}

// home is the folder that dir's binaries are links into, if it is one: there,
// and not in a folder of links, are pgbench, psql and the others too.
func (m machine) home(dir string) string {
	real, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
	if err != nil {
		return dir
	}
	if target := filepath.Dir(real); len(m.missing(target)) == 0 {
		return target
	}
	return dir
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

func commandOutput(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	return string(out), err
}

func runCommand(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.Writer(&out)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(append([]string{name}, args...), " "), err, tail(out.String()))
	}
	return nil
}
