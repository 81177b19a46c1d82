package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestFlat lets clients come and go: they log in, do a few transactions, and
// leave politely or die in the middle of something. After a warm-up the memory
// must not grow any more, and when all have gone there is no descriptor, no
// client and no goroutine left of them.
func TestFlat(t *testing.T) {
	needsPooler(t)
	const (
		coming   = 40 // at a time
		poolSize = 10
		grown    = 8 << 20 // bytes: what a heap may swing, not what thousands of clients would leave
	)
	during := 20 * time.Second
	if os.Getenv("POOLERD_E2E_LONG") != "" {
		during = 2 * time.Minute
	}
	p := startPooler(t, options{poolSize: poolSize})
	guests := &guests{url: p.url("bench")}
	guests.visit(coming, during/4)
	p.waitDeserted(t)
	warm, files, before := p.memory(t), p.descriptors(t), guests.came.Load()
	guests.visit(coming, during*3/4)
	p.waitDeserted(t)
	end := p.memory(t)

	t.Logf("%d clients came, %d of them after the warm-up; memory %d, then %d bytes", guests.came.Load(), guests.came.Load()-before, warm, end)
	for _, err := range guests.errors {
		t.Error(err)
	}
	// The race detector's own memory grows with all that was ever touched.
	if end-warm > grown && os.Getenv("POOLERD_E2E_RACE") == "" {
		t.Errorf("the memory grew by %d bytes to %d, want at most %d", end-warm, end, grown)
	}
	// How many of the pool's servers are connected is by chance.
	eventually(t, patience, "the descriptors of clients are closed", func() error {
		if now := p.descriptors(t); now > files+poolSize {
			return fmt.Errorf("%d are open, after the warm-up %d", now, files)
		}
		return nil
	})
	if under.kind == poolerd {
		p.wantFewGoroutines(t, 3*poolSize+20)
	}
}

// waitDeserted waits until SHOW CLIENTS tells of nobody but the console's client.
func (p *pooler) waitDeserted(t *testing.T) {
	t.Helper()
	console := connectConsole(t, p)
	defer leave(console)
	eventually(t, patience, "all clients have gone", func() error {
		left := slices.DeleteFunc(show(t, console, "CLIENTS"), func(row map[string]string) bool { return row["database"] == "pgbouncer" })
		if len(left) > 0 {
			return fmt.Errorf("SHOW CLIENTS has %d rows, such as %v", len(left), left[0])
		}
		return nil
	})
}

// wantFewGoroutines lets the Go runtime dump all goroutines, which ends the
// process.
func (p *pooler) wantFewGoroutines(t *testing.T, most int) {
	t.Helper()
	p.signal(t, syscall.SIGABRT)
	_ = p.endsWithin(t, patience)
	dump := p.readWholeLog(t)
	i := strings.Index(dump, "SIGABRT: abort")
	if i < 0 {
		t.Fatal("SIGABRT gave no dump of goroutines")
	}
	dump = dump[i:]
	// Those of the runtime itself are in the dump too, some for each processor.
	count := 0
	for _, stack := range strings.Split(dump, "\n\n") {
		if head := goroutineHead.FindString(stack); head != "" && !strings.Contains(stack, "created by runtime.") {
			count++
		}
	}
	t.Logf("%d goroutines without a client", count)
	if count < 1 || count > most {
		t.Errorf("%d goroutines without a client, want 1 to %d:\n%s", count, most, dump[:min(len(dump), 10000)])
	}
}

var goroutineHead = regexp.MustCompile(`(?m)^goroutine \d+ .*\[`)

// guests are clients that come and go.
type guests struct {
	url  string
	came atomic.Int64

	mu     sync.Mutex
	errors []error // the first few
}

// visit has some clients there at any time.
func (g *guests) visit(count int, during time.Duration) {
	var all sync.WaitGroup
	end := time.Now().Add(during)
	for i := range count {
		all.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(i), uint64(during)))
			for time.Now().Before(end) {
				if err := g.guest(dice); err != nil {
					g.mu.Lock()
					if len(g.errors) < 10 {
						g.errors = append(g.errors, err)
					}
					g.mu.Unlock()
					return
				}
				g.came.Add(1)
			}
		})
	}
	all.Wait()
}

// guest is one client, from the login to one of several ends.
func (g *guests) guest(dice *rand.Rand) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, g.url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.PgConn().Conn().Close()
	for n := range 1 + dice.IntN(5) {
		tag := fmt.Sprintf("guest %d", dice.Int32())
		var got string
		// Statements of all kinds of texts: also those must not pile up.
		if err := conn.QueryRow(ctx, fmt.Sprintf("SELECT $1::text /* %0500d */", dice.Int32()), tag).Scan(&got); err != nil {
			return fmt.Errorf("transaction %d: %w", n, err)
		}
		if err := same("the answer", []byte(got), tag); err != nil {
			return err
		}
	}
	switch dice.IntN(4) {
	case 0: // dies idle
		return nil
	case 1: // dies in a transaction
		if _, err := conn.Exec(ctx, "BEGIN; SELECT 1", pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		return nil
	case 2: // dies in a query
		frontend := conn.PgConn().Frontend()
		frontend.SendQuery(query("SELECT repeat('x', 1000) FROM generate_series(1, 1000)"))
		return frontend.Flush()
	default:
		return conn.Close(ctx)
	}
}
