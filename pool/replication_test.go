package pool

import (
	"encoding/binary"
	"net"
	"strings"
	"testing"

	"poolerd/pool/config"
	"poolerd/wire"
)

func TestReplicationOf(t *testing.T) {
	for value, want := range map[string]replicationKind{
		"database": logicalReplication,
		"true":     physicalReplication, "on": physicalReplication, "1": physicalReplication, "yes": physicalReplication, "T": physicalReplication, "yE": physicalReplication, "tru": physicalReplication,
		"false": notReplication, "off": notReplication, "of": notReplication, "0": notReplication, "no": notReplication, "F": notReplication, "fals": notReplication,
	} {
		s := wire.Startup{Params: []wire.Param{{Name: "replication", Value: "maybe"}, {Name: "replication", Value: value}}}
		if got, err := replicationOf(&s); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", value, got, err, want)
		}
	}
	for _, value := range []string{"", "o", "2", "maybe", "Database", "truely", "onn"} {
		s := wire.Startup{Params: []wire.Param{{Name: "replication", Value: value}}}
		if got, err := replicationOf(&s); err == nil || err.Code != wire.CodeInvalidParameterValue || got != notReplication {
			t.Errorf("%q: %v, %v; want an error", value, got, err)
		}
	}
	if got, err := replicationOf(&wire.Startup{}); err != nil || got != notReplication {
		t.Errorf("no parameter: %v, %v", got, err)
	}
}

func FuzzCourse(f *testing.F) {
	f.Add(wire.AppendReadyForQuery(wire.AppendCommandComplete(nil, "SELECT 1"), wire.TxIdle), uint8(3))
	f.Add([]byte("d\x00\x00\x00\x08abcd"), uint8(1))
	f.Add([]byte("d\x00\x00\x00\x01"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		var whole, pieces course
		whole.pass(b)
		for at := 0; at < len(b); {
			n := min(len(b)-at, int(piece)+1)
			pieces.pass(b[at : at+n])
			at += n
		}
		if whole != pieces {
			t.Errorf("in one piece %+v, in several %+v", whole, pieces)
		}
		// The messages by hand.
		at, last, lost := 0, byte(0), false
		for !lost && len(b)-at >= wire.HeaderLen {
			size := int64(binary.BigEndian.Uint32(b[at+1:])) + 1
			last = b[at]
			if _, _, ok := wire.Header(b[at:]); !ok {
				lost = true
			} else if at += int(min(size, int64(len(b)+1))); at > len(b) {
				break
			}
		}
		if whole.boundary() != (!lost && at == len(b)) || whole.last != last {
			t.Errorf("% x: boundary %v, last %q; want %v, %q", b, whole.boundary(), whole.last, !lost && at == len(b), last)
		}
	})
}

// replicationStartup is a startup packet as a standby sends it.
func replicationStartup(database, kind string) []byte {
	return wire.AppendStartup(nil, wire.Version30, []wire.Param{{Name: "user", Value: "u"}, {Name: "database", Value: database}, {Name: "replication", Value: kind}, {Name: "options", Value: "-c geqo=off"}})
}

func dialTest(t *testing.T, addr string) *testClient {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &testClient{t: t, conn: nc, buf: make([]byte, 64<<10)}
}

// TestReplicationEndings: whichever side ends, both are closed, and nothing is left behind.
func TestReplicationEndings(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), nil)
	for name, end := range map[string]func(c *testClient){
		"client's Terminate": func(c *testClient) { c.send(wire.AppendEmpty(nil, wire.ClientTerminate)) },
		"client closes":      func(c *testClient) { _ = c.conn.Close() },
		"client half-closes": func(c *testClient) { _ = c.conn.(*net.TCPConn).CloseWrite() },
		"client resets": func(c *testClient) {
			_ = c.conn.(*net.TCPConn).SetLinger(0)
			_ = c.conn.Close()
		},
		"server ends": func(*testClient) { f.killAll() },
		"ended from outside": func(*testClient) {
			for _, c := range p.allClients() {
				c.end(reasonShutdown, errShutdown())
			}
		},
	} {
		c := dialTest(t, addr)
		c.send(replicationStartup("d", "database"))
		if got := c.replies(1); got != "RSSSSSKZI" {
			t.Fatalf("%s: the welcome is %s", name, got)
		}
		if got := c.query("SELECT 1"); got != "CZI" {
			t.Fatalf("%s: %s", name, got)
		}
		within(t, name+": it shows as a client", func() bool {
			return len(p.Clients()) == 1 && p.Clients()[0].Pinned == "replication" && p.Clients()[0].Replication == "logical"
		})
		end(c)
		if name == "ended from outside" {
			if got := c.closed(); got != "E(57P01)" {
				t.Errorf("%s: got %s", name, got)
			}
		} else if name != "client closes" && name != "client resets" {
			if got := c.closed(); got != "" {
				t.Errorf("%s: got %s", name, got)
			}
		}
		within(t, name+": nobody is left", func() bool {
			p.shares.mu.Lock()
			defer p.shares.mu.Unlock()
			p.keys.mu.Lock()
			defer p.keys.mu.Unlock()
			return len(p.Clients()) == 0 && len(p.shares.database) == 0 && len(p.keys.byPID) == 0
		})
	}
}

// TestReplicationStuckClient: a client that reads nothing of a flood is ended all the same.
func TestReplicationStuckClient(t *testing.T) {
	f := startFake(t)
	f.hook = func(c *fakeSession, typ byte, _ []byte) bool {
		if typ != wire.ClientQuery {
			return false
		}
		for range 32 { // more than the sockets' buffers hold
			c.out = wire.AppendCommandComplete(c.out, strings.Repeat("x", 1<<20))
		}
		c.ready()
		return true
	}
	p, addr := startPooler(t, f.url(), nil)
	c := dialTest(t, addr)
	c.send(replicationStartup("d", "true"))
	c.replies(1)
	c.send(wire.AppendQuery(nil, "flood"))
	within(t, "the flood has begun", func() bool { return p.Pools()[0].Totals.Sent > 1<<20 })
	p.Close()
	within(t, "nobody is left", func() bool { return len(p.Clients()) == 0 })
}

// TestReplicationWithoutDatabase: physical replication names no database, which libpq calls "replication"; without an entry for it there is none.
func TestReplicationWithoutDatabase(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) {
		only := c.Databases["*"]
		only.Name, only.DBName = "d", "d"
		c.Databases = map[string]config.Database{"d": only}
	})
	c := dialTest(t, addr)
	c.send(replicationStartup("replication", "true"))
	typ, body := c.message()
	e, err := wire.ParseError(body)
	if typ != wire.ServerErrorResponse || err != nil || e.Code != wire.CodeUndefinedDatabase || e.Hint == "" {
		t.Errorf("got %c %+v, %v", typ, e, err)
	}
}

// TestReplicationServerDown: the client is told, after its own login.
func TestReplicationServerDown(t *testing.T) {
	f := startFake(t)
	_ = f.listener.Close()
	p, addr := startPooler(t, f.url(), nil)
	c := dialTest(t, addr)
	c.send(replicationStartup("d", "true"))
	if got := c.closed(); got != "RE(08001)" {
		t.Errorf("got %s", got)
	}
	within(t, "nobody is left", func() bool {
		p.shares.mu.Lock()
		defer p.shares.mu.Unlock()
		return len(p.shares.database) == 0
	})
}
