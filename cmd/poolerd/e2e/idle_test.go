package e2e

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

// TestIdleBesideBusy keeps 5,000 clients idle beside 50 busy ones; afterwards
// every idle one still gets its answer.
func TestIdleBesideBusy(t *testing.T) {
	needsPooler(t)
	const (
		busy   = 50
		during = 3 * time.Second
	)
	count := idleClients(t, 5000, busy)
	p := startPooler(t, options{poolSize: 10})
	empty := p.memory(t)

	idle := make([]*pgconn.PgConn, count)
	each(t, idle, func(ctx context.Context, i int) (err error) {
		idle[i], err = pgconn.Connect(ctx, p.url("bench"))
		return err
	})
	t.Cleanup(func() {
		each(t, idle, func(ctx context.Context, i int) error {
			if idle[i] == nil {
				return nil
			}
			return idle[i].Close(ctx)
		})
	})
	if p.cmd != nil {
		t.Logf("%d idle clients, %d bytes of memory each", count, (p.memory(t)-empty)/count)
	}

	answers := beBusy(t, p, busy, during)
	t.Logf("%d answers to the busy ones in %s", answers, during)
	if answers < busy*10 {
		t.Errorf("only %d answers to the busy ones in %s", answers, during)
	}
	each(t, idle, func(ctx context.Context, i int) error {
		tag := fmt.Sprintf("idle %d", i)
		results, err := idle[i].Exec(ctx, "SELECT '"+tag+"'").ReadAll()
		if err != nil {
			return err
		}
		return same("the answer", results[0].Rows[0][0], tag)
	})
}

// idleClients is how many idle clients the limit on open files allows, and
// there must be a thousand at least.
func idleClients(t *testing.T, wanted, others int) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	// A Go program has raised its soft limit to the hard one already. Some
	// descriptors are needed for all else.
	count := min(wanted, int(limit.Max)-others-200)
	switch {
	case count < 1000:
		t.Fatalf("at most %d files may be open (ulimit -Hn); 1,000 idle clients need %d", limit.Max, 1200+others)
	case count < wanted:
		t.Logf("only %d idle clients: at most %d files may be open (ulimit -Hn)", count, limit.Max)
	}
	return count
}

// each does something for all clients, a few at a time.
func each(t *testing.T, clients []*pgconn.PgConn, do func(ctx context.Context, i int) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(20)
	for i := range clients {
		group.Go(func() error {
			if err := do(ctx, i); err != nil {
				return fmt.Errorf("idle client %d: %w", i, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// beBusy lets some clients ask without a pause, and counts the answers.
func beBusy(t *testing.T, p *pooler, count int, during time.Duration) int {
	t.Helper()
	var (
		all     sync.WaitGroup
		answers atomic.Int64
	)
	end := time.Now().Add(during)
	for i := range count {
		conn := connect(t, p, "bench")
		all.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				tag := fmt.Sprintf("busy %d %d", i, n)
				var got string
				err := conn.QueryRow(ctx, "SELECT $1::text", tag).Scan(&got)
				cancel()
				if err == nil {
					err = same("the answer", []byte(got), tag)
				}
				if err != nil {
					t.Errorf("busy client %d: %v", i, err)
					return
				}
				answers.Add(1)
			}
		})
	}
	all.Wait()
	return int(answers.Load())
}
