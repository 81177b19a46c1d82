package postgres

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestHaltAndResume(t *testing.T) {
	c := newCluster(t, Options{})
	ask(t, c, "postgres", "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)", "")
	port := c.Port()
	for _, mode := range []string{"smart", "fast", "immediate"} {
		if err := c.Halt(t.Context(), mode); err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		if portTaken(port) {
			t.Fatalf("%s: somebody still listens on port %d", mode, port)
		}
		if err := c.Halt(t.Context(), mode); err != nil {
			t.Fatalf("%s, again: %v", mode, err)
		}
		if _, err := c.Psql(t.Context(), "postgres", "SELECT 1"); err == nil {
			t.Fatalf("%s: a halted server answered", mode)
		}
		if err := c.Resume(t.Context()); err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		ask(t, c, "postgres", "INSERT INTO kept VALUES (1); SELECT count(*) > 1 FROM kept", "t")
	}
	if c.Port() != port {
		t.Fatalf("port %d became %d", port, c.Port())
	}
	ask(t, c, "postgres", "SELECT count(*) FROM kept", "4")

	if err := c.Resume(t.Context()); err == nil || !strings.Contains(err.Error(), "is running already") {
		t.Fatalf("resume of a running one: %v", err)
	}
	if err := c.Halt(t.Context(), "gently"); err == nil || !strings.Contains(err.Error(), `"gently"`) {
		t.Fatalf("an unknown mode: %v", err)
	}
	before, err := c.Psql(t.Context(), "postgres", "SELECT pg_postmaster_start_time()")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask(t, c, "postgres", "SELECT pg_postmaster_start_time() > '"+strings.TrimSpace(before)+"'", "t")
}

// TestResumeAfterCrash kills the postmaster behind the cluster's back.
func TestResumeAfterCrash(t *testing.T) {
	c := newCluster(t, Options{})
	if err := syscall.Kill(postmaster(t, c), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server has gone", c.server.gone)
	// The crashed postmaster's children keep its shared memory until they notice.
	eventually(t, "the server is back", func() bool { return c.Resume(t.Context()) == nil })
	ask(t, c, "postgres", "SELECT 1", "1")
}

func postmaster(t *testing.T, c *Cluster) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dataDir(), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// TestStopBreaksOffHalt: a smart shutdown waits for its clients for ever, and
// Stop must not.
func TestStopBreaksOffHalt(t *testing.T) {
	c := newCluster(t, Options{})
	client, err := pgconn.Connect(t.Context(), c.URL("postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(context.Background())

	brief, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Halt(brief, "smart"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a smart shutdown with a client gave %v", err)
	}

	halted := make(chan error, 1)
	go func() { halted <- c.Halt(context.Background(), "smart") }()
	eventually(t, "the halt is under way", func() bool { return len(c.turn) == 0 })
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-halted; !errors.Is(err, errStopped) {
		t.Fatalf("the halt gave %v", err)
	}
	if exists(c.Dir()) {
		t.Fatalf("%s is still there", c.Dir())
	}
}

// TestLateStop: a Stop whose context has ended cleans up all the same.
func TestLateStop(t *testing.T) {
	c := newCluster(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if exists(c.Dir()) || portTaken(c.Port()) {
		t.Fatal("the folder or the server is still there")
	}
}
