package postgres

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const debianBin = "/usr/lib/postgresql/15/bin"

var errNoNetwork = errors.New("no network")

// debian is a machine where apt-get can be run, by root.
func debian(t *testing.T) *fakeMachine {
	f := (&fakeMachine{root: true, etc: t.TempDir()}).with("/usr/bin", "apt-get")
	f.onFetch = func(string) error { return errNoNetwork }
	f.onRun = func(string) error { return errNoNetwork }
	return f
}

func TestInstallDebian(t *testing.T) {
	f := debian(t)
	settings := filepath.Join(f.etc, "postgresql-common", "createcluster.d", "poolerd.conf")
	f.onRun = func(command string) error {
		text, err := os.ReadFile(settings)
		if err != nil || !strings.Contains(string(text), "\ncreate_main_cluster = false\n") {
			t.Errorf("%s: the distribution would make a cluster: %q, %v", command, text, err)
		}
		if strings.Contains(command, " install ") {
			f.with(debianBin, serverBinaries()...)
		}
		return nil
	}
	got, err := f.machine().install(t.Context(), t.Logf)
	if err != nil || got != debianBin {
		t.Fatalf("got %q, %v", got, err)
	}
	want := []string{
		"apt-get update -q",
		"apt-get install -q -y --no-install-recommends postgresql postgresql-contrib",
	}
	if !slices.Equal(f.commands, want) {
		t.Fatalf("ran %q, want %q", f.commands, want)
	}
	if exists(settings) {
		t.Fatalf("%s is still there", settings)
	}
}

// TestInstallFetches: where apt-get fails, or cannot be used, the binaries are
// fetched.
func TestInstallFetches(t *testing.T) {
	fetches := func(f *fakeMachine) *fakeMachine {
		f.onFetch = func(dir string) error { f.with(dir+"/bin", serverBinaries()...); return nil }
		return f
	}
	notRoot := debian(t)
	notRoot.root = false
	for _, test := range []struct {
		name    string
		machine *fakeMachine
		want    []string
	}{
		{"root on Debian without a network for apt-get", fetches(debian(t)), []string{"apt-get update -q", "fetch " + fakeFetched}},
		{"not root", fetches(notRoot), []string{"fetch " + fakeFetched}},
		{"root elsewhere", fetches(&fakeMachine{root: true}), []string{"fetch " + fakeFetched}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.machine.machine().install(t.Context(), t.Logf)
			if err != nil || got != fakeFetched+"/bin" {
				t.Fatalf("got %q, %v", got, err)
			}
			if !slices.Equal(test.machine.commands, test.want) {
				t.Fatalf("did %q, want %q", test.machine.commands, test.want)
			}
			if again, err := test.machine.machine().find(t.Context()); err != nil || again != got {
				t.Fatalf("found afterwards: %q, %v", again, err)
			}
		})
	}
}

func TestInstallFails(t *testing.T) {
	f := debian(t)
	_, err := f.machine().install(t.Context(), t.Logf)
	if !errors.Is(err, errNoNetwork) || !strings.Contains(err.Error(), "set PG_BINDIR") {
		t.Fatalf("got %v", err)
	}
	f.onFetch = func(dir string) error { f.with(dir+"/bin", "initdb"); return nil }
	_, err = f.machine().install(t.Context(), t.Logf)
	if err == nil || !strings.Contains(err.Error(), "lacks [pg_ctl postgres]") {
		t.Fatalf("after half a download: %v", err)
	}
}

// TestPublish: of two processes that fetch at once, one comes second.
func TestPublish(t *testing.T) {
	root := t.TempDir()
	unpack := func(name string) string {
		bin := filepath.Join(root, name, "bin")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, "initdb"), []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
		return filepath.Dir(bin)
	}
	final := filepath.Join(root, "final")
	for _, name := range []string{"first", "second"} {
		if err := publish(unpack(name), final); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(final, "bin", "initdb")); err != nil || string(text) != "first" {
		t.Fatalf("the binaries are %q, %v", text, err)
	}
	if err := publish(filepath.Join(root, "absent"), filepath.Join(root, "nowhere")); err == nil {
		t.Fatal("nothing was published")
	}
}
