package postgres

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestCrash kills the process that made a cluster, as no cleanup of its own
// survives, and wants the server and the folder gone.
func TestCrash(t *testing.T) {
	tmp := openFolder(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := startHolder(t, self, tmp, os.Getuid(), os.Getgid())
	c := h.cluster(t)
	conn, err := pgconn.Connect(t.Context(), c.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the folder is gone", func() bool { return !exists(c.Dir) })
	if _, err := pgconn.Connect(t.Context(), c.URL); err == nil {
		t.Fatal("the server still answers")
	}
	// A client's connection ends with its server process.
	if _, err := conn.Exec(t.Context(), "SELECT 1").ReadAll(); err == nil {
		t.Fatal("a server process still answers")
	}
}

// TestCrashInInitdb kills it while initdb is at work.
func TestCrashInInitdb(t *testing.T) {
	tmp := openFolder(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := startHolder(t, self, tmp, os.Getuid(), os.Getgid())
	started := func() bool {
		found, err := filepath.Glob(filepath.Join(tmp, "poolerd-postgres-*", "data", "base"))
		return err == nil && len(found) > 0
	}
	eventually(t, "initdb has begun", started)
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the folder is gone", func() bool {
		left, err := os.ReadDir(tmp)
		return err == nil && len(left) == 0
	})
}

// TestInterrupt sends what a terminal's Ctrl-C sends, to the whole process
// group: the cluster must live until its maker stops it.
func TestInterrupt(t *testing.T) {
	tmp := openFolder(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := startHolder(t, self, tmp, os.Getuid(), os.Getgid())
	c := h.cluster(t)
	conn, err := pgconn.Connect(t.Context(), c.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := syscall.Kill(-h.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	// A postmaster that got the signal ends its clients' connections at once;
	// half a second of a query gives it the time.
	if _, err := conn.Exec(t.Context(), "SELECT pg_sleep(0.5)").ReadAll(); err != nil {
		t.Fatalf("after the interrupt: %v", err)
	}
	h.release(t)
	if exists(c.Dir) {
		t.Fatalf("%s is still there", c.Dir)
	}
}
