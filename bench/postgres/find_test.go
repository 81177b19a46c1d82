package postgres

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeMachine is a machine with the given binaries, and no others.
type fakeMachine struct {
	env      map[string]string
	pgConfig string // what pg_config --bindir prints; "" means there is none
	files    map[string]bool
	commands []string // those that were run
	onRun    func(command string) error
	onFetch  func(dir string) error
	root     bool
	etc      string
}

// with adds binaries, each named by its path.
func (f *fakeMachine) with(dir string, names ...string) *fakeMachine {
	if f.files == nil {
		f.files = map[string]bool{}
	}
	for _, name := range names {
		f.files[filepath.Join(dir, name)] = true
	}
	return f
}

func (f *fakeMachine) machine() machine {
	return machine{
		getenv:     func(name string) string { return f.env[name] },
		executable: func(path string) bool { return f.files[path] },
		glob: func(pattern string) ([]string, error) {
			var found []string
			for path := range f.files {
				dir := filepath.Dir(path)
				if ok, err := filepath.Match(pattern, dir); err != nil {
					return nil, err
				} else if ok && !slices.Contains(found, dir) {
					found = append(found, dir)
				}
			}
			slices.Sort(found)
			return found, nil
		},
		output: func(_ context.Context, name string, args ...string) (string, error) {
			if f.pgConfig == "" || name != "pg_config" || !slices.Equal(args, []string{"--bindir"}) {
				return "", os.ErrNotExist
			}
			return f.pgConfig + "\n", nil
		},
		run: func(_ context.Context, name string, args ...string) error {
			command := strings.Join(append([]string{name}, args...), " ")
			f.commands = append(f.commands, command)
			return f.onRun(command)
		},
		cacheDir: func() (string, error) { return "/fake/cache", nil },
		fetch: func(_ context.Context, dir string, _ func(string, ...any)) error {
			f.commands = append(f.commands, "fetch "+dir)
			return f.onFetch(dir)
		},
		root: f.root,
		etc:  f.etc,
	}
}

const fakeFetched = "/fake/cache/poolerd/postgresql-" + string(fetchedVersion)

func TestFind(t *testing.T) {
	all := serverBinaries()
	path := map[string]string{"PATH": "/fake/one:relative:/fake/two"}
	for _, test := range []struct {
		name    string
		machine *fakeMachine
		want    string
	}{
		{
			"PG_BINDIR before all others",
			(&fakeMachine{env: map[string]string{"PG_BINDIR": "/fake/mine", "PATH": "/fake/one"}, pgConfig: "/fake/config"}).
				with("/fake/mine", all...).with("/fake/one", all...).with("/fake/config", all...),
			"/fake/mine",
		},
		{
			"pg_config before PATH",
			(&fakeMachine{env: path, pgConfig: "/fake/config"}).with("/fake/config", all...).with("/fake/one", all...),
			"/fake/config",
		},
		{
			"pg_config of a client library alone",
			(&fakeMachine{env: path, pgConfig: "/fake/config"}).with("/fake/config", "psql").with("/fake/two", all...),
			"/fake/two",
		},
		{
			"a lone postgres in PATH",
			(&fakeMachine{env: path}).with("/fake/one", "postgres").with("/fake/two", all...),
			"/fake/two",
		},
		{
			"a relative folder in PATH is none",
			(&fakeMachine{env: path}).with("relative", all...).with("/usr/lib/postgresql/15/bin", all...),
			"/usr/lib/postgresql/15/bin",
		},
		{
			"the newest of a distribution, by number",
			(&fakeMachine{env: path}).with("/usr/lib/postgresql/9.6/bin", all...).with("/usr/lib/postgresql/14/bin", all...).
				with("/usr/lib/postgresql/16/bin", "psql", "initdb"),
			"/usr/lib/postgresql/14/bin",
		},
		{
			"fetched before",
			(&fakeMachine{env: path}).with(fakeFetched+"/bin", all...),
			fakeFetched + "/bin",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.machine.machine().find(t.Context())
			if err != nil || got != test.want {
				t.Fatalf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func TestFindNothing(t *testing.T) {
	f := (&fakeMachine{env: map[string]string{"PATH": "/fake/one:/fake/two"}}).with("/fake/one", "postgres")
	_, err := f.machine().find(t.Context())
	if !errors.Is(err, ErrNoBinaries) || !strings.Contains(err.Error(), "/fake/one has no initdb, pg_ctl") {
		t.Fatalf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.machine().find(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("with an ended context: %v", err)
	}
}

// TestWrongBindir: who sets PG_BINDIR means it, so nothing else is tried.
func TestWrongBindir(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "postgres"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "initdb"), nil, 0o644); err != nil { // cannot be run
		t.Fatal(err)
	}
	t.Setenv("PG_BINDIR", dir)
	want := "PG_BINDIR=" + dir + ": no initdb, pg_ctl there: set it to the folder of PostgreSQL's server binaries, or unset it to have them looked for"
	_, err := Start(t.Context(), Options{})
	if err == nil || err.Error() != want || errors.Is(err, ErrNoBinaries) {
		t.Fatalf("got %v, want %s", err, want)
	}
}

// TestFindBehindLinks: a folder of links leads to the folder with the rest.
func TestFindBehindLinks(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	realDir, links := filepath.Join(root, "real"), filepath.Join(root, "links")
	for _, dir := range []string{realDir, links} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range serverBinaries() {
		if err := os.WriteFile(filepath.Join(realDir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(realDir, name), filepath.Join(links, name)); err != nil {
			t.Fatal(err)
		}
	}
	m := systemMachine()
	m.output = func(context.Context, string, ...string) (string, error) { return "", os.ErrNotExist }
	m.getenv = func(name string) string { return map[string]string{"PATH": links}[name] }
	if got, err := m.find(t.Context()); err != nil || got != realDir {
		t.Fatalf("got %s, %v; want %s", got, err, realDir)
	}
}

func TestNewestFirst(t *testing.T) {
	got := newestFirst([]string{"/p/10/bin", "/p/9.6/bin", "/p/odd/bin", "/p/18/bin"})
	if want := []string{"/p/18/bin", "/p/10/bin", "/p/9.6/bin", "/p/odd/bin"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}
