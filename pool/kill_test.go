package pool

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// restless is a client that logs in, does one thing after another, and begins anew when it is closed. It judges nothing but that it is answered or closed in time.
type restless struct {
	addr, user string
	done       *atomic.Bool
	conn       net.Conn
}

func (r *restless) run() error {
	for !r.done.Load() {
		if err := r.session(); err != nil {
			return err
		}
	}
	return nil
}

// session gives an error only when nothing has come for long.
func (r *restless) session() error {
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close() }()
	r.conn = conn
	hello := wire.AppendStartup(nil, wire.Version30, []wire.Param{{Name: "user", Value: r.user}, {Name: "database", Value: "d"}})
	if ended, err := r.ask(hello, 1); ended || err != nil {
		return err
	}
	for !r.done.Load() {
		var b []byte
		n := 1
		switch rand.IntN(5) {
		case 0:
			b = wire.AppendQuery(nil, "BEGIN")
		case 1:
			b = wire.AppendQuery(nil, "COMMIT")
		case 2:
			b, n = append(parse("s", "SELECT 1"), parse("t", "SELECT 2")...), 2
		case 3:
			return nil // in the middle of whatever it is
		default:
			b = wire.AppendQuery(nil, "SELECT 1")
		}
		if ended, err := r.ask(b, n); ended || err != nil {
			return err
		}
	}
	return nil
}

func (r *restless) ask(b []byte, ready int) (ended bool, _ error) {
	if _, err := r.conn.Write(b); err != nil {
		return true, nil
	}
	_ = r.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for ready > 0 {
		typ, _, err := wire.ReadMessage(r.conn, 1<<20)
		if e, ok := err.(net.Error); ok && e.Timeout() { //nolint:errorlint // never wrapped
			return true, fmt.Errorf("user %s has had no answer for 10 s", r.user)
		}
		if err != nil {
			return true, nil
		}
		if typ == wire.ServerReadyForQuery {
			ready--
		}
	}
	return false, nil
}

// TestControlInTheMiddle commands at random while clients come, do things and go, under limits that make pools lose servers to each other. Afterwards every count is right.
func TestControlInTheMiddle(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) {
		c.DefaultPoolSize, c.MaxDBConnections, c.MaxUserConnections, c.ReservePoolSize, c.ReservePoolTimeout = 3, 5, 3, 1, 50*time.Millisecond
		c.MinPoolSize, c.SuspendTimeout, c.ServerLifetime = 1, time.Second, 300*time.Millisecond
	})
	var done atomic.Bool
	var clients sync.WaitGroup
	for i := range 16 {
		r := &restless{addr: addr, user: fmt.Sprint("u", i%4), done: &done}
		clients.Go(func() {
			if err := r.run(); err != nil {
				t.Error(err)
			}
		})
	}
	for range 60 {
		switch rand.IntN(6) {
		case 0:
			must(t, p.Kill("d"))
			must(t, p.Resume("d"))
		case 1:
			must(t, p.Reconnect("d"))
		case 2:
			all := p.Clients()
			for _, c := range all[:min(3, len(all))] {
				_ = p.KillClient(c.ID) // it may have left by itself
			}
		case 3:
			must(t, p.Suspend(t.Context()))
			must(t, p.Resume(""))
		case 4:
			if err := p.Reload(altered(p, func(c *config.Config) { c.DefaultPoolSize = 1 + rand.IntN(4) })); err != nil {
				t.Fatal(err)
			}
		case 5:
			time.Sleep(20 * time.Millisecond) // a moment of peace
		}
		if n, _ := p.DatabaseConnections("d"); n > 5 {
			t.Errorf("%d servers of the database", n)
		}
	}
	done.Store(true)
	clients.Wait()
	within(t, "all counts right", func() bool {
		ofDatabase, clients := p.DatabaseConnections("d")
		all := 0
		for _, pool := range p.allPools() {
			pool.mu.Lock()
			n := len(pool.servers)
			settled := pool.busy+pool.opening+pool.queue.len+pool.frozen.len+pool.totals.Clients == 0 && len(pool.free) == n
			pool.mu.Unlock()
			ofUser, sessions := p.UserConnections(pool.key.User)
			if !settled || ofUser != n || sessions != 0 {
				return false
			}
			all += n
		}
		return ofDatabase == all && clients == 0 && len(p.Clients()) == 0
	})
}

// TestToldWhyNotThatCancelled: a client whose query is cancelled because the session is ended hears why, and nothing of the cancel.
func TestToldWhyNotThatCancelled(t *testing.T) {
	f := startFake(t)
	hanging := make(chan *fakeSession, 1)
	f.hook = func(s *fakeSession, typ byte, body []byte) bool {
		if typ != wire.ClientQuery || string(body) != "HANG\x00" {
			return false
		}
		hanging <- s
		return true
	}
	p, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	c.send(wire.AppendQuery(nil, "HANG"))
	s := <-hanging
	for _, one := range p.allClients() {
		one.end(reasonKilled, wire.Fatalf(wire.CodeAdminShutdown, reasonKilled))
	}
	answer := wire.Errorf(wire.CodeQueryCanceled, "canceling statement due to user request").Append(nil)
	if _, err := s.conn.Write(wire.AppendReadyForQuery(answer, wire.TxIdle)); err != nil {
		t.Fatal(err)
	}
	if got := c.closed(); got != "E(57P01)" {
		t.Error(got)
	}
}

// TestCloseFast: clients are told nothing, not even that their query was cancelled.
func TestCloseFast(t *testing.T) {
	f := startFake(t)
	hanging := make(chan *fakeSession, 1)
	f.hook = func(s *fakeSession, typ byte, body []byte) bool {
		if typ != wire.ClientQuery || string(body) != "HANG\x00" {
			return false
		}
		hanging <- s
		return true
	}
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 1 })
	idle, active, waiting := logIn(t, addr), logIn(t, addr), logIn(t, addr)
	active.send(wire.AppendQuery(nil, "HANG"))
	s := <-hanging
	waiting.send(wire.AppendQuery(nil, "SELECT 1"))
	within(t, "one waits", func() bool { return p.Pools()[0].Waiting == 1 })
	p.CloseFast()
	answer := wire.Errorf(wire.CodeQueryCanceled, "canceling statement due to user request").Append(nil)
	if _, err := s.conn.Write(wire.AppendReadyForQuery(answer, wire.TxIdle)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*testClient{"idle": idle, "active": active, "waiting": waiting} {
		if got := c.closed(); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}
