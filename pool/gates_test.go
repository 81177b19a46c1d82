package pool

import (
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// TestPausedDatabaseThatGoesAndComesBack: PAUSE is forgotten with the database's entry, also by the pools whose clients are still there. Otherwise no RESUME would ever reach them.
func TestPausedDatabaseThatGoesAndComesBack(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) {
		delete(c.Databases, "*")
		c.Databases["d"] = config.Database{Name: "d", Host: "127.0.0.1", Port: f.port(), DBName: "d", User: "u"}
	})
	c := logIn(t, addr)
	c.query("SELECT 1")
	must(t, p.Pause(t.Context(), "d"))
	c.send(wire.AppendQuery(nil, "SELECT 2"))
	within(t, "the client waits", func() bool { return waiting(p) == 1 })
	there := p.config()
	for _, conf := range []*config.Config{altered(p, func(c *config.Config) { delete(c.Databases, "d") }), there} {
		if err := p.Reload(conf); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.replies(1); got != "CZI" {
		t.Errorf("got %s", got)
	}
	again := logIn(t, addr)
	if got := again.query("SELECT 3"); got != "CZI" {
		t.Errorf("a new client: %s", got)
	}
}

// TestPausedPoolTakesNothing: clients of a paused database wait for RESUME, and no server of another database is closed for them meanwhile, again and again.
func TestPausedPoolTakesNothing(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.MaxUserConnections = 2 })
	held := logIn(t, addr)
	others := []*testClient{logIn(t, addr, "database", "e").hold(), logIn(t, addr, "database", "e").hold()}
	held.send(wire.AppendQuery(nil, "SELECT 1"))
	within(t, "a pool that wants a place", func() bool { return p.shares.hungry.Load() == 1 })
	must(t, p.Pause(t.Context(), "d"))
	within(t, "no pool that wants a place", func() bool { return p.shares.hungry.Load() == 0 })
	before := f.logins.Load()
	for range 5 {
		for _, c := range others {
			c.query("COMMIT")
			c.hold()
		}
	}
	if n := f.logins.Load() - before; n > 0 {
		t.Errorf("%d servers had to be opened anew", n)
	}
	must(t, p.Resume("d"))
	others[0].query("COMMIT")
	if got := held.replies(1); got != "CZI" {
		t.Errorf("after RESUME: %s", got)
	}
}

// TestNoLimitRunsInSuspend: SUSPEND stops the clock too, as in PgBouncer. Nobody is thrown out for what SUSPEND has kept him from.
func TestNoLimitRunsInSuspend(t *testing.T) {
	f := startFake(t)
	const limit = 2 * tick
	p, addr := startPooler(t, f.url(), func(c *config.Config) {
		c.QueryWaitTimeout, c.ClientIdleTimeout, c.IdleTransactionTimeout, c.SuspendTimeout = limit, limit, limit, time.Second
	})
	asking, idle, inside := logIn(t, addr), logIn(t, addr), logIn(t, addr).hold()
	asking.query("SELECT 1")
	idle.query("SELECT 1")
	must(t, p.Suspend(t.Context()))
	asking.send(wire.AppendQuery(nil, "SELECT 2"))
	within(t, "one waits", func() bool { return waiting(p) == 1 })
	began := time.Now()
	within(t, "more than the limits", func() bool { return time.Since(began) > 2*limit })
	must(t, p.Resume(""))
	if got := asking.replies(1); got != "CZI" {
		t.Errorf("who asked meanwhile: %s", got)
	}
	if got := idle.query("SELECT 3"); got != "CZI" {
		t.Errorf("who was idle: %s", got)
	}
	if got := inside.query("COMMIT"); got != "CZI" {
		t.Errorf("who was in a transaction: %s", got)
	}
}

// TestSuspendDuringCheck: a client whose server is being checked when SUSPEND comes begins nothing before RESUME.
func TestSuspendDuringCheck(t *testing.T) {
	f := startFake(t)
	checked, asked := make(chan *fakeSession, 8), make(chan struct{}, 8)
	f.hook = func(s *fakeSession, typ byte, body []byte) bool {
		switch string(body) {
		case "CHECK\x00":
			checked <- s
			return true
		case "SELECT 1\x00":
			asked <- struct{}{}
		}
		return false
	}
	p, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	c.query("SELECT 0")
	if err := p.Reload(altered(p, func(c *config.Config) { c.ServerCheckQuery, c.ServerCheckDelay = "CHECK", 0 })); err != nil {
		t.Fatal(err)
	}
	c.send(wire.AppendQuery(nil, "SELECT 1"))
	s := <-checked
	must(t, p.Suspend(t.Context()))
	answer := wire.AppendReadyForQuery(wire.AppendCommandComplete(nil, "CHECK"), wire.TxIdle)
	if _, err := s.conn.Write(answer); err != nil {
		t.Fatal(err)
	}
	pool := onlyClient(t, p, "d").pool
	within(t, "the client is held", func() bool {
		pool.mu.Lock()
		defer pool.mu.Unlock()
		return pool.frozen.len == 1 || len(asked) > 0
	})
	if len(asked) > 0 {
		t.Error("a statement began while all was suspended")
	}
	must(t, p.Resume(""))
	if got := c.replies(1); got != "CZI" {
		t.Errorf("after RESUME: %s", got)
	}
}
