package pool

import (
	"strings"
	"sync/atomic"
	"testing"

	"poolerd/pool/config"
	"poolerd/wire"
)

// TestLostWhileParametersArePutBack: the server goes after RESET was answered inside a transaction, while the startup value is put back. The client believes in its transaction, so that nothing
// of it may be carried out elsewhere.
func TestLostWhileParametersArePutBack(t *testing.T) {
	f := startFake(t)
	var cut atomic.Bool
	f.hook = func(s *fakeSession, typ byte, body []byte) bool {
		if typ == wire.ClientQuery && strings.HasPrefix(string(body), "RESET TimeZone") {
			s.out = wire.AppendCommandComplete(s.out, "RESET")
			s.ready()
			return true
		}
		if typ == wire.ClientQuery && cut.Load() && strings.Contains(string(body), "set_config") {
			_ = s.conn.Close()
			return true
		}
		return false
	}
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 1 })
	c := logIn(t, addr, "TimeZone", "UTC")
	c.query("BEGIN")
	c.query("SELECT 1")
	cut.Store(true)
	if got := c.query("RESET TimeZone"); !strings.HasSuffix(got, "ZT") {
		t.Fatalf("RESET: %s", got)
	}
	cut.Store(false)
	if got := c.query("UPDATE t"); got != "E(08006)ZE" {
		t.Errorf("the next statement: %s", got)
	}
	if got := c.query("ROLLBACK"); got != "CZI" {
		t.Errorf("the end: %s", got)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, sql := range f.seen {
		if strings.Contains(sql, "UPDATE") {
			t.Error("a statement of the lost transaction was carried out")
		}
	}
}

// TestLostBeforeTheSecondTry: the server goes when a request is to be sent again. The client is answered.
func TestLostBeforeTheSecondTry(t *testing.T) {
	f := startFake(t)
	var stale atomic.Bool
	f.hook = func(s *fakeSession, typ byte, body []byte) bool {
		switch {
		case typ == wire.ClientBind && stale.Load() && strings.Contains(s.texts[bindName(body)], "SELECT 1"):
			s.fail(wire.CodeFeatureNotSupported)
			return true
		case typ == wire.ClientQuery && stale.Load():
			_ = s.conn.Close()
			return true
		}
		return false
	}
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 1 })
	c := logIn(t, addr)
	c.send(parse("0", "SELECT 1"))
	c.replies(1)
	c.send(prepared("0"))
	c.replies(1)
	stale.Store(true)
	c.send(prepared("0"))
	if got := c.replies(1); got != "E(08006)ZI" {
		t.Errorf("alone: %s", got)
	}
	stale.Store(false)
	c.query("BEGIN")
	c.send(prepared("0"))
	c.replies(1)
	c.query("ROLLBACK")
	stale.Store(true)
	c.query("BEGIN")
	c.send(prepared("0"))
	if got := c.replies(1); got != "E(08006)ZE" {
		t.Errorf("first in its transaction: %s", got)
	}
	stale.Store(false)
	if got := c.query("ROLLBACK"); got != "CZI" {
		t.Errorf("the end: %s", got)
	}
}
