package pool

import (
	"context"
	"strings"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// TestPauseUnderLoad: nothing is lost and nothing done twice; a paused database has no server.
func TestPauseUnderLoad(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 4 })
	w := gather(t, f, addr, 12)
	for i := range 10 {
		database := []string{"", "d"}[i%2]
		w.more(t, 20)
		must(t, p.Pause(t.Context(), database))
		if n := servers(p); n != 0 {
			t.Errorf("%d servers while paused", n)
		}
		if !showsPaused(p, database) {
			t.Error("it does not show as paused")
		}
		within(t, "everyone waits", func() bool { return waiting(p) == 12 })
		must(t, p.Resume(database))
	}
	w.more(t, 20)
	w.disperse(t)
}

// TestReconnectUnderLoad: every server is replaced, and nobody notices.
func TestReconnectUnderLoad(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 4 })
	w := gather(t, f, addr, 12)
	for range 10 {
		w.more(t, 20)
		before := map[uint64]bool{}
		for _, s := range p.Servers() {
			before[s.ID] = true
		}
		must(t, p.Reconnect("d"))
		must(t, p.WaitClose(t.Context(), "d"))
		for _, s := range p.Servers() {
			if before[s.ID] {
				t.Errorf("server %d has outlived RECONNECT and WAIT_CLOSE", s.ID)
			}
		}
	}
	w.more(t, 20)
	w.disperse(t)
}

// TestSuspendUnderLoad: while suspended nobody is answered, and afterwards nothing is missing. Servers stay.
func TestSuspendUnderLoad(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize, c.SuspendTimeout = 4, 10*time.Second })
	w := gather(t, f, addr, 12)
	for range 5 {
		w.more(t, 20)
		must(t, p.Suspend(t.Context()))
		n, logins := f.syncs.Load(), f.logins.Load()
		time.Sleep(50 * time.Millisecond) // in which something could happen
		if now := f.syncs.Load(); now != n {
			t.Errorf("%d requests reached the server while suspended", now-n)
		}
		must(t, p.Resume(""))
		w.more(t, 20)
		if now := f.logins.Load(); now > logins+4 {
			t.Errorf("%d new servers after SUSPEND", now-logins)
		}
	}
	w.disperse(t)
}

// TestPauseWaits: PAUSE waits for a transaction, for a session in session mode, and for whoever began to replicate; its end lets go on.
func TestPauseWaits(t *testing.T) {
	for _, test := range []struct {
		name  string
		mode  config.Mode
		begin func(t *testing.T, addr string) *testClient
		leave func(c *testClient)
	}{
		{"transaction", config.ModeTransaction, func(t *testing.T, addr string) *testClient {
			c := logIn(t, addr)
			c.query("BEGIN")
			c.query("SELECT 1")
			return c
		}, func(c *testClient) { c.query("COMMIT") }},
		{"session", config.ModeSession, func(t *testing.T, addr string) *testClient {
			c := logIn(t, addr)
			c.query("SELECT 1")
			return c
		}, func(c *testClient) { _ = c.conn.Close() }},
		{"replication", config.ModeTransaction, func(t *testing.T, addr string) *testClient {
			c := dialTest(t, addr)
			c.send(replicationStartup("d", "database"))
			c.replies(1)
			return c
		}, func(c *testClient) { _ = c.conn.Close() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := startFake(t)
			p, addr := startPooler(t, f.url(), func(c *config.Config) { c.PoolMode = test.mode })
			holder := test.begin(t, addr)
			paused := make(chan *wire.Error, 1)
			go func() { paused <- p.Pause(t.Context(), "d") }()
			within(t, "the pause", func() bool { yes, _ := p.DatabaseState("d"); return yes })
			late := make(chan string, 1)
			go func() { late <- logIn(t, addr).query("SELECT 2") }()
			within(t, "the next client waits", func() bool { return waiting(p) == 1 })
			select {
			case err := <-paused:
				t.Fatalf("PAUSE did not wait: %v", err)
			default:
			}
			test.leave(holder)
			if err := <-paused; err != nil {
				t.Fatal(err)
			}
			if n := servers(p); n != 0 {
				t.Errorf("%d servers", n)
			}
			must(t, p.Resume("d"))
			if got := <-late; got != "CZI" {
				t.Errorf("afterwards: %s", got)
			}
		})
	}
}

// TestPauseGivenUp: a PAUSE of all whose console goes is undone; one that another console ends says so.
func TestPauseGivenUp(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), nil)
	holder := logIn(t, addr)
	holder.query("BEGIN")
	holder.query("SELECT 1")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan *wire.Error, 1)
	go func() { ended <- p.Pause(ctx, "") }()
	within(t, "the pause", func() bool { paused, _ := p.HoldState(); return paused })
	stop()
	if err := <-ended; err == nil || err.Code != wire.CodeQueryCanceled {
		t.Errorf("given up: %v", err)
	}
	if paused, _ := p.HoldState(); paused {
		t.Error("still paused")
	}
	if got := logIn(t, addr).query("SELECT 1"); got != "CZI" {
		t.Error(got)
	}
	for _, database := range []string{"", "d"} {
		go func() { ended <- p.Pause(t.Context(), database) }()
		within(t, "the pause", func() bool { return showsPaused(p, database) })
		must(t, p.Resume(database))
		if err := <-ended; err == nil || err.Code != wire.CodeProtocolViolation {
			t.Errorf("resumed: %v", err)
		}
	}
}

// TestControlErrors has the words of PgBouncer's admin.c.
func TestControlErrors(t *testing.T) {
	f := startFake(t)
	p, _ := startPooler(t, f.url(), func(c *config.Config) {
		c.Databases["d"] = c.Databases["*"]
		delete(c.Databases, "*")
	})
	ctx := t.Context()
	none := func() *wire.Error { return nil }
	for _, test := range []struct {
		before func() *wire.Error
		err    func() *wire.Error
		want   string
	}{
		{none, func() *wire.Error { return p.Pause(ctx, "x") }, "no such database: x"},
		{none, func() *wire.Error { return p.Pause(ctx, "pgbouncer") }, "cannot pause admin db: pgbouncer"},
		{none, func() *wire.Error { return p.Resume("") }, "pooler is not paused/suspended"},
		{none, func() *wire.Error { return p.Resume("d") }, "database d is not paused"},
		{none, func() *wire.Error { return p.Resume("x") }, "no such database: x"},
		{none, func() *wire.Error { return p.Kill("x") }, "no such database: x"},
		{none, func() *wire.Error { return p.Kill("pgbouncer") }, "cannot kill admin db: pgbouncer"},
		{none, func() *wire.Error { return p.KillClient(1 << 40) }, "client not found"},
		{none, func() *wire.Error { return p.Reconnect("x") }, "no such database: x"},
		{none, func() *wire.Error { return p.WaitClose(ctx, "x") }, "no such database: x"},
		{none, func() *wire.Error { return p.WaitClose(ctx, "pgbouncer") }, "cannot wait in admin db: pgbouncer"},
		{none, func() *wire.Error { return p.Disable("") }, "a database is required"},
		{none, func() *wire.Error { return p.Disable("x") }, "no such database: x"},
		{none, func() *wire.Error { return p.Enable("pgbouncer") }, "cannot disable admin db: pgbouncer"},
		{func() *wire.Error { return p.Pause(ctx, "d") }, func() *wire.Error { return p.Suspend(ctx) }, "cannot suspend with paused databases"},
		{func() *wire.Error { return p.Pause(ctx, "d") }, func() *wire.Error { return p.Pause(ctx, "d") }, ""},
		{func() *wire.Error { return p.Resume("d") }, func() *wire.Error { return p.Pause(ctx, "") }, ""},
		{none, func() *wire.Error { return p.Pause(ctx, "") }, "already suspended/paused"},
		{none, func() *wire.Error { return p.Suspend(ctx) }, "already suspended/paused"},
		{none, func() *wire.Error { return p.Kill("d") }, "already suspended/paused"},
		{func() *wire.Error { return p.Resume("") }, func() *wire.Error { return p.Kill("d") }, ""},
		{none, func() *wire.Error { return p.Resume("") }, ""}, // nothing else is paused
		{func() *wire.Error { p.DrainClients(); return nil }, func() *wire.Error { return p.Resume("") }, "pooler is shutting down"},
	} {
		must(t, test.before())
		switch err := test.err(); {
		case test.want == "" && err == nil:
		case err == nil || err.Message != test.want || err.Code != wire.CodeProtocolViolation:
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

// TestKill closes clients in every state at once, and pauses.
func TestKill(t *testing.T) {
	f := startFake(t)
	f.hook = func(_ *fakeSession, typ byte, body []byte) bool {
		return typ == wire.ClientQuery && strings.HasPrefix(string(body), "HANG")
	}
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.DefaultPoolSize = 2 })
	idle, inTx, running, queued := logIn(t, addr), logIn(t, addr), logIn(t, addr), logIn(t, addr)
	idle.query("SELECT 1")
	inTx.query("BEGIN")
	inTx.query("SELECT 1")
	running.send(wire.AppendQuery(nil, "HANG"))
	within(t, "the query runs", func() bool { return servers(p) == 2 && len(p.Servers()) == 2 })
	queued.send(wire.AppendQuery(nil, "SELECT 1"))
	within(t, "one waits", func() bool { return waiting(p) == 1 })
	must(t, p.Kill("d"))
	if n := len(p.Clients()); n != 0 {
		t.Errorf("%d clients after KILL", n)
	}
	for name, c := range map[string]*testClient{"idle": idle, "in a transaction": inTx, "waiting": queued} {
		if got := c.closed(); got != "E(57P01)" {
			t.Errorf("the client that was %s: %s", name, got)
		}
	}
	running.closed()
	within(t, "no server", func() bool { return servers(p) == 0 })
	late := make(chan string, 1)
	go func() { late <- logIn(t, addr).query("SELECT 2") }()
	within(t, "a new client waits", func() bool { return waiting(p) == 1 })
	must(t, p.Resume("d"))
	if got := <-late; got != "CZI" {
		t.Error(got)
	}
}

func TestKillClient(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), nil)
	a, b := logIn(t, addr), logIn(t, addr)
	a.query("SELECT 1")
	must(t, p.KillClient(p.Clients()[0].ID))
	if n := len(p.Clients()); n != 1 {
		t.Errorf("%d clients are left, want one", n)
	}
	if got := a.closed(); got != "E(57P01)" {
		t.Error(got)
	}
	if got := b.query("SELECT 1"); got != "CZI" {
		t.Error(got)
	}
}

func TestDisable(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), nil)
	there := logIn(t, addr)
	must(t, p.Disable("d"))
	if _, disabled := p.DatabaseState("d"); !disabled {
		t.Error("it does not show")
	}
	if got := refusedLogin(t, addr, "d", "u"); got != `database "d" is disabled` {
		t.Errorf("got %q", got)
	}
	if got := there.query("SELECT 1"); got != "CZI" {
		t.Errorf("who is there already: %s", got)
	}
	must(t, p.Enable("d"))
	logIn(t, addr)
}

// refusedLogin gives the words with which a login is refused; empty: it is not.
func refusedLogin(t *testing.T, addr, database, user string) string {
	t.Helper()
	c := dialTest(t, addr)
	c.send(wire.AppendStartup(nil, wire.Version30, []wire.Param{{Name: "user", Value: user}, {Name: "database", Value: database}}))
	for {
		switch typ, body := c.message(); typ {
		case wire.ServerErrorResponse:
			e, _ := wire.ParseError(body)
			return e.Message
		case wire.ServerReadyForQuery:
			return ""
		}
	}
}

// TestServerFastClose: in session mode RECONNECT closes the server between transactions, and its client with it, only where that is wanted.
func TestServerFastClose(t *testing.T) {
	for _, fast := range []bool{true, false} {
		f := startFake(t)
		p, addr := startPooler(t, f.url(), func(c *config.Config) { c.PoolMode, c.ServerFastClose = config.ModeSession, fast })
		idle, busy := logIn(t, addr), logIn(t, addr)
		idle.query("SELECT 1")
		busy.query("BEGIN")
		busy.query("SELECT 1")
		must(t, p.Reconnect("d"))
		if !fast {
			time.Sleep(3 * tick)
			if got := idle.query("SELECT 1"); got != "CZI" {
				t.Error(got)
			}
			continue
		}
		if got := idle.closed(); got != "E(57P01)" {
			t.Errorf("between transactions: %s", got)
		}
		if got := busy.query("SELECT 1"); got != "CZT" {
			t.Errorf("in a transaction: %s", got)
		}
		busy.query("COMMIT")
		if got := busy.closed(); got != "E(57P01)" {
			t.Errorf("after it: %s", got)
		}
	}
}

// TestReconnectReplication: a replication connection would live for ever.
func TestReconnectReplication(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), nil)
	c := dialTest(t, addr)
	c.send(replicationStartup("d", "database"))
	c.replies(1)
	must(t, p.Reconnect(""))
	if got := c.closed(); got != "E(57P01)" {
		t.Error(got)
	}
	must(t, p.WaitClose(t.Context(), ""))
}

// showsPaused tells whether a database is shown as paused, or all are when it is empty: the one does not show as the other.
func showsPaused(p *Pooler, database string) bool {
	if all, _ := p.HoldState(); all != (database == "") {
		return false
	}
	one, _ := p.DatabaseState("d")
	return one == (database != "")
}
