package pool

import (
	"fmt"
	"testing"

	"poolerd/pool/config"
	"poolerd/wire"
)

// TestReloadSizes: a pool shrinks as its servers come free, and grows, without a client or a server that need not going.
func TestReloadSizes(t *testing.T) {
	f := startFake(t)
	p, addr, log := startLogged(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 4 })
	var holders []*testClient
	for range 4 {
		holders = append(holders, logIn(t, addr).hold())
	}
	if err := p.Reload(altered(p, func(c *config.Config) { c.DefaultPoolSize = 2 })); err != nil {
		t.Fatal(err)
	}
	for _, c := range holders {
		if got := c.query("COMMIT"); got != "CZI" {
			t.Error(got)
		}
	}
	within(t, "two servers", func() bool { return servers(p) == 2 })
	if n := log.count("closing because: too many servers in the pool"); n != 2 {
		t.Errorf("%d servers were too many, want 2", n)
	}
	if err := p.Reload(altered(p, func(c *config.Config) { c.DefaultPoolSize = 6 })); err != nil {
		t.Fatal(err)
	}
	logins := f.logins.Load()
	for range 2 {
		holders = append(holders, logIn(t, addr))
	}
	for _, c := range holders {
		c.hold()
	}
	if n := f.logins.Load() - logins; n != 4 || servers(p) != 6 {
		t.Errorf("%d new servers, %d in all; want 4 and 6", n, servers(p))
	}
}

// TestReloadOfMany: a reload that changes hundreds of databases is a line of the log.
func TestReloadOfMany(t *testing.T) {
	f := startFake(t)
	p, _, log := startLogged(t, f.url(), nil)
	for _, n := range []int{mostChanges, mostChanges + 1} {
		before := log.count("setting changed")
		conf := altered(p, func(c *config.Config) {
			for i := range n {
				db := c.Databases["*"]
				db.Name = fmt.Sprintf("of%d_%d", n, i)
				c.Databases[db.Name] = db
			}
		})
		if err := p.Reload(conf); err != nil {
			t.Fatal(err)
		}
		if got, want := log.count("setting changed")-before, n%(mostChanges+1); got != want {
			t.Errorf("%d databases: %d lines, want %d", n, got, want)
		}
	}
	if n := log.count(`"entries":11`); n != 1 {
		t.Errorf("%d sums", n)
	}
}

// TestReloadDatabase: a database that leads elsewhere gets new servers; one that is gone loses its clients when they are in no transaction; one that comes back serves again.
func TestReloadDatabase(t *testing.T) {
	f, g := startFake(t), startFake(t)
	p, addr, log := startLogged(t, f.url(), func(c *config.Config) {
		c.Databases["d"] = c.Databases["*"]
		delete(c.Databases, "*")
	})
	idle, busy := logIn(t, addr), logIn(t, addr)
	busy.hold()
	move := altered(p, func(c *config.Config) {
		db := c.Databases["d"]
		db.Host, db.Port = "127.0.0.1", g.port()
		c.Databases["d"] = db
	})
	if err := p.Reload(move); err != nil {
		t.Fatal(err)
	}
	if got := idle.query("SELECT 1"); got != "CZI" || g.logins.Load() != 1 {
		t.Errorf("%s, %d logins at the new place", got, g.logins.Load())
	}
	busy.query("COMMIT")
	within(t, "the line", func() bool { return log.count("closing because: database configuration changed") == 1 })
	busy.hold()
	if err := p.Reload(altered(p, func(c *config.Config) { delete(c.Databases, "d") })); err != nil {
		t.Fatal(err)
	}
	if got := idle.closed(); got != "E(57P01)" {
		t.Errorf("the idle client: %s", got)
	}
	if got := busy.query("SELECT 2"); got != "CZT" {
		t.Errorf("the one in a transaction: %s", got)
	}
	busy.send(wire.AppendQuery(nil, "COMMIT"))
	if got := busy.closed(); got != "CZE(57P01)" {
		t.Errorf("after its COMMIT: %s", got)
	}
	if got := refusedLogin(t, addr, "d", "u"); got != "no such database: d" {
		t.Error(got)
	}
	within(t, "the pool is forgotten", func() bool { return len(p.Pools()) == 0 })
	if err := p.Reload(move); err != nil {
		t.Fatal(err)
	}
	if got := logIn(t, addr).query("SELECT 1"); got != "CZI" {
		t.Errorf("it is back: %s", got)
	}
}
