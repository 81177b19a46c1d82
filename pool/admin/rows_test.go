package admin

import (
	"net"
	"slices"
	"testing"
	"time"

	"poolerd/pool"
	"poolerd/pool/config"
	"poolerd/pool/metrics"
)

// lay gives rows as a client that asks for text sees them.
func lay(t *testing.T, columns []column, rows [][]any) [][]string {
	t.Helper()
	var all [][]string
	for _, row := range rows {
		if len(row) != len(columns) {
			t.Fatalf("a row of %d values for %d columns", len(row), len(columns))
		}
		var values [][]byte
		for i, v := range row {
			values = append(values, encodeValue(columns[i], textFormat, v))
		}
		all = append(all, texts(values))
	}
	return all
}

func same(t *testing.T, got, want [][]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d rows, want %d:\n%q", len(got), len(want), got)
		return
	}
	for i := range got {
		if !slices.Equal(got[i], want[i]) {
			t.Errorf("row %d is\n%q, want\n%q", i, got[i], want[i])
		}
	}
}

var (
	addr  = &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1234}
	local = &net.TCPAddr{IP: net.IPv6loopback, Port: 6432}
)

func TestPoolRows(t *testing.T) {
	same(t, lay(t, poolColumns(), poolRows([]pool.PoolInfo{{
		Database: "shop", User: "ann", Mode: config.ModeTransaction, Size: 20, Reserve: 5, Clients: 9, Active: 6, Waiting: 3,
		ServersBusy: 4, ServersIdle: 2, ServersOpening: 1, LongestWait: 2*time.Second + 1500*time.Microsecond, Totals: metrics.Totals{Pinned: 7},
	}})), [][]string{{
		"shop", "ann", "6", "3", "0", "0", "4", "0", "0", "2", "0", "0", "1", "2", "1500", "transaction", "NULL", "20", "5", "7",
	}})
}

func TestClientRows(t *testing.T) {
	began := time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	zone := began.Format("MST")
	now := began.Add(90 * time.Second)
	since := now.Add(-1250 * time.Millisecond)
	seen, waits := "2026-03-04 05:06:07 "+zone, since.Format("2006-01-02 15:04:05 MST")
	one := pool.ClientInfo{ID: 17, User: "ann", Database: "shop", Addr: addr, Local: local, Connected: began, Since: since, Application: "web"}
	with := func(state pool.State, server uint64, pinned string) pool.ClientInfo {
		c := one
		c.State, c.ServerID, c.ServerPID, c.Pinned = state, server, 99, pinned
		return c
	}
	want := func(state, wait, us, link, pinned string) []string {
		return []string{
			"C", "ann", "shop", "none", state, "10.0.0.1", "1234", "::1", "6432", seen, waits, wait, us, "0",
			"c17", link, "0", "", "web", "0", "17", pinned,
		}
	}
	same(t, lay(t, clientColumns(), clientRows([]pool.ClientInfo{
		with(pool.StateIdle, 0, ""), with(pool.StateWaiting, 0, ""), with(pool.StateActive, 4, ""), with(pool.StateInTx, 4, "LISTEN"),
		with(pool.StateInTx, 0, ""), with(pool.StateLogin, 0, ""), with(pool.StateClosing, 0, ""),
	}, now)), [][]string{
		want("idle", "0", "0", "", "NULL"), want("waiting", "1", "250000", "", "NULL"), want("active", "0", "0", "s4", "NULL"),
		want("active", "0", "0", "s4", "LISTEN"), want("idle", "0", "0", "", "NULL"), want("login", "0", "0", "", "NULL"), want("closing", "0", "0", "", "NULL"),
	})
}

func TestServerRows(t *testing.T) {
	same(t, lay(t, serverColumns(), serverRows([]pool.ServerInfo{
		{ID: 4, User: "keeper", Database: "shop", State: "active", Addr: addr, Local: local, PID: 3_000_000_000, ClientID: 17, Uses: 8, Application: "web"},
		{ID: 5, User: "keeper", Database: "shop", State: "idle", Addr: &net.UnixAddr{Name: "/run/.s.PGSQL.5432", Net: "unix"}},
	})), [][]string{
		{"S", "keeper", "shop", "none", "active", "10.0.0.1", "1234", "::1", "6432", "NULL", "NULL", "0", "0", "0", "s4", "c17", "3000000000", "", "web", "0", "4", "8"},
		{"S", "keeper", "shop", "none", "idle", "unix", "0", "", "0", "NULL", "NULL", "0", "0", "0", "s5", "", "0", "", "", "0", "5", "0"},
	})
}

// TestStatRows: pools of one database are one row; averages are of the last period.
func TestStatRows(t *testing.T) {
	total := metrics.Totals{
		ServerAssigns: 1, Transactions: 2, Queries: 3, Received: 4, Sent: 5, TxTime: 6 * time.Microsecond, QueryTime: 7 * time.Microsecond,
		WaitTime: 8 * time.Microsecond, Parses: 9, ServerParses: 10, Binds: 1 << 62,
	}
	last := metrics.Totals{
		ServerAssigns: 20, Transactions: 40, Queries: 60, Received: 80, Sent: 100, TxTime: 400 * time.Microsecond, QueryTime: 1200 * time.Microsecond,
		WaitTime: 600 * time.Microsecond, Parses: 120, ServerParses: 140, Binds: 160,
	}
	pools := []pool.PoolInfo{
		{Database: "a", Totals: total, Last: last, LastTook: 2 * time.Second},
		{Database: "a", Totals: total, Last: last, LastTook: 4 * time.Second},
		{Database: "b", Totals: total},
	}
	totals := []string{"2", "4", "6", "8", "10", "12", "14", "16", "18", "20", "9223372036854775808"}
	averages := []string{"15", "30", "45", "60", "75", "10", "20", "30", "90", "105", "120"}
	b, none := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "4611686018427387904"}, slices.Repeat([]string{"0"}, 11)
	row := func(name string, parts ...[]string) []string {
		return append([]string{name}, slices.Concat(parts...)...)
	}
	same(t, lay(t, statsColumns(), statRows(pools, figures.totals, figures.averages)), [][]string{row("a", totals, averages), row("b", b, none)})
	same(t, lay(t, totalsColumns(), statRows(pools, figures.totals)), [][]string{row("a", totals), row("b", b)})
	same(t, lay(t, averagesColumns(), statRows(pools, figures.averages)), [][]string{row("a", averages), row("b", none)})
}

func TestDatabaseRows(t *testing.T) {
	conf := newPooler(t).Config()
	same(t, lay(t, databaseColumns(), databaseRows(conf, []pool.PoolInfo{
		{Database: "shop", User: "keeper", Clients: 5, ServersBusy: 1, ServersIdle: 2, ServersOpening: 3},
		{Database: "other", User: "ann", Clients: 1},
		{Database: "other", User: "bob", Clients: 2, ServersIdle: 1},
	})), [][]string{
		{"*", "127.0.0.1", "5998", "NULL", "NULL", "20", "0", "2", "1800", "NULL", "NULL", "0", "0", "0", "0", "0", "0"},
		{"other", "127.0.0.1", "5998", "other", "NULL", "20", "0", "2", "1800", "NULL", "NULL", "0", "1", "0", "3", "0", "0"},
		{"shop", "127.0.0.1", "5999", "shop_v2", "keeper", "7", "0", "2", "1800", "session", "NULL", "9", "6", "0", "5", "0", "0"},
	})
}

func TestUserRows(t *testing.T) {
	conf := newPooler(t).Config()
	loads := countUsers(
		[]pool.PoolInfo{{Database: "shop", User: "keeper", ServersBusy: 1, ServersIdle: 2}, {Database: "other", User: "keeper", ServersOpening: 1}},
		[]pool.ClientInfo{{User: "ann"}, {User: "ann"}},
	)
	same(t, lay(t, userColumns(), userRows(conf, loads)), [][]string{
		{"ann", "3", "NULL", "statement", "4", "0", "0", "2"},
		{"keeper", "NULL", "NULL", "NULL", "0", "4", "0", "0"},
		{"root", "NULL", "NULL", "NULL", "0", "0", "0", "0"},
		{"watcher", "NULL", "NULL", "NULL", "0", "0", "0", "0"},
	})
}

func TestConfigListsState(t *testing.T) {
	c := newConsole(t)
	x := connect(t, c, "watcher")
	entries := c.pooler.Config().Entries()
	a := x.query("SHOW CONFIG")
	if len(a.rows) != len(entries) {
		t.Fatalf("%d rows for %d entries", len(a.rows), len(entries))
	}
	for i, e := range entries {
		changeable := map[bool]string{true: "yes", false: "no"}[e.Changeable]
		if got := texts(a.rows[i]); !slices.Equal(got, []string{e.Key, e.Value, e.Default, changeable}) {
			t.Errorf("row %q for %+v", got, e)
		}
	}
	var lists [][]string
	for _, row := range x.query("SHOW LISTS").rows {
		lists = append(lists, texts(row))
	}
	same(t, lists, [][]string{
		{"databases", "2"},
		{"users", "3"},
		{"peers", "0"},
		{"pools", "0"},
		{"peer_pools", "0"},
		{"free_clients", "0"},
		{"used_clients", "0"},
		{"login_clients", "0"},
		{"free_servers", "0"},
		{"used_servers", "0"},
		{"dns_names", "0"},
		{"dns_zones", "0"},
		{"dns_queries", "0"},
		{"dns_pending", "0"},
	})
	var state [][]string
	for _, row := range x.query("SHOW STATE").rows {
		state = append(state, texts(row))
	}
	same(t, state, [][]string{{"active", "yes"}, {"paused", "no"}, {"suspended", "no"}})
}
