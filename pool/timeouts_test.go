package pool

import (
	"strings"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// TestTimeouts: each limit hits whom it is for, and nobody else.
func TestTimeouts(t *testing.T) {
	const limit = 300 * time.Millisecond
	for _, test := range []struct {
		name   string
		change func(*config.Config)
		sends  []string
		want   string
	}{
		{"idle in a transaction", func(c *config.Config) { c.IdleTransactionTimeout = limit }, []string{"BEGIN", "SELECT 1"}, "E(08P01)"},
		{"idle behind a deferred BEGIN", func(c *config.Config) { c.IdleTransactionTimeout = limit }, []string{"BEGIN"}, "E(08P01)"},
		{"a long transaction", func(c *config.Config) { c.TransactionTimeout = limit }, []string{"BEGIN", "SELECT 1"}, "E(08P01)"},
		{"an idle client", func(c *config.Config) { c.ClientIdleTimeout = limit }, []string{"SELECT 1"}, "E(08P01)"},
		{"a long query", func(c *config.Config) { c.QueryTimeout = limit }, []string{"HANG"}, "E(08P01)"},
		{"stopped in a pipeline", func(c *config.Config) { c.IdleTransactionTimeout = limit }, []string{"SELECT 1", "STOP"}, "12nCE(08P01)"},
		{"a long pipeline", func(c *config.Config) { c.TransactionTimeout = limit }, []string{"STOP"}, "12nCE(08P01)"},
		{"idle in session mode", func(c *config.Config) {
			c.PoolMode, c.TransactionTimeout, c.IdleTransactionTimeout = config.ModeSession, limit, limit
		}, []string{"SELECT 1"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := startFake(t)
			f.hook = func(_ *fakeSession, typ byte, body []byte) bool {
				return typ == wire.ClientQuery && strings.HasPrefix(string(body), "HANG")
			}
			_, addr := startPooler(t, f.url(), test.change)
			c := logIn(t, addr)
			for _, sql := range test.sends {
				switch sql {
				case "HANG":
					c.send(wire.AppendQuery(nil, sql))
				case "STOP":
					pipeline := unprepared(sql)
					c.send(pipeline[:len(pipeline)-wire.HeaderLen]) // without its Sync
				default:
					c.query(sql)
				}
			}
			if test.want == "" {
				time.Sleep(3 * limit)
				if got := c.query("SELECT 2"); got != "CZI" {
					t.Errorf("the client was not left alone: %s", got)
				}
				return
			}
			if got := c.closed(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestQueryWaitNotify: a client that waits for long is told once in each wait, and then served.
func TestQueryWaitNotify(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize, c.QueryWaitNotify = 1, 300*time.Millisecond })
	c := logIn(t, addr)
	for range 2 {
		holder := logIn(t, addr).hold()
		c.send(wire.AppendQuery(nil, "SELECT 1"))
		typ, body := c.message()
		e, _ := wire.ParseError(body)
		if typ != wire.ServerNoticeResponse || e.Severity != "NOTICE" || e.Message != "No server connection available in postgres backend, client being queued" {
			t.Fatalf("%c %v", typ, e)
		}
		holder.query("COMMIT")
		if got := c.replies(1); got != "CZI" {
			t.Error(got)
		}
		if got := c.query("SELECT 2"); got != "CZI" {
			t.Errorf("without a wait: %s", got)
		}
	}
}

// TestQueryTimeoutInQueue: query_timeout holds while a client waits for a server, too.
func TestQueryTimeoutInQueue(t *testing.T) {
	f := startFake(t)
	_, addr, log := startLogged(t, f.url(), func(c *config.Config) { c.DefaultPoolSize, c.QueryTimeout = 1, 300*time.Millisecond })
	logIn(t, addr).hold()
	c := logIn(t, addr)
	c.send(wire.AppendQuery(nil, "SELECT 1"))
	if got := c.closed(); got != "E(08P01)" {
		t.Error(got)
	}
	within(t, "the line", func() bool { return log.count("closing because: query_timeout (age=") == 1 })
}

// TestQueryTimeoutOutOfReach: a server that has gone silent takes no cancel request either, which is not waited for.
func TestQueryTimeoutOutOfReach(t *testing.T) {
	f := startFake(t)
	f.hook = func(_ *fakeSession, typ byte, body []byte) bool {
		return typ == wire.ClientQuery && strings.HasPrefix(string(body), "HANG")
	}
	silence := make(chan struct{})
	f.onCancel = func() { <-silence }
	t.Cleanup(func() { close(silence) })
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.QueryTimeout, c.CancelWaitTimeout = 300*time.Millisecond, 0 })
	c := logIn(t, addr)
	c.query("BEGIN")
	c.query("SELECT 1")
	c.send(wire.AppendQuery(nil, "HANG"))
	if got := c.closed(); got != "E(08P01)" {
		t.Errorf("the client: %s", got)
	}
}
