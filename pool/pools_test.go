package pool

import (
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/pool/listen"
	"poolerd/wire"
)

// TestPoolOfTheSettingsOfTheMoment: a login that has looked its settings up just before a RELOAD must not leave a pool behind that the RELOAD has not seen: it would keep
// the old address until the next one.
func TestPoolOfTheSettingsOfTheMoment(t *testing.T) {
	f := startFake(t)
	p, _ := startPooler(t, f.url(), nil)
	later := altered(p, func(c *config.Config) { c.DefaultPoolSize = 7 })
	reloaded := make(chan error, 1)
	pool, err := p.poolFor("d", func(conf *config.Config) (config.Pool, bool) {
		go func() { reloaded <- p.Reload(later) }()
		within(t, "the settings count", func() bool { return p.config().DefaultPoolSize == 7 })
		return conf.Pool("d", "u")
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-reloaded; err != nil {
		t.Fatal(err)
	}
	if size := pool.settings().Size; size != 7 {
		t.Errorf("the pool has pool_size %d, want 7", size)
	}
	pool.part()
}

// TestPoolStaysForItsVisitors: a pool that has been found is not dropped before the one who has found it has come in.
func TestPoolStaysForItsVisitors(t *testing.T) {
	f := startFake(t)
	p, _ := startPooler(t, f.url(), func(c *config.Config) { c.PoolIdleTimeout, c.AutodbIdleTimeout = time.Millisecond, time.Millisecond })
	pool, err := p.pool("d", "u")
	if err != nil {
		t.Fatal(err)
	}
	late := time.Now().Add(time.Hour)
	if pool.unused(late, p.config()) {
		t.Error("it is dropped under the hands of a visitor")
	}
	pool.part()
	within(t, "the pool is dropped", func() bool { return len(p.allPools()) == 0 })
}

// TestHubsGoWithTheLastPool: clients may ask for any number of databases, and nothing of one must stay when it is forgotten.
func TestHubsGoWithTheLastPool(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) {
		c.PoolIdleTimeout, c.AutodbIdleTimeout, c.ServerIdleTimeout = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	})
	c := logIn(t, addr)
	hub := onlyClient(t, p, "d").pool.hub("")
	c.send(wire.AppendEmpty(nil, wire.ClientTerminate))
	within(t, "the pool and its hub are forgotten", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.pools)+len(p.hubs) == 0
	})
	var ended error
	within(t, "the hub is closed", func() bool { ended = hub.Join(nil, nil).Listen(t.Context(), "x"); return ended != nil })
	if ended != listen.ErrClosed { //nolint:errorlint // never wrapped
		t.Errorf("got %v", ended)
	}
}

// TestReplaceOfADroppedPool: a RELOAD or RECONNECT that has found a pool just before it was dropped gives it nothing that nobody would close.
func TestReplaceOfADroppedPool(t *testing.T) {
	f := startFake(t)
	p, _ := startPooler(t, f.url(), func(c *config.Config) { c.PoolIdleTimeout, c.AutodbIdleTimeout = time.Millisecond, time.Millisecond })
	pool, refused := p.pool("d", "u")
	if refused != nil {
		t.Fatal(refused)
	}
	pool.part()
	within(t, "the pool is dropped", func() bool { return len(p.allPools()) == 0 })
	before := pool.pg
	if err := pool.replace(pool.settings(), pool.password); err != nil {
		t.Fatal(err)
	}
	if pool.pg != before {
		t.Error("a dropped pool has a new pgxpool")
	}
}

// TestSetAndReload: a SET does not bring back what a RELOAD has changed while it was under way.
func TestSetAndReload(t *testing.T) {
	f := startFake(t)
	p, _ := startPooler(t, f.url(), nil)
	later := altered(p, func(c *config.Config) { c.DefaultPoolSize = 7 })
	reloaded := make(chan error, 1)
	if _, err := p.Set(func(c *config.Config) error {
		go func() { reloaded <- p.Reload(later) }()
		c.QueryWaitNotify = time.Hour
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-reloaded; err != nil {
		t.Fatal(err)
	}
	if size := p.config().DefaultPoolSize; size != 7 {
		t.Errorf("default_pool_size is %d, want what the RELOAD says", size)
	}
}
