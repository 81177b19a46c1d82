package pool

import (
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// replicate begins a replication client's login.
func replicate(t *testing.T, addr string) *testClient {
	t.Helper()
	c := dialTest(t, addr)
	c.send(replicationStartup("d", "database"))
	return c
}

// seekers is how many replication clients wait in the only pool.
func seekers(p *Pooler) int {
	pool := p.allPools()[0]
	pool.mu.Lock()
	defer pool.mu.Unlock()
	return len(pool.seekers)
}

const replicationWelcome = "RSSSSSKZI"

// TestReplicationEvicts: an idle server goes for a replication client, and a client of the queue has the place after it.
func TestReplicationEvicts(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 1 })
	c := logIn(t, addr)
	c.want("SELECT 1", "CZI")
	standby := replicate(t, addr)
	if got := standby.replies(1); got != replicationWelcome {
		t.Fatal(got)
	}
	if i := p.Pools()[0]; i.ServersIdle != 0 || i.ServersActive != 1 {
		t.Errorf("%d servers are idle, %d in use", i.ServersIdle, i.ServersActive)
	}
	c.send(wire.AppendQuery(nil, "SELECT 2"))
	within(t, "the client waits", func() bool { return p.Pools()[0].Waiting == 1 })
	_ = standby.conn.Close()
	if got := c.replies(1); got != "CZI" {
		t.Error(got)
	}
}

// TestReplicationWaits: replication clients wait for their turn among the others, and one that goes meanwhile leaves nothing behind.
func TestReplicationWaits(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 1 })
	holder := logIn(t, addr)
	holder.want("BEGIN", "CZT")
	holder.want("SELECT 1", "CZT")
	gone := replicate(t, addr)
	within(t, "the first waits", func() bool { return seekers(p) == 1 })
	standby := replicate(t, addr)
	within(t, "the second waits", func() bool { return seekers(p) == 2 })
	c := logIn(t, addr)
	c.send(wire.AppendQuery(nil, "SELECT 2"))
	within(t, "the client waits", func() bool { return p.Pools()[0].Waiting == 3 })
	_ = gone.conn.Close()
	within(t, "the first has gone", func() bool { return seekers(p) == 1 })
	holder.want("COMMIT", "CZI")
	if got := standby.replies(1); got != replicationWelcome { // it has waited longer than c
		t.Fatal(got)
	}
	if n := p.Pools()[0].Waiting; n != 1 {
		t.Errorf("%d clients wait behind the standby", n)
	}
	_ = standby.conn.Close()
	if got := c.replies(1); got != "CZI" {
		t.Error(got)
	}
	pool := p.allPools()[0]
	pool.mu.Lock()
	defer pool.mu.Unlock()
	if pool.yielding != 0 || len(pool.seekers) != 0 {
		t.Errorf("%d servers are being closed for %d", pool.yielding, len(pool.seekers))
	}
}

// TestReplicationWaitsTooLong: query_wait_timeout ends the wait.
func TestReplicationWaitsTooLong(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize, c.QueryWaitTimeout = 1, 100*time.Millisecond })
	holder := logIn(t, addr)
	holder.want("BEGIN", "CZT")
	holder.want("SELECT 1", "CZT")
	if got := replicate(t, addr).closed(); got != "RE(08P01)" {
		t.Error(got)
	}
	holder.want("COMMIT", "CZI")
	holder.want("SELECT 1", "CZI")
}

// TestReplicationUnderMaxDBConnections: its own pool's idle server goes where max_db_connections is reached and pool_size is not.
func TestReplicationUnderMaxDBConnections(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize, c.MaxDBConnections = 5, 1 })
	c := logIn(t, addr)
	c.want("SELECT 1", "CZI")
	if got := replicate(t, addr).replies(1); got != replicationWelcome {
		t.Error(got)
	}
}
