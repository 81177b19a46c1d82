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
