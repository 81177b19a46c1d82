package pool

import (
	"strings"
	"testing"

	"poolerd/bench/postgres"
	"poolerd/pool/config"
	"poolerd/wire"
)

// pinPooler starts a pooler before it, and gives a way to log in.
func pinPooler(t *testing.T, cluster *postgres.Cluster, change func(*config.Config)) (*Pooler, func() *testClient) {
	t.Helper()
	p, addr := startPooler(t, cluster.URL("", ""), change)
	return p, func() *testClient { return logIn(t, addr, "user", "postgres", "database", "postgres") }
}

// value runs a query, and gives the first column of its first row, or what came in its place.
func (c *testClient) value(sql string) string {
	c.t.Helper()
	c.send(wire.AppendQuery(nil, sql))
	value, got := "", false
	for {
		typ, body := c.message()
		switch typ {
		case wire.ServerDataRow:
			if row, ok := wire.ParseDataRow(body); ok && !got {
				value, got = string(row[0]), true
			}
		case wire.ServerErrorResponse:
			value, got = string(wire.ErrorCode(body)), true
		case wire.ServerReadyForQuery:
			return value
		}
	}
}

func (c *testClient) want(sql, replies string) {
	c.t.Helper()
	if got := c.query(sql); got != replies {
		c.t.Errorf("%s: %s, want %s", sql, got, replies)
	}
}

// pinned is what SHOW CLIENTS says of the pooler's clients.
func pinned(p *Pooler) string {
	var all []string
	for _, c := range p.Clients() {
		all = append(all, c.Pinned)
	}
	return strings.Join(all, "; ")
}

func busyServers(p *Pooler) (n int) {
	for _, i := range p.Pools() {
		n += i.ServersActive + i.ServersTested + i.BeingCanceled
	}
	return n
}

// pinTexts are statements that keep a server, the replies to them, the words for it, and what ends it.
var pinTexts = []struct{ sql, replies, words, end string }{
	{"CREATE TEMP TABLE prop (n int)", "CZI", "temporary table", "DROP TABLE prop"},
	{"SELECT 1 AS n INTO TEMPORARY prop", "CZI", "temporary table", "DISCARD TEMP"},
	{"CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CZI", "temporary table", "DROP FUNCTION pg_temp.f"},
	{"SELECT pg_advisory_lock(4711)", "TDCZI", "advisory lock", "SELECT pg_advisory_unlock(4711)"},
	{"SELECT pg_try_advisory_lock_shared(1, 2)", "TDCZI", "advisory lock", "SELECT pg_advisory_unlock_all()"},
	{"DECLARE c CURSOR WITH HOLD FOR SELECT 1", "CZI", "cursor WITH HOLD", "CLOSE c"},
	{"PREPARE p AS SELECT 1", "CZI", "PREPARE", "DEALLOCATE p"},
	{"PREPARE p AS SELECT 2", "CZI", "PREPARE", "DEALLOCATE ALL"},
}

// TestPinsAreShown: who keeps a server and why, and that it is free again when the reason has gone.
func TestPinsAreShown(t *testing.T) {
	p, connect := pinPooler(t, startCluster(t), nil)
	c := connect()
	for _, tc := range pinTexts {
		for _, end := range []string{tc.end, "DISCARD ALL"} {
			c.want(tc.sql, tc.replies)
			if got := pinned(p); got != tc.words || busyServers(p) != 1 {
				t.Errorf("%s: pinned %q, %d servers busy; want %q, 1", tc.sql, got, busyServers(p), tc.words)
			}
			c.query("SELECT 1")
			if got := pinned(p); got != tc.words {
				t.Errorf("%s, and another statement: pinned %q, want %q", tc.sql, got, tc.words)
			}
			c.query(end)
			if got := pinned(p); got != "" || busyServers(p) != 0 {
				t.Errorf("%s; %s: pinned %q, %d servers busy; want nobody, 0", tc.sql, end, got, busyServers(p))
			}
		}
	}
	c.query("CREATE TEMP TABLE prop (n int); SELECT pg_advisory_lock(1)")
	c.query("DECLARE c CURSOR WITH HOLD FOR SELECT 1")
	if got := pinned(p); got != "temporary table, advisory lock, cursor WITH HOLD" {
		t.Errorf("three reasons: %q", got)
	}
	c.query("DROP TABLE prop; CLOSE c")
	if got := pinned(p); got != "advisory lock" {
		t.Errorf("one reason left: %q", got)
	}
	c.query("SELECT pg_advisory_unlock(1)")
	c.want("BEGIN; CREATE TEMP TABLE prop (n int) ON COMMIT DROP; SELECT pg_advisory_xact_lock(1); COMMIT", "CCTDCCZI")
	c.want("BEGIN; CREATE TEMP TABLE prop (n int); PREPARE gone AS SELECT 1; DEALLOCATE gone; ROLLBACK", "CCCCCZI")
	if got := pinned(p); got != "" || busyServers(p) != 0 {
		t.Errorf("what was gone with its transaction keeps %d servers: %q", busyServers(p), got)
	}
	if totals := p.Pools()[0].Totals; totals.Pinned != 0 || totals.Pins < uint64(2*len(pinTexts)) {
		t.Errorf("counted: %d pinned, %d pins", totals.Pinned, totals.Pins)
	}
}

// TestPinsOfAClientThatGoes: however it goes, its server serves others, without what it had there.
func TestPinsOfAClientThatGoes(t *testing.T) {
	p, connect := pinPooler(t, startCluster(t), func(c *config.Config) { c.DefaultPoolSize = 1 })
	for _, tc := range pinTexts {
		for _, how := range []string{"Terminate", "cut"} {
			c := connect()
			c.want(tc.sql, tc.replies)
			pid := c.value("SELECT pg_backend_pid()")
			if how == "Terminate" {
				c.send(wire.AppendEmpty(nil, wire.ClientTerminate))
				c.closed()
			}
			_ = c.conn.Close()
			d := connect()
			if got := d.value("SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') + (SELECT count(*) FROM pg_cursors WHERE name = 'c') + (SELECT count(*) FROM pg_prepared_statements WHERE from_sql)" +
				" + (SELECT count(*) FROM pg_class WHERE relname = 'prop') + (SELECT count(*) FROM pg_proc WHERE proname = 'f')"); got != "0" {
				t.Errorf("%s, %s: %s are left", tc.sql, how, got)
			}
			if got := d.value("SELECT pg_backend_pid()"); got != pid {
				t.Errorf("%s, %s: the server was not used again", tc.sql, how)
			}
			_ = d.conn.Close()
		}
	}
	within(t, "everybody is gone", func() bool { return pinned(p) == "" && busyServers(p) == 0 })
}

// TestPinsThatLast: what no statement takes away keeps the server until its client leaves, and nobody gets it then.
func TestPinsThatLast(t *testing.T) {
	p, connect := pinPooler(t, startCluster(t), func(c *config.Config) { c.DefaultPoolSize = 1 })
	for _, sql := range []string{"LOAD 'plpgsql'", "SET temp_buffers = 100", "SELECT setseed(0.5)", "DO $$ BEGIN PERFORM setseed(0.5); END $$"} {
		c := connect()
		c.query(sql)
		pid := c.value("SELECT pg_backend_pid()")
		for _, end := range []string{"SELECT 1", "RESET ALL", "DISCARD ALL"} {
			c.query(end)
			if got := pinned(p); got != "LOAD or other lasting state" {
				t.Errorf("%s; %s: pinned %q", sql, end, got)
			}
		}
		_ = c.conn.Close()
		d := connect()
		if got := d.value("SELECT pg_backend_pid()"); got == pid {
			t.Errorf("%s: another client has got the server", sql)
		}
		_ = d.conn.Close()
	}
}

// TestPinPolicyError: what would keep a server is refused before it is sent, and the client goes on.
func TestPinPolicyError(t *testing.T) {
	p, connect := pinPooler(t, startCluster(t), func(c *config.Config) { c.DefaultPoolSize, c.PinPolicy = 1, config.PinError })
	c := connect()
	for _, tc := range pinTexts {
		c.want(tc.sql, "E(0A000)ZI")
		c.send(unprepared(tc.sql))
		if got := c.replies(1); got != "1E(0A000)ZI" {
			t.Errorf("%s, extended: %s", tc.sql, got)
		}
		c.send(parse("s", tc.sql))
		c.replies(1)
		c.send(prepared("s"))
		if got := c.replies(1); got != "E(0A000)ZI" {
			t.Errorf("%s, prepared: %s", tc.sql, got)
		}
		c.send(wire.AppendEmpty(wire.AppendClose(nil, 'S', "s"), wire.ClientSync))
		c.replies(1)
		c.want("BEGIN", "CZT")
		c.want(tc.sql, "E(0A000)ZE")
		c.want("SELECT 1", "E(25P02)ZE")
		c.want("ROLLBACK", "CZI")
		c.want("SELECT 1", "TDCZI")
	}
	if got := c.value("SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') + (SELECT count(*) FROM pg_class WHERE relname = 'prop')"); got != "0" {
		t.Errorf("%s of what was refused are there", got)
	}
	if got := pinned(p); got != "" || busyServers(p) != 0 {
		t.Errorf("pinned %q, %d servers busy", got, busyServers(p))
	}

	c.want("BEGIN", "CZT")
	c.want("CREATE TEMP TABLE prop (n int) ON COMMIT DROP", "CZT")
	c.want("COMMIT", "CZI")
	// What no word reveals is seen afterwards: the session ends, since it would go on without it.
	c.send(wire.AppendQuery(nil, "DO $$ BEGIN EXECUTE 'CREATE TE' || 'MP TABLE prop (n int)'; END $$"))
	if got := c.closed(); got != "CZE(0A000)" {
		t.Errorf("hidden in code: %s", got)
	}
	if got := connect().value("SELECT to_regclass('prop')"); got != "" {
		t.Errorf("another client has inherited %s", got)
	}
}

// TestPinPolicyOff: the state is thrown away when its transaction ends, and nobody inherits it.
func TestPinPolicyOff(t *testing.T) {
	p, connect := pinPooler(t, startCluster(t), func(c *config.Config) { c.DefaultPoolSize, c.PinPolicy = 1, config.PinOff })
	c, d := connect(), connect()
	for _, tc := range pinTexts {
		c.want(tc.sql, tc.replies)
		if got := pinned(p); got != "; " || busyServers(p) != 0 {
			t.Errorf("%s: pinned %q, %d servers busy", tc.sql, got, busyServers(p))
		}
		for _, one := range []*testClient{c, d} {
			if got := one.value("SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') + (SELECT count(*) FROM pg_cursors WHERE name = 'c') + (SELECT count(*) FROM pg_prepared_statements WHERE from_sql)" +
				" + (SELECT count(*) FROM pg_class WHERE relname = 'prop') + (SELECT count(*) FROM pg_proc WHERE proname = 'f')"); got != "0" {
				t.Errorf("%s: %s are left", tc.sql, got)
			}
		}
	}
	c.want("BEGIN; CREATE TEMP TABLE prop (n int)", "CCZT")
	c.want("INSERT INTO prop VALUES (1)", "CZT")
	c.want("COMMIT", "CZI")
	c.want("SELECT * FROM prop", "E(42P01)ZI")
	c.want("SET work_mem TO '5MB'", "CZI")
	c.want("CREATE TEMP TABLE prop (n int)", "CZI")
	if got := c.value("SHOW work_mem"); got != "5MB" {
		t.Errorf("a parameter went with the table: %s", got)
	}
	if got := d.value("SHOW work_mem"); got != "4MB" {
		t.Errorf("a parameter was inherited: %s", got)
	}
}

// TestMaxPinnedServers: one client more is refused, with an error that names the limit, and everybody is served.
func TestMaxPinnedServers(t *testing.T) {
	p, connect := pinPooler(t, startCluster(t), func(c *config.Config) { c.DefaultPoolSize, c.MaxPinnedServers = 3, 2 })
	a, b, c, d := connect(), connect(), connect(), connect()
	a.want("CREATE TEMP TABLE prop (n int)", "CZI")
	b.want("SELECT pg_advisory_lock(1)", "TDCZI")
	for _, tc := range pinTexts {
		c.want(tc.sql, "E(53400)ZI")
		c.send(unprepared(tc.sql))
		if got := c.replies(1); got != "1E(53400)ZI" {
			t.Errorf("%s, extended: %s", tc.sql, got)
		}
	}
	c.want("BEGIN", "CZT")
	c.want("CREATE TEMP TABLE prop (n int)", "E(53400)ZE")
	c.want("COMMIT", "CZI")
	c.want("BEGIN", "CZT") // a table that goes with its transaction needs no place
	c.want("CREATE TEMP TABLE prop (n int) ON COMMIT DROP", "CZT")
	c.want("COMMIT", "CZI")
	for _, one := range []*testClient{a, b, c, d} {
		one.want("SELECT 1", "TDCZI")
	}
	a.want("PREPARE p AS SELECT 1", "CZI") // it has its server already
	a.want("DROP TABLE prop", "CZI")
	c.want("CREATE TEMP TABLE prop (n int)", "E(53400)ZI")
	a.want("DEALLOCATE p", "CZI")
	c.want("CREATE TEMP TABLE prop (n int)", "CZI")
	a.want("CREATE TEMP TABLE prop (n int)", "E(53400)ZI")
	_ = b.conn.Close()
	within(t, "the place of a client that has gone is free", func() bool { return a.query("SELECT pg_advisory_lock(2)") == "TDCZI" })
	if got := pinned(p); got != "advisory lock; temporary table; " {
		t.Errorf("pinned: %q", got)
	}
	d.send(wire.AppendQuery(nil, "DO $$ BEGIN EXECUTE 'CREATE TE' || 'MP TABLE hidden (n int)'; END $$"))
	if got := d.closed(); got != "CZE(53400)" {
		t.Errorf("hidden in code, and no place left: %s", got)
	}
	if got := connect().value("SELECT count(*) FROM pg_class WHERE relname = 'hidden'"); got != "0" {
		t.Errorf("%s hidden tables are left", got)
	}
}

// TestPinsOfSessionMode: there a client has its server anyway, and neither policy nor limit has anything to say.
func TestPinsOfSessionMode(t *testing.T) {
	p, connect := pinPooler(t, startCluster(t), func(c *config.Config) {
		c.DefaultPoolSize, c.MaxPinnedServers, c.PinPolicy, c.PoolMode = 2, 1, config.PinError, config.ModeSession
	})
	a, b := connect(), connect()
	for _, tc := range pinTexts {
		for _, c := range []*testClient{a, b} {
			if strings.Contains(tc.sql, "pg_advisory_lock(") && c == b {
				continue // it would wait for a's
			}
			c.want(tc.sql, tc.replies)
			c.query("SELECT 1")
		}
		if got := pinned(p); got != "; " {
			t.Errorf("%s: pinned %q", tc.sql, got)
		}
		for _, c := range []*testClient{a, b} {
			if got := c.query(tc.end); strings.Contains(got, "E") {
				t.Errorf("%s; %s: %s", tc.sql, tc.end, got)
			}
		}
	}
}
