package pool

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/pool/vars"
	"poolerd/wire"
)

// within waits for a condition, 5 s at most.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// closed waits for the end of the connection, and gives what came before.
func (c *testClient) closed() string {
	c.t.Helper()
	var b strings.Builder
	_ = c.conn.SetReadDeadline(time.Now().Add(15 * time.Second))
	for {
		typ, body, err := wire.ReadMessage(c.conn, 1<<20)
		if err != nil {
			if strings.Contains(err.Error(), "timeout") {
				c.t.Fatalf("still open after 15 s; got %s", b.String())
			}
			return b.String()
		}
		b.WriteByte(typ)
		if typ == wire.ServerErrorResponse {
			b.WriteString("(" + string(wire.ErrorCode(body)) + ")")
		}
	}
}

// TestUnnamedIsNotInherited: a Parse that the server skips leaves nothing behind, neither this client's statement nor another's.
func TestUnnamedIsNotInherited(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 1 })
	a, b := logIn(t, addr), logIn(t, addr)
	b.send(unprepared("UPDATE b"))
	b.replies(1)
	bind := wire.AppendEmpty(wire.AppendExecute(wire.AppendBind(nil, "", ""), ""), wire.ClientSync)

	a.send(wire.AppendEmpty(wire.AppendBind(nil, "", "nothing"), wire.ClientFlush))
	if typ, _ := a.message(); typ != wire.ServerErrorResponse {
		t.Fatalf("a Bind of nothing: %c", typ)
	}
	a.send(wire.AppendEmpty(wire.AppendParse(nil, "", wire.ParseTail("SELECT a")), wire.ClientSync))
	if got := a.replies(1); got != "ZI" {
		t.Fatalf("a Parse that is skipped: %s", got)
	}
	a.send(bind)
	if got := a.replies(1); got != "E(26000)ZI" {
		t.Errorf("an unnamed statement that was never parsed: %s", got)
	}
	b.send(bind)
	if got := b.replies(1); got != "2CZI" {
		t.Errorf("the other client's unnamed statement: %s", got)
	}
}

// TestRepliesStayInOrder: answers of the pooler's own that fill more than the room before the server's go first all the same.
func TestRepliesStayInOrder(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	var b []byte
	for range 300 {
		b = wire.AppendEmpty(b, wire.ClientSync)
	}
	b = wire.AppendQuery(b, "SELECT '"+strings.Repeat("x", 100_000)+"'")
	c.send(b)
	if got, want := c.replies(301), strings.Repeat("ZI", 300)+"CZI"; got != want {
		t.Errorf("got %.80s...%s", got, got[len(got)-20:])
	}
}

// TestLimitOfStatementsInTransactions: what one transaction needs stays until its end, and is thrown away when the server is used next.
func TestLimitOfStatementsInTransactions(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize, c.MaxPreparedStatements = 1, 5 })
	c := logIn(t, addr)
	c.query("BEGIN")
	c.query("SELECT 1")
	for i := range 60 {
		c.send(parse(fmt.Sprint(i), fmt.Sprint("SELECT ", i)))
		if got := c.replies(1); got != "1ZT" {
			t.Fatal(got)
		}
	}
	c.query("COMMIT")
	for i := range 10 {
		c.send(prepared(fmt.Sprint(i)))
		if got := c.replies(1); got != "2nCZI" {
			t.Fatal(got)
		}
	}
	c.query("SELECT 1")
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.sessions[0].texts); n > 6 {
		t.Errorf("%d statements on the server, limit 5", n)
	}
}

// TestHealsAfterDDL: a statement whose plan a DDL has made useless is prepared anew, and the client does not notice where it is the first of its transaction. Elsewhere it
// gets the server's error, once.
func TestHealsAfterDDL(t *testing.T) {
	f := startFake(t)
	var stale atomic.Bool
	f.hook = func(s *fakeSession, typ byte, body []byte) bool {
		switch {
		case typ == wire.ClientQuery && strings.HasPrefix(string(body), "DEALLOCATE poolerd_"):
			clear(s.texts)
			stale.Store(false)
			s.out = wire.AppendCommandComplete(s.out, "DEALLOCATE")
			s.ready()
			return true
		case typ == wire.ClientBind && stale.Load() && strings.Contains(s.texts[bindName(body)], "SELECT 1"):
			s.fail(wire.CodeFeatureNotSupported)
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
	if got := c.replies(1); got != "2nCZI" || stale.Load() {
		t.Errorf("alone: %s", got)
	}
	stale.Store(true)
	c.query("BEGIN")
	c.send(prepared("0"))
	if got := c.replies(1); got != "2nCZT" || stale.Load() {
		t.Errorf("first in its transaction: %s", got)
	}
	stale.Store(true)
	c.send(prepared("0"))
	if got := c.replies(1); got != "E(0A000)ZE" {
		t.Errorf("second in its transaction: %s", got)
	}
	c.query("ROLLBACK")
	c.send(slices.Concat(prepared("0"), prepared("0")))
	if got := c.replies(2); got != "2nCZI2nCZI" || stale.Load() {
		t.Errorf("afterwards: %s", got)
	}
	stale.Store(true)
	c.send(slices.Concat(prepared("0"), prepared("0")))
	if got := c.replies(2); got != "E(0A000)ZIE(0A000)ZI" { // the second may have been carried out: nothing is sent again
		t.Errorf("two at once: %s", got)
	}
}

// bindName is the name of the statement that a Bind is of.
func bindName(body []byte) string {
	_, rest, _ := wire.CString(body)
	name, _, _ := wire.CString(rest)
	return string(name)
}

// TestSessionMode: a server is the client's until it leaves, speaks to it unasked, and is reset for the next one.
func TestSessionMode(t *testing.T) {
	f := startFake(t)
	var first atomic.Pointer[fakeSession]
	f.hook = func(s *fakeSession, typ byte, _ []byte) bool {
		if typ == wire.ClientQuery {
			first.CompareAndSwap(nil, s)
		}
		return false
	}
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize, c.PoolMode = 1, config.ModeSession })
	c := logIn(t, addr)
	c.query("LISTEN x")
	if _, err := first.Load().conn.Write([]byte{wire.ServerNotificationResponse, 0, 0, 0, 10, 0, 0, 0, 1, 'x', 0}); err != nil {
		t.Fatal(err)
	}
	if typ, _ := c.message(); typ != wire.ServerNotificationResponse {
		t.Fatalf("got %c unasked", typ)
	}
	if got := c.query("SELECT 1"); got != "CZI" {
		t.Error(got)
	}
	if got := p.Pools()[0].ServersActive; got != 1 {
		t.Errorf("%d servers are taken", got)
	}
	_ = c.conn.Close()
	next := logIn(t, addr)
	if got := next.query("SELECT next"); got != "CZI" {
		t.Error(got)
	}
	f.mu.Lock()
	seen := strings.Join(f.seen, "|")
	f.mu.Unlock()
	if !strings.Contains(seen, "DISCARD ALL|SELECT next") {
		t.Errorf("not reset: %s", seen)
	}
	first.Load().conn.Close()
	if got := next.closed(); !strings.HasPrefix(got, "E(08006)") {
		t.Errorf("a client whose session was lost: %s", got)
	}
}

func TestStatementMode(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.PoolMode = config.ModeStatement })
	for name, begin := range map[string][]byte{"simple": wire.AppendQuery(nil, "BEGIN"), "extended": unprepared("BEGIN")} {
		c := logIn(t, addr)
		if got := c.query("SELECT 1"); got != "CZI" {
			t.Error(got)
		}
		c.send(append(unprepared("SELECT 1"), unprepared("SELECT 2")...))
		if got := c.replies(2); got != "12nCZI12nCZI" {
			t.Error(got)
		}
		c.send(begin)
		if got := c.closed(); !strings.HasSuffix(got, "E(08P01)") {
			t.Errorf("%s BEGIN: %s", name, got)
		}
	}
}

// TestLeavesNothingBehind: whatever a client is doing when it dies, its server serves the next one within a second.
func TestLeavesNothingBehind(t *testing.T) {
	f := startFake(t)
	f.hook = func(_ *fakeSession, typ byte, body []byte) bool {
		return typ == wire.ClientQuery && strings.HasPrefix(string(body), "HANG") // and never answers
	}
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 1 })
	for name, last := range map[string][]byte{
		"in a transaction":     append(wire.AppendQuery(nil, "BEGIN"), wire.AppendQuery(nil, "SELECT 1")...),
		"in a query":           wire.AppendQuery(nil, "HANG"),
		"inside a message":     wire.AppendQuery(nil, "SELECT '"+strings.Repeat("x", 100_000))[:50_000],
		"before its Sync":      wire.AppendEmpty(wire.AppendBind(wire.AppendParse(nil, "", wire.ParseTail("SELECT 1")), "", ""), wire.ClientFlush),
		"behind an error":      wire.AppendEmpty(wire.AppendBind(nil, "", "nothing"), wire.ClientFlush),
		"behind a BEGIN alone": wire.AppendQuery(nil, "BEGIN"),
	} {
		t.Run(name, func(t *testing.T) {
			c := logIn(t, addr)
			c.send(last)
			time.Sleep(20 * time.Millisecond) // so that it is being worked on; the test holds without
			_ = c.conn.Close()
			next := logIn(t, addr)
			began := time.Now()
			if got := next.query("SELECT next"); got != "CZI" {
				t.Fatal(got)
			}
			if d := time.Since(began); d > 2*time.Second {
				t.Errorf("the next client waited for %v", d)
			}
		})
	}
}

// TestSharesOfADatabase: max_db_connections holds over the pools of all users.
func TestSharesOfADatabase(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) {
		c.MaxDBConnections, c.QueryWaitTimeout = 2, 300*time.Millisecond
	})
	a, b := logIn(t, addr), logIn(t, addr, "user", "other")
	a.query("BEGIN")
	a.query("SELECT 1")
	b.query("BEGIN")
	if got := b.query("SELECT 1"); got != "CZT" {
		t.Fatal(got)
	}
	third := logIn(t, addr)
	if got := third.query("SELECT 1"); got != "E(53300)ZI" {
		t.Errorf("a third server: %s", got)
	}
	a.query("COMMIT")
	if got := third.query("SELECT 1"); got != "CZI" {
		t.Errorf("with a server free: %s", got)
	}
	if n := f.logins.Load(); n != 2 {
		t.Errorf("%d servers", n)
	}
}

// TestReload: a new pool size holds at once, and drops no client.
func TestReload(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize, c.QueryWaitTimeout = 1, 300*time.Millisecond })
	a, b := logIn(t, addr), logIn(t, addr)
	a.query("BEGIN")
	a.query("SELECT 1")
	if got := b.query("SELECT 1"); got != "E(53300)ZI" {
		t.Fatal(got)
	}
	conf := *p.Config()
	conf.DefaultPoolSize = 2
	if err := p.Reload(&conf); err != nil {
		t.Fatal(err)
	}
	if got := b.query("SELECT 1"); got != "CZI" {
		t.Errorf("with a larger pool: %s", got)
	}
	if got := a.query("COMMIT"); got != "CZI" {
		t.Errorf("a transaction over a reload: %s", got)
	}
	if got := a.query("SELECT 1"); got != "CZI" {
		t.Errorf("after it: %s", got)
	}
}

// TestOutageOfTheServer: idle clients stay, those who ask are told soon, and service is back within a second.
func TestOutageOfTheServer(t *testing.T) {
	f := startFake(t)
	address := f.listener.Addr().String()
	_, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	c.query("SELECT 1")
	_ = f.listener.Close()
	f.killAll()
	began := time.Now()
	if got := c.query("SELECT 1"); !strings.HasPrefix(got, "E(08") || !strings.HasSuffix(got, "ZI") {
		t.Errorf("during the outage: %s", got)
	}
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("the error took %v", d)
	}
	again := startFakeAt(t, address)
	within(t, "service after the return", func() bool { return c.query("SELECT 1") == "CZI" })
	if n := again.logins.Load(); n != 1 {
		t.Errorf("%d logins at the return", n)
	}
}

// TestIdleServerTellsOfItsDefaults: a server that says in its idle time that a parameter has another default, since PostgreSQL has read its configuration again, goes on serving, and
// the next client is told of it.
func TestIdleServerTellsOfItsDefaults(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 1 })
	c := logIn(t, addr)
	c.query("SELECT 1")
	status := wire.AppendParameterStatus(nil, "TimeZone", "Asia/Tokyo")
	f.mu.Lock()
	conn := f.sessions[0].conn
	f.mu.Unlock()
	if _, err := conn.Write(status); err != nil {
		t.Fatal(err)
	}
	within(t, "the new default is known", func() bool {
		for _, pool := range p.allPools() {
			all, ok := pool.space.Empty().Reported()
			return ok && slices.ContainsFunc(all, func(v vars.Reported) bool { return v.Name == "TimeZone" && v.Value == "Asia/Tokyo" })
		}
		return false
	})
	if got := c.query("SELECT 2"); got != "CZI" || f.logins.Load() != 1 {
		t.Errorf("%s, %d logins at the server", got, f.logins.Load())
	}
	if _, err := conn.Write((&wire.Error{Severity: "FATAL", Code: wire.CodeAdminShutdown, Message: "going"}).Append(nil)); err != nil {
		t.Fatal(err)
	}
	within(t, "the server is closed", func() bool { return len(p.Servers()) == 0 })
}
