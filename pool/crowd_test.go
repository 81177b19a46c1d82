package pool

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"poolerd/wire"
)

// crowd is clients that send numbered statements, each the next when the last is answered, until stop.
type crowd struct {
	sent    atomic.Int64
	done    atomic.Bool
	clients sync.WaitGroup
	mu      sync.Mutex
	seen    map[string]int // how often the server was sent a statement
}

// gather starts n clients; every third uses transactions.
func gather(t *testing.T, f *fakeServer, addr string, n int) *crowd {
	t.Helper()
	w := &crowd{seen: map[string]int{}}
	f.hook = func(_ *fakeSession, typ byte, body []byte) bool {
		if sql := strings.TrimRight(string(body), "\x00"); typ == wire.ClientQuery && strings.HasPrefix(sql, "UPDATE") {
			w.mu.Lock()
			w.seen[sql]++
			w.mu.Unlock()
		}
		return false
	}
	for i := range n {
		c := logIn(t, addr)
		w.clients.Go(func() {
			ask := func(sql, want string) bool {
				got := c.query(sql)
				if got != want {
					t.Errorf("client %d: %s is answered with %s, want %s", i, sql, got, want)
				}
				return got == want
			}
			for k := 0; !w.done.Load(); k++ {
				sql := fmt.Sprintf("UPDATE %d-%d", i, k)
				if i%3 != 0 {
					if !ask(sql, "CZI") {
						return
					}
				} else if !ask("BEGIN", "CZT") || !ask(sql, "CZT") || !ask("COMMIT", "CZI") {
					return
				}
				w.sent.Add(1)
			}
		})
	}
	return w
}

// more waits until the crowd was answered so much more.
func (w *crowd) more(t *testing.T, n int64) {
	t.Helper()
	from := w.sent.Load()
	within(t, "answers", func() bool { return w.sent.Load() >= from+n })
}

// disperse ends the crowd: nothing that was answered is missing, and nothing was carried out twice.
func (w *crowd) disperse(t *testing.T) {
	t.Helper()
	w.done.Store(true)
	w.clients.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) != int(w.sent.Load()) {
		t.Errorf("%d statements were answered, the server has seen %d", w.sent.Load(), len(w.seen))
	}
	for sql, n := range w.seen {
		if n != 1 {
			t.Errorf("%s was carried out %d times", sql, n)
		}
	}
}

func must(t *testing.T, err *wire.Error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func servers(p *Pooler) (n int) {
	for _, pool := range p.allPools() {
		pool.mu.Lock()
		n += len(pool.servers)
		pool.mu.Unlock()
	}
	return n
}

func waiting(p *Pooler) (n int) {
	for _, pool := range p.allPools() {
		pool.mu.Lock()
		n += pool.queue.len
		pool.mu.Unlock()
	}
	return n
}
