package proc

import (
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestProcessStops(t *testing.T) {
	p, err := Start("sleeper", exec.Command("sleep", "60"), syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Died(); err != nil {
		t.Fatalf("it runs, yet: %v", err)
	}
	p.Stop()
	if err := p.Died(); err == nil || !strings.Contains(err.Error(), "sleeper ended") {
		t.Fatalf("after stop: %v", err)
	}
}

// TestProcessThatDiesAtOnce is told with its last words, not after a timeout.
func TestProcessThatDiesAtOnce(t *testing.T) {
	p, err := Start("pooler", exec.Command("sh", "-c", "echo unknown flag; exit 3"), syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	err = p.WaitReady(context.Background(), "postgres://x@127.0.0.1:1/x?sslmode=disable")
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "unknown flag") {
		t.Fatalf("WaitReady = %v; want the exit status and what was printed", err)
	}
	if waited := time.Since(begin); waited >= readyLimit {
		t.Fatalf("waited %v for a process that is gone", waited)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var kept tail
	if kept.String() != "(nothing)" {
		t.Fatalf("empty tail: %q", kept.String())
	}
	for range 3 {
		if n, err := kept.Write([]byte(strings.Repeat("x", tailSize-3) + "end")); n != tailSize || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	if got := kept.String(); len(got) != tailSize || !strings.HasSuffix(got, "end") {
		t.Fatalf("tail of %d bytes ends in %q", len(got), got[len(got)-3:])
	}
}
