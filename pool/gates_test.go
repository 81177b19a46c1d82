package pool

import (
	"testing"

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
