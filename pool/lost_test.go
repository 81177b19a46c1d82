package pool

import (
	"strings"
	"testing"

	"poolerd/pool/config"
	"poolerd/wire"
)

// TestLostBeforeItWasAsked: a server ends in the same breath in which it answers a statement that leaves state in its session. The client was told that the statement is done, and must not go on with another server that
// knows nothing of it.
func TestLostBeforeItWasAsked(t *testing.T) {
	f := startFake(t)
	f.hook = func(s *fakeSession, typ byte, body []byte) bool {
		if typ != wire.ClientQuery || !strings.HasPrefix(string(body), "CREATE") {
			return false
		}
		s.run("CREATE")
		s.ready()
		s.out = wire.Fatalf(wire.CodeAdminShutdown, "terminating connection due to administrator command").Append(s.out)
		_, _ = s.conn.Write(s.out)
		_ = s.conn.Close()
		return true
	}
	_, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	c.send(wire.AppendQuery(nil, "CREATE TEMPORARY TABLE mine (n int)"))
	if got := c.closed(); got != "CZE(57P01)" {
		t.Errorf("got %s", got)
	}
	c = logIn(t, addr)
	c.send(wire.AppendQuery(nil, "CREATE TABLE everybodys (n int)")) // which is there whichever server answers
	if got := c.replies(1); got != "CZI" {
		t.Errorf("got %s", got)
	}
	if got := c.query("SELECT 1"); got != "CZI" {
		t.Errorf("a client that has lost nothing: %s", got)
	}
}

// TestLostWhileAskedInSessionMode: a client of session mode has lost its session with its server, also when that goes while it is asked something by the pooler.
func TestLostWhileAskedInSessionMode(t *testing.T) {
	f := startFake(t)
	gone := false
	f.hook = func(s *fakeSession, typ byte, body []byte) bool {
		if typ == wire.ClientQuery && !strings.HasPrefix(string(body), "RESET ALL") && gone {
			_ = s.conn.Close()
			return true
		}
		gone = gone || strings.HasPrefix(string(body), "RESET ALL")
		return false
	}
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.PoolMode = config.ModeSession })
	c := logIn(t, addr, "TimeZone", "Europe/Berlin")
	c.query("SELECT 1")
	c.send(wire.AppendQuery(nil, "RESET ALL"))
	got := c.closed()
	if !strings.HasSuffix(got, "E(08006)") {
		t.Errorf("got %s", got)
	}
}

// TestLostWhileAsked: the server goes while it is asked what a function has left on it. Whatever that was is lost.
func TestLostWhileAsked(t *testing.T) {
	f := startFake(t)
	f.hook = func(s *fakeSession, typ byte, body []byte) bool {
		if typ == wire.ClientQuery && strings.Contains(string(body), "pg_catalog") {
			_ = s.conn.Close()
			return true
		}
		return false
	}
	_, addr := startPooler(t, f.url(), nil)
	for _, sql := range []string{"DO $$ BEGIN PERFORM whatever(); END $$", "SELECT pg_advisory_lock(1)"} {
		c := logIn(t, addr)
		c.send(wire.AppendQuery(nil, sql))
		if got := c.closed(); !strings.HasSuffix(got, "E(08006)") {
			t.Errorf("%s: got %s", sql, got)
		}
	}
}
