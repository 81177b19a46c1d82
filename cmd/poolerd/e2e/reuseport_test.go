package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestRollingRestart starts a second process on the same port and then tells the first one to finish, as an upgrade does, under clients that come, ask and go, and others that
// stay. Nobody who stays is sent away before he is ready to go. Of those who come each may be lost once, when the first process closes its socket: the kernel resets what is in its queue
// (net.ipv4.tcp_migrate_req = 1 makes it hand them over), and who is logging in at that moment is told to come again, as by PgBouncer.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	const comers, stayers, visits = 8, 5, 300 // visits at least, before and after the change
	ini := fmt.Sprintf("[databases]\n* = host=%s port=%d user=postgres\n[pgbouncer]\n%%LISTEN%%unix_socket_dir =\nauth_type = any\npool_mode = transaction\nso_reuseport = 1\n", shared.Host(), shared.Port())
	first := startPooler(t, options{ini: ini})
	var stay []*pgx.Conn
	for range stayers {
		stay = append(stay, connect(t, first, "fountain"))
	}

	var (
		came, lost atomic.Int64
		comersGone sync.WaitGroup
		enough     = make(chan struct{})
	)
	for range comers {
		comersGone.Go(func() {
			for {
				select {
				case <-enough:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				if err := execOnce(ctx, first.url("fountain"), "SELECT 1"); errors.Is(err, syscall.ECONNRESET) || sqlState(err) == "57P01" {
					lost.Add(1)
				} else if err != nil {
					t.Errorf("a login: %v", err)
				}
				cancel()
				came.Add(1)
			}
		})
	}
	stopComing := sync.OnceFunc(func() { close(enough); comersGone.Wait() })
	defer stopComing()
	more := func() {
		t.Helper()
		until := came.Load() + visits
		eventually(t, 2*patience, "more have come", func() error {
			if n := came.Load(); n < until {
				return fmt.Errorf("%d of %d", n, until)
			}
			return nil
		})
	}
	more()
	second := &pooler{host: first.host, port: first.port, user: first.user, log: filepath.Join(openFolder(t), "second.log")}
	second.run(t, exec.Command(under.binary, "serve", "--log-format", "json", "--config", first.config))
	more()
	first.signal(t, syscall.SIGTERM)
	more()
	for i, conn := range stay {
		want(t, conn, fmt.Sprintf("SELECT %d", i), fmt.Sprint(i))
		leave(conn)
	}
	if err := first.endsWithin(t, patience); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	more()
	stopComing()
	t.Logf("%d logins, %d lost", came.Load(), lost.Load())
	if lost.Load() > comers {
		t.Errorf("%d of %d logins were lost", lost.Load(), came.Load())
	}
}
