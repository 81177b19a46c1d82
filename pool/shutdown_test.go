package pool

import (
	"testing"

	"poolerd/pool/config"
	"poolerd/wire"
)

// TestDrainServers: who has a server keeps it to the end of the transaction, or of the session; everyone else is closed.
func TestDrainServers(t *testing.T) {
	for _, mode := range []config.Mode{config.ModeTransaction, config.ModeSession} {
		t.Run(mode.String(), func(t *testing.T) {
			f := startFake(t)
			p, addr := startPooler(t, f.url(), func(c *config.Config) { c.PoolMode = mode })
			idle, busy := logIn(t, addr), logIn(t, addr)
			busy.query("BEGIN")
			busy.query("SELECT 1")
			p.DrainServers()
			if got := idle.closed(); got != "E(57P01)" {
				t.Errorf("the idle client: %s", got)
			}
			if got := busy.query("SELECT 2"); got != "CZT" {
				t.Errorf("the one in a transaction: %s", got)
			}
			busy.send(wire.AppendQuery(nil, "COMMIT"))
			if mode == config.ModeTransaction {
				if got := busy.closed(); got != "CZE(57P01)" {
					t.Errorf("after its COMMIT: %s", got)
				}
				return
			}
			busy.replies(1)
			if got := busy.query("SELECT 3"); got != "CZI" {
				t.Errorf("the session goes on: %s", got)
			}
		})
	}
}

// TestDrainServersOfSession: the pooler ends when the last session has.
func TestDrainServersOfSession(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.PoolMode = config.ModeSession })
	c := logIn(t, addr)
	c.query("SELECT 1")
	p.DrainServers()
	c.query("SELECT 2")
	_ = c.conn.Close()
	within(t, "everything to end", func() bool { return p.stage.Load() == stageClosing })
}

// TestDrainServersOfMinimum: servers that min_pool_size keeps, with no client to ask for them, are not opened again.
func TestDrainServersOfMinimum(t *testing.T) {
	f := startFake(t)
	p, _ := startPooler(t, f.url(), func(c *config.Config) {
		db := c.Databases["*"]
		db.DBName, db.User, db.Name = "d", "owner", "forced"
		c.Databases["forced"], c.MinPoolSize = db, 2
	})
	within(t, "the least number of servers", func() bool { n, _ := p.DatabaseConnections("forced"); return n == 2 })
	p.DrainServers()
	within(t, "everything to end", func() bool { return p.stage.Load() == stageClosing })
}

// TestDrainDeferredBegin: a client whose BEGIN was answered gets the server that it was promised.
func TestDrainDeferredBegin(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	c.query("BEGIN")
	p.DrainServers()
	if got := c.query("SELECT 1"); got != "CZT" {
		t.Errorf("its first statement: %s", got)
	}
	c.send(wire.AppendQuery(nil, "COMMIT"))
	if got := c.closed(); got != "CZE(57P01)" {
		t.Errorf("after its COMMIT: %s", got)
	}
}

// TestDrainClients: whoever is there stays, nobody comes in, and the pooler ends when the last has left.
func TestDrainClients(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	c.query("SELECT 1")
	p.DrainClients()
	for range 3 {
		if got := c.query("SELECT 1"); got != "CZI" {
			t.Fatal(got)
		}
	}
	if p.stage.Load() != stageWaitForClients {
		t.Error("the pooler did not wait for its client")
	}
	_ = c.conn.Close()
	within(t, "everything to end", func() bool { return p.stage.Load() == stageClosing })
}

// TestResumeWhileDraining: clients that were held when the pooler began to wait for them are let go on, and then it ends.
func TestResumeWhileDraining(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	c.query("SELECT 1")
	if err := p.Pause(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	p.DrainClients()
	c.send(wire.AppendQuery(nil, "SELECT 2"))
	within(t, "the client to wait", func() bool { return p.Pools()[0].Waiting == 1 })
	if err := p.Resume(""); err != nil {
		t.Fatal(err)
	}
	if got := c.replies(1); got != "CZI" {
		t.Errorf("after RESUME: %s", got)
	}
	_ = c.conn.Close()
	within(t, "everything to end", func() bool { return p.stage.Load() == stageClosing })
}
