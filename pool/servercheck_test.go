package pool

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// TestServerCheckQuery: a server that has rested for server_check_delay is asked by server_check_query before its next use, and one that does not answer is replaced. Clients hear nothing of it.
func TestServerCheckQuery(t *testing.T) {
	for _, test := range []struct {
		query string
		delay time.Duration
		want  []string // that the server is asked beside the client's
	}{
		{"<empty>", 0, []string{""}},
		{"SELECT 2", 0, []string{"SELECT 2"}},
		{"SELECT 2", time.Hour, nil},
		{"", 0, nil},
	} {
		f := startFake(t)
		_, addr := startPooler(t, f.url(), func(c *config.Config) { c.ServerCheckQuery, c.ServerCheckDelay = test.query, test.delay })
		c := logIn(t, addr)
		c.query("SELECT 'first'")
		f.mu.Lock()
		f.seen = nil
		f.mu.Unlock()
		if got := c.query("SELECT 'second'"); got != "CZI" {
			t.Errorf("%q: %s", test.query, got)
		}
		f.mu.Lock()
		seen := slices.Clone(f.seen)
		f.mu.Unlock()
		if want := append(slices.Clone(test.want), "SELECT 'second'"); !slices.Equal(seen, want) {
			t.Errorf("%q after %v: the server was asked %q, want %q", test.query, test.delay, seen, want)
		}
	}
}

// TestServerCheckFails: the client gets another server.
func TestServerCheckFails(t *testing.T) {
	f := startFake(t)
	var cured atomic.Bool
	f.hook = func(s *fakeSession, _ byte, body []byte) bool {
		if string(body) == "SELECT 2\x00" && !cured.Swap(true) {
			_ = s.conn.Close()
			return true
		}
		return false
	}
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.ServerCheckQuery, c.ServerCheckDelay, c.DefaultPoolSize = "SELECT 2", 0, 1 })
	c := logIn(t, addr)
	c.query("SELECT 'first'")
	if got := c.query("SELECT 'second'"); got != "CZI" || f.logins.Load() != 2 {
		t.Errorf("%s after %d logins", got, f.logins.Load())
	}
}

// TestServerCheckRefused: a check query that is wrong is an answer all the same.
func TestServerCheckRefused(t *testing.T) {
	f := startFake(t)
	f.hook = func(s *fakeSession, _ byte, body []byte) bool {
		if string(body) != "SELEC 2\x00" {
			return false
		}
		s.out = wire.Errorf(wire.CodeSyntaxError, "syntax error").Append(s.out)
		s.ready()
		return true
	}
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.ServerCheckQuery, c.ServerCheckDelay = "SELEC 2", 0 })
	c := logIn(t, addr)
	c.query("SELECT 'first'")
	if got := c.query("SELECT 'second'"); got != "CZI" || f.logins.Load() != 1 {
		t.Errorf("%s after %d logins", got, f.logins.Load())
	}
}
