package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestPidFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "poolerd.pid")
	if stale, err := checkPidFile(path); stale || err != nil {
		t.Fatalf("no file: %v, %v", stale, err)
	}
	drop, err := writePidFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != strconv.Itoa(os.Getpid())+"\n" {
		t.Errorf("wrote %q, %v", text, err)
	}
	if _, err := writePidFile(path); err == nil {
		t.Error("the file of another process was overwritten")
	}
	drop()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file stays: %v", err)
	}
}

// TestPidFileInUse: whoever lives is let live; whoever is gone is not waited for.
func TestPidFileInUse(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, text string
		stale      bool
	}{
		{"alive", strconv.Itoa(os.Getppid()) + "\n", false},
		{"empty", "", false},
		{"garbage", "poolerd", false},
		{"gone", strconv.Itoa(gone.Process.Pid) + "\n", true},
		{"this process's own number", strconv.Itoa(os.Getpid()), true},
	} {
		path := filepath.Join(t.TempDir(), "poolerd.pid")
		if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		stale, err := checkPidFile(path)
		if stale != tc.stale || (err == nil) != tc.stale {
			t.Errorf("%s: stale %v, %v", tc.name, stale, err)
		}
		if err != nil && !strings.Contains(err.Error(), "exists, another instance running?") {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// TestPidFileOfAnother: a file that another process has written since is not ours to remove.
func TestPidFileOfAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "poolerd.pid")
	drop, err := writePidFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	drop()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
