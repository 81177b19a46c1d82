package pool

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// flight is the messages of a statement as PostgREST sends a prepared one: Bind, Describe of the portal, Execute, Sync.
func prepared(name string) []byte {
	b := wire.AppendBind(nil, "", name)
	b = wire.AppendExecute(wire.AppendDescribe(b, 'P', ""), "")
	return wire.AppendEmpty(b, wire.ClientSync)
}

func parse(name, sql string) []byte {
	return wire.AppendEmpty(wire.AppendParse(nil, name, wire.ParseTail(sql)), wire.ClientSync)
}

func unprepared(sql string) []byte {
	b := wire.AppendParse(nil, "", wire.ParseTail(sql))
	b = wire.AppendDescribe(wire.AppendBind(b, "", ""), 'P', "")
	return wire.AppendEmpty(wire.AppendExecute(b, ""), wire.ClientSync)
}

// TestRoundTrips: a warm PostgREST request, which is four flights of the client, is three of the server's.
func TestRoundTrips(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	texts := []string{"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY", "SELECT set_config", "WITH pgrst_source", "COMMIT"}
	for i, sql := range texts {
		c.send(parse(string(rune('0'+i)), sql))
		if got := c.replies(1); got != "1ZI" {
			t.Fatalf("cold Parse of %s: %s", sql, got)
		}
	}
	if n := f.syncs.Load(); n != 0 {
		t.Errorf("cold Parses took %d round trips to the server", n)
	}
	request := func() {
		for i, want := range []string{"2nCZT", "2nCZT", "2nCZT", "2nCZI"} {
			c.send(prepared(string(rune('0' + i))))
			if got := c.replies(1); got != want {
				t.Fatalf("%s: %s, want %s", texts[i], got, want)
			}
		}
	}
	for range 3 {
		before := f.syncs.Load()
		request()
		if n := f.syncs.Load() - before; n != 3 {
			t.Errorf("a request took %d round trips to the server, want 3", n)
		}
	}
	before := f.syncs.Load()
	c.send(prepared("0"))
	c.replies(1)
	c.send(prepared("3"))
	if got := c.replies(1); got != "2nCZI" || f.syncs.Load() != before {
		t.Errorf("an empty transaction: %s, %d round trips", got, f.syncs.Load()-before)
	}
}

// TestRelayAllocatesNothing: in the steady state a transaction allocates nothing, in whatever protocol.
func TestRelayAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector allocates: only the replies are checked")
	}
	f := startFake(t)
	_, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	c.send(parse("begin", "BEGIN"))
	c.send(parse("one", "SELECT 1"))
	c.send(parse("commit", "COMMIT"))
	c.swallow(3)
	flights := map[string][][]byte{
		"simple":          {wire.AppendQuery(nil, "SELECT 1")},
		"extended":        {unprepared("SELECT 1")},
		"prepared":        {prepared("one")},
		"PostgREST's":     {prepared("begin"), prepared("one"), prepared("one"), prepared("commit")},
		"two in a flight": {append(prepared("one"), unprepared("SELECT 1")...)},
	}
	for name, flight := range flights {
		t.Run(name, func(t *testing.T) {
			n := 1
			if name == "two in a flight" {
				n = 2
			}
			one := func() {
				for _, b := range flight {
					c.send(b)
					c.swallow(n)
				}
			}
			const runs = 2000
			for range 200 {
				one()
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				one()
			}
			runtime.ReadMemStats(&after)
			// The clock of the pooler and the runtime allocate now and then; one allocation a transaction would be 2000.
			if per := float64(after.Mallocs-before.Mallocs) / runs; per > 0.1 && !raceEnabled {
				t.Errorf("%.2f allocations a transaction", per)
			}
		})
	}
}

// TestNamesAreVirtual: two clients give one name to two statements, on one server.
func TestNamesAreVirtual(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 1 })
	a, b := logIn(t, addr), logIn(t, addr)
	a.send(parse("0", "SELECT a"))
	b.send(parse("0", "UPDATE b"))
	a.replies(1)
	b.replies(1)
	for range 3 {
		for _, test := range []struct {
			c   *testClient
			tag string
		}{{a, "SELECT"}, {b, "UPDATE"}} {
			test.c.send(prepared("0"))
			var tag string
			for {
				typ, body := test.c.message()
				if typ == wire.ServerCommandComplete {
					tag = strings.TrimRight(string(body), "\x00")
				}
				if typ == wire.ServerReadyForQuery {
					break
				}
			}
			if tag != test.tag {
				t.Fatalf("client of %s ran %s", test.tag, tag)
			}
		}
	}
	if n := f.logins.Load(); n != 1 {
		t.Errorf("%d servers, want 1", n)
	}
}

// TestLimitOfStatements: a server never holds more than max_prepared_statements for long, and every client's statement works all the same.
func TestLimitOfStatements(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize, c.MaxPreparedStatements = 1, 3 })
	c := logIn(t, addr)
	for i := range 10 {
		name := string(rune('a' + i))
		c.send(parse(name, "SELECT "+name))
		c.replies(1)
	}
	for range 2 {
		for i := range 10 {
			c.send(prepared(string(rune('a' + i))))
			if got := c.replies(1); got != "2nCZI" {
				t.Fatalf("statement %d: %s", i, got)
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.sessions[0].texts); n > 4 {
		t.Errorf("%d statements on the server, limit 3", n)
	}
}

// TestParametersAreNotInherited: PostgREST's SET on connecting holds for it, and for nobody else, and costs no server.
func TestParametersAreNotInherited(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 1 })
	const set = "SET client_encoding = 'UTF8';SET client_min_messages TO WARNING;"
	a := logIn(t, addr)
	if got := a.query(set); got != "CCZI" {
		t.Fatal(got)
	}
	other := logIn(t, addr)
	if got := other.query("SELECT other"); got != "CZI" {
		t.Fatal(got)
	}
	if got := a.query("SELECT a"); got != "CZI" {
		t.Fatal(got)
	}
	f.mu.Lock()
	seen := strings.Join(f.seen, "\n")
	f.mu.Unlock()
	reset := strings.Index(seen, `RESET "client_min_messages"`)
	if at := strings.Index(seen, "SELECT other"); reset < 0 || reset > at {
		t.Errorf("the other client inherited the setting:\n%s", seen)
	}
	again := strings.LastIndex(seen, `SET "client_min_messages" TO WARNING`)
	if at := strings.Index(seen, "SELECT a"); again < reset || again > at {
		t.Errorf("the client has lost its setting:\n%s", seen)
	}
	before := f.syncs.Load()
	third := logIn(t, addr)
	if got := third.query(set); got != "CCZI" || f.syncs.Load() != before {
		t.Errorf("the second client's SET: %s, %d round trips", got, f.syncs.Load()-before)
	}
}

// TestServerLost: whatever the moment at which a server goes, the client is told and kept, and its transaction is not continued elsewhere.
func TestServerLost(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	f.hook = func(s *fakeSession, typ byte, body []byte) bool {
		if strings.Contains(string(body), "die") {
			_, _ = s.conn.Write(s.out)
			_ = s.conn.Close()
			return true
		}
		if strings.Contains(string(body), "fatal") {
			s.out = wire.Fatalf(wire.CodeAdminShutdown, "terminating connection").Append(s.out)
			_, _ = s.conn.Write(s.out)
			_ = s.conn.Close()
			return true
		}
		return false
	}
	steps := []struct{ sql, want string }{
		{"die", "E(08006)ZI"},
		{"SELECT 1", "CZI"},
		{"fatal", "E(57P01)ZI"},
		{"BEGIN", "CZT"},
		{"SELECT 1", "CZT"},
		{"die", "E(08006)ZE"},
		{"SELECT 1", "E(25P02)ZE"},
		{"COMMIT", "CZI"},
		{"SELECT 1", "CZI"},
		{"BEGIN", "CZT"},
		{"die", "E(08006)ZE"}, // the deferred BEGIN and the statement went together
		{"ABORT", "CZI"},
		{"SELECT 1", "CZI"},
	}
	for _, s := range steps {
		if got := c.query(s.sql); got != s.want {
			t.Fatalf("%s: %s, want %s", s.sql, got, s.want)
		}
	}
	c.send(append(unprepared("SELECT 1"), unprepared("die")...))
	if got := c.replies(2); got != "12nCZIE(08006)ZI" {
		t.Errorf("in the second of two batches: %s", got)
	}
	// The extended protocol in a lost transaction, as PostgREST ends it: ABORT is parsed in the failed block.
	c.query("BEGIN")
	c.query("die")
	c.send(unprepared("SELECT 1"))
	if got := c.replies(1); got != "E(25P02)ZE" {
		t.Error(got)
	}
	c.send(parse("15", "ABORT"))
	if got := c.replies(1); got != "1ZE" {
		t.Error(got)
	}
	describe := func(name string) []byte {
		return wire.AppendEmpty(wire.AppendDescribe(nil, 'S', name), wire.ClientSync)
	}
	c.send(describe("15"))
	if got := c.replies(1); got != "tnZE" {
		t.Error(got)
	}
	c.send(prepared("15"))
	if got := c.replies(1); got != "2nCZI" {
		t.Error(got)
	}
	// As pg8000 ends it: each message by itself, and the unnamed statement is described.
	c.query("BEGIN")
	c.query("die")
	c.send(describe("no such statement"))
	if got := c.replies(1); got != "E(25P02)ZE" {
		t.Error(got)
	}
	c.send(append(parse("", "rollback"), describe("")...))
	if got := c.replies(2); got != "1ZEtnZE" {
		t.Error(got)
	}
	c.send(prepared(""))
	if got := c.replies(1); got != "2nCZI" {
		t.Error(got)
	}
}

// TestQueryWaitTimeout: who waits for too long is told, with a code that does not make PostgREST reload its schema, and stays.
func TestQueryWaitTimeout(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) {
		c.DefaultPoolSize, c.QueryWaitTimeout = 1, 300*time.Millisecond
	})
	holder, waiter := logIn(t, addr), logIn(t, addr)
	holder.query("BEGIN")
	holder.query("SELECT 1")
	if got := waiter.query("SELECT 1"); got != "E(53300)ZI" {
		t.Errorf("the wait ended with %s", got)
	}
	rest := logIn(t, addr, "application_name", "PostgREST 14.14")
	if got := rest.query("SELECT 1"); got != "E(PT429)ZI" {
		t.Errorf("PostgREST's wait ended with %s", got)
	}
	holder.query("COMMIT")
	if got := waiter.query("SELECT 1"); got != "CZI" {
		t.Errorf("after the wait: %s", got)
	}
}
