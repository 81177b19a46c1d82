package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestVersions: of poolerd the report names its own version, not PgBouncer's, which comes first.
func TestVersions(t *testing.T) {
	program := func(name, says string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+says), 0o755); err != nil { //nolint:gosec // it is to be run
			t.Fatal(err)
		}
		return path
	}
	poolerd := program("poolerd", "printf 'PgBouncer 1.25.2\\npoolerd v1.2.3\\ngo1 linux/amd64\\n'\n")
	for prefix, want := range map[string]string{"poolerd ": "poolerd v1.2.3", "PgBouncer ": "PgBouncer 1.25.2", "pgbench ": ""} {
		if got := versionOf(t.Context(), poolerd, prefix); got != want {
			t.Errorf("%q: %q, want %q", prefix, got, want)
		}
	}
	if got := versionOf(t.Context(), program("fails", "echo poolerd v1; exit 1\n"), "poolerd "); got != "" {
		t.Errorf("of one that fails: %q", got)
	}
}
