package pool

import (
	"testing"

	"poolerd/pool/config"
	"poolerd/wire"
)

// hang makes the fake answer nothing to the statement HANG. It gives the sessions that were asked.
func (f *fakeServer) hang() <-chan *fakeSession {
	hanging := make(chan *fakeSession, 16)
	f.hook = func(s *fakeSession, typ byte, body []byte) bool {
		if typ != wire.ClientQuery || string(body) != "HANG\x00" {
			return false
		}
		hanging <- s
		return true
	}
	return hanging
}

// onlyClient gives the client of a database.
func onlyClient(t *testing.T, p *Pooler, database string) *Client {
	t.Helper()
	all := p.clientsOf(database)
	if len(all) != 1 {
		t.Fatalf("%s has %d clients", database, len(all))
	}
	return all[0]
}

// TestEndedWhileServed: a client is ended in the moment between the grant of its server and the statement that it is for. Nobody who ended it has seen a server to cancel
// on, and so the client itself has to see to it that its statement, which may take for ever, does not hold it.
func TestEndedWhileServed(t *testing.T) {
	f := startFake(t)
	hanging := f.hang()
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 1 })
	c := logIn(t, addr)
	one := onlyClient(t, p, "d")
	pool := one.pool
	within(t, "a free server", func() bool { pool.mu.Lock(); defer pool.mu.Unlock(); return len(pool.free) == 1 })
	pool.mu.Lock()
	s := pool.take(one)
	pool.mu.Unlock()
	c.send(wire.AppendQuery(nil, "HANG"))
	var w *waiter
	within(t, "the client waits", func() bool { pool.mu.Lock(); defer pool.mu.Unlock(); w = pool.queue.pop(); return w != nil })
	within(t, "the client says so", func() bool { one.mu.Lock(); defer one.mu.Unlock(); return one.state == StateWaiting })
	one.end(reasonKilled, wire.Fatalf(wire.CodeAdminShutdown, reasonKilled)) // finds it in no queue any more
	w.granted <- grant{server: s}
	if got := c.closed(); got != "E(57P01)" {
		t.Error(got)
	}
	within(t, "no client", func() bool { return len(p.allClients()) == 0 })
	select {
	case <-hanging:
		t.Error("the statement of a client that had been ended was sent")
	default:
	}
}
