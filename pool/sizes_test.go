package pool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// TestReservePool: the reserve opens for who has waited for reserve_pool_timeout, and not before.
func TestReservePool(t *testing.T) {
	f := startFake(t)
	const patience = 400 * time.Millisecond
	_, addr := startPooler(t, f.url(), func(c *config.Config) {
		c.DefaultPoolSize, c.ReservePoolSize, c.ReservePoolTimeout = 1, 1, patience
	})
	a, b := logIn(t, addr), logIn(t, addr)
	a.query("BEGIN")
	a.query("SELECT 1")
	began := time.Now()
	if got := b.query("SELECT 1"); got != "CZI" {
		t.Fatal(got)
	}
	if d := time.Since(began); d < patience {
		t.Errorf("the reserve was used after %v, reserve_pool_timeout is %v", d, patience)
	}
	if n := f.logins.Load(); n != 2 {
		t.Errorf("%d servers, want 2", n)
	}
}

// TestMinPoolSize: a pool in use keeps its smallest size connected, also when servers end.
func TestMinPoolSize(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.MinPoolSize = 3 })
	logIn(t, addr).query("SELECT 1")
	full := func() bool { return len(p.Servers()) == 3 }
	within(t, "three servers", full)
	f.killAll()
	within(t, "three new servers", func() bool { return f.logins.Load() >= 6 && full() })
}

// TestServerIdleTimeout: a server that nobody needs is closed.
func TestServerIdleTimeout(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.ServerIdleTimeout = 200 * time.Millisecond })
	c := logIn(t, addr)
	c.query("SELECT 1")
	within(t, "no server", func() bool { return len(p.Servers()) == 0 })
	if got := c.query("SELECT 1"); got != "CZI" {
		t.Errorf("afterwards: %s", got)
	}
}

// TestServerLifetime: a server that is old is replaced between two transactions.
func TestServerLifetime(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.ServerLifetime = 200 * time.Millisecond })
	c := logIn(t, addr)
	within(t, "a second server", func() bool {
		if got := c.query("SELECT 1"); got != "CZI" {
			t.Fatal(got)
		}
		return f.logins.Load() >= 2
	})
}

// TestEvictionBeforeParameters: a server that has too many statements, and another client's parameters, serves all the same.
func TestEvictionBeforeParameters(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize, c.MaxPreparedStatements = 1, 2 })
	a := logIn(t, addr, "search_path", "a")
	b := logIn(t, addr, "my.own", "b") // whose acceptance is never taken for granted
	for range 3 {
		a.query("BEGIN")
		a.query("SELECT 1")
		for _, name := range []string{"x", "y", "z", "w"} {
			a.send(parse(name, "SELECT "+name))
			a.replies(1)
			a.send(wire.AppendEmpty(wire.AppendClose(nil, 'S', name), wire.ClientSync))
			a.replies(1)
		}
		a.query("COMMIT")
		began := time.Now()
		if got := b.query("SELECT b"); got != "CZI" || time.Since(began) >= queryLimit {
			t.Fatalf("%s after %v", got, time.Since(began))
		}
	}
	if n := f.logins.Load(); n != 1 {
		t.Errorf("%d servers were used up", n)
	}
}

// TestRefusedParametersLeaveNoDeadline: a server that has refused a client's parameters serves the next one without that one's time limit.
func TestRefusedParametersLeaveNoDeadline(t *testing.T) {
	f := startFake(t)
	f.hook = func(s *fakeSession, typ byte, body []byte) bool {
		if typ != wire.ClientQuery || !strings.Contains(string(body), "refused") {
			return false
		}
		s.out = wire.Errorf(wire.CodeInvalidParameterValue, "no").Append(s.out)
		s.ready()
		return true
	}
	p, _ := startPooler(t, f.url(), nil)
	pool, refusal := p.pool("d", "u")
	if refusal != nil {
		t.Fatal(refusal)
	}
	s, refusal := pool.connect(p.life)
	if refusal != nil {
		t.Fatal(refusal)
	}
	pool.mu.Lock()
	pool.busy++
	pool.mu.Unlock()
	if pool.pooler.shares.take(pool, pool.conf, false) != noLimit {
		t.Fatal("no share")
	}
	const limit = 100 * time.Millisecond
	refused := errRefused{}
	if err := s.run("SELECT refused", limit); !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	time.Sleep(2 * limit)
	if err := s.conn.Serve(func(uintptr) bool { return true }); err != nil {
		t.Errorf("the server cannot be read any longer: %v", err)
	}
	pool.release(s, time.Now())
}

// TestFairQueue: clients are served in the order in which they came.
func TestFairQueue(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 1 })
	holder := logIn(t, addr)
	holder.query("BEGIN")
	holder.query("SELECT 1")
	const n = 10
	var all sync.WaitGroup
	for i := range n {
		c := logIn(t, addr)
		all.Go(func() { c.query(fmt.Sprint("UPDATE ", i)) })
		within(t, "the client waits", func() bool { return p.Pools()[0].Waiting == i+1 })
	}
	holder.query("COMMIT")
	all.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	at := -1
	for i := range n {
		next := slices.Index(f.seen, fmt.Sprint("UPDATE ", i))
		if next <= at {
			t.Errorf("client %d was not served in its turn: %v", i, f.seen)
		}
		at = next
	}
}

// TestBodyWhereNoneBelongs: PostgreSQL skips to the next Sync after a Flush that has a body. No server may be given to anyone in that state.
func TestBodyWhereNoneBelongs(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), nil)
	for _, typ := range []byte{wire.ClientFlush, wire.ClientSync} {
		c := logIn(t, addr)
		c.send([]byte{typ, 0, 0, 0, 5, 'x'})
		if got := c.closed(); got != "E(08P01)" {
			t.Errorf("%c with a body: %s", typ, got)
		}
	}
}

// TestLongNames: the names of a statement and of a portal may be longer than a client's first buffer.
func TestLongNames(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	long := strings.Repeat("n", 3*bufferSize)
	c.send(wire.AppendEmpty(wire.AppendParse(nil, long, wire.ParseTail("SELECT 1")), wire.ClientSync))
	if got := c.replies(1); got != "1ZI" {
		t.Fatal(got)
	}
	c.send(wire.AppendEmpty(wire.AppendDescribe(nil, 'S', long), wire.ClientSync))
	if got := c.replies(1); got != "nZI" {
		t.Error(got)
	}
	c.send(wire.AppendEmpty(wire.AppendExecute(wire.AppendBind(nil, "", long), ""), wire.ClientSync))
	if got := c.replies(1); got != "2CZI" {
		t.Error(got)
	}
	c.send(wire.AppendEmpty(wire.AppendClose(nil, 'S', long), wire.ClientSync))
	if got := c.replies(1); got != "3ZI" {
		t.Error(got)
	}
}
