package admin

import (
	"net"
	"net/netip"
	"slices"
	"strings"
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
		ServersActive: 3, ServersIdle: 2, ServersUsed: 8, ServersTested: 6, ServersOpening: 1, Cancels: 2, BeingCanceled: 1, Hosts: 2, LoadBalance: true,
		LongestWait: 2*time.Second + 1500*time.Microsecond, Totals: metrics.Totals{Pinned: 7},
	}})), [][]string{{
		"shop", "ann", "6", "3", "2", "0", "3", "2", "1", "2", "8", "6", "1", "2", "1500", "transaction", "round-robin", "20", "5", "7",
	}})
}

func TestClientRows(t *testing.T) {
	began := time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	zone := began.Format("MST")
	now := began.Add(90 * time.Second)
	since := now.Add(-1250 * time.Millisecond)
	seen, waits := "2026-03-04 05:06:07 "+zone, since.Format("2006-01-02 15:04:05 MST")
	one := pool.ClientInfo{ID: 17, User: "ann", Database: "shop", Addr: addr, Local: local, Connected: began, Since: since, Application: "web", TLS: "TLSv1.3/X", PID: 9, Statements: 3}
	with := func(state pool.State, server uint64, pinned string) pool.ClientInfo {
		c := one
		c.State, c.ServerID, c.ServerPID, c.Pinned = state, server, 99, pinned
		return c
	}
	want := func(state, wait, us, link, pinned string) []string {
		return []string{
			"C", "ann", "shop", "none", state, "10.0.0.1", "1234", "::1", "6432", seen, waits, wait, us, "0",
			"0x11", link, "9", "TLSv1.3/X", "web", "3", "17", pinned,
		}
	}
	same(t, lay(t, clientColumns(), clientRows([]pool.ClientInfo{
		with(pool.StateIdle, 0, ""), with(pool.StateWaiting, 0, ""), with(pool.StateActive, 4, ""), with(pool.StateInTx, 4, "LISTEN"),
		with(pool.StateInTx, 0, ""), with(pool.StateLogin, 0, ""), with(pool.StateClosing, 0, ""),
	}, now)), [][]string{
		want("idle", "0", "0", "", "NULL"), want("waiting", "1", "250000", "", "NULL"), want("active", "1", "250000", "0x4", "NULL"),
		want("active", "0", "0", "0x4", "LISTEN"), want("idle", "0", "0", "", "NULL"), want("waiting", "0", "0", "", "NULL"), want("idle", "0", "0", "", "NULL"),
	})
}

func TestServerRows(t *testing.T) {
	servers := []pool.ServerInfo{
		{
			ID: 20, User: "keeper", Database: "shop", State: pool.ServerActive, Addr: addr, Local: local, PID: 3_000_000_000, ClientID: 17, Uses: 8, Application: "web",
			TLS: "TLSv1.3/X", Statements: 5, CloseNeeded: true,
		},
		{ID: 5, User: "keeper", Database: "attic", State: pool.ServerUsed, Addr: &net.UnixAddr{Name: "/run/.s.PGSQL.5432", Net: "unix"}},
	}
	row := func(state string, first bool) []string {
		if first {
			return []string{
				"S", "keeper", "shop", "none", state, "10.0.0.1", "1234", "::1", "6432", "NULL", "NULL", "0", "0", "1", "0x14", "0x11", "3000000000", "TLSv1.3/X", "web", "5", "20",
			}
		}
		return []string{"S", "keeper", "attic", "none", state, "unix", "0", "", "0", "NULL", "NULL", "0", "0", "0", "0x5", "", "0", "", "", "0", "5"}
	}
	same(t, lay(t, serverColumns(), serverRows(servers)), [][]string{append(row("active", true), "8"), append(row("used", false), "0")})
	clients := []pool.ClientInfo{
		{ID: 17, User: "ann", Database: "shop", State: pool.StateActive, Addr: addr, Local: local, ServerID: 20},
		{ID: 1, User: "bob", Database: "pgbouncer", State: pool.StateIdle},
		{ID: 2, User: "bob", Database: "shop", State: pool.StateWaiting},
		{ID: 3, User: "bob", Database: "shop", State: pool.StateLogin},
	}
	var shown [][]string
	for _, r := range lay(t, bufferColumns(), socketRows(clients, servers, time.Time{})) {
		shown = append(shown, []string{r[0], r[2], r[4], r[14], r[15], r[21], r[27]})
	}
	same(t, shown, [][]string{
		{"S", "attic", "sv_used", "0x5", "", "0", "0"},
		{"C", "pgbouncer", "cl_active", "0x1", "", "0", "0"},
		{"C", "shop", "cl_active", "0x11", "0x14", "0", "0"},
		{"C", "shop", "cl_waiting", "0x2", "", "0", "0"},
		{"C", "shop", "cl_login", "0x3", "", "0", "0"},
		{"S", "shop", "sv_active", "0x14", "0x11", "0", "0"},
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
		{Database: "a", Totals: total, Last: last, LastTook: 2 * time.Second},
		{Database: "b", Totals: total, LastTook: 2 * time.Second},
	}
	totals := []string{"2", "4", "6", "8", "10", "12", "14", "16", "18", "20", "9223372036854775808"}
	averages := []string{"20", "40", "60", "80", "100", "10", "20", "30", "120", "140", "160"}
	b, none := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "4611686018427387904"}, slices.Repeat([]string{"0"}, 11)
	row := func(name string, parts ...[]string) []string {
		return append([]string{name}, slices.Concat(parts...)...)
	}
	same(t, lay(t, statsColumns(), statRows(pools, figures.totals, figures.averages)), [][]string{row("a", totals, averages), row("b", b, none)})
	same(t, lay(t, totalsColumns(), statRows(pools, figures.totals)), [][]string{row("a", totals), row("b", b)})
	same(t, lay(t, averagesColumns(), statRows(pools, figures.averages)), [][]string{row("a", averages), row("b", none)})
	var sums [][]string
	for _, part := range []string{"total_", "avg_"} {
		for i, name := range strings.Fields("server_assignment_count xact_count query_count client_bytes server_bytes xact_time query_time wait_time " +
			"ps_client_parse_count ps_server_parse_count ps_bind_count") {
			value := totals[i]
			if part == "avg_" {
				value = averages[i]
			}
			sums = append(sums, []string{part + name, value})
		}
	}
	same(t, lay(t, sumColumns(), sumRows(pools[:2])), sums)
}

func TestDatabaseRows(t *testing.T) {
	conf := newPooler(t).Config()
	names := databaseNames(conf, []pool.PoolInfo{{Database: "shop"}, {Database: "other"}, {Database: "other", User: "ann"}, {Database: "pgbouncer"}})
	same(t, lay(t, databaseColumns(), databaseRows(conf, names, func(name string) databaseLoad {
		return map[string]databaseLoad{
			"shop": {load{6, 5}, false, true}, "other": {load{5, 3}, true, false}, "pgbouncer": {load{0, 3}, false, false},
		}[name]
	})), [][]string{
		{"other", "127.0.0.1", "5998", "other", "NULL", "20", "0", "2", "1800", "NULL", "NULL", "0", "5", "0", "3", "1", "0"},
		{"pgbouncer", "NULL", "6432", "pgbouncer", "pgbouncer", "2", "0", "2", "1800", "statement", "NULL", "0", "0", "0", "3", "0", "0"},
		{"shop", "127.0.0.1", "5999", "shop_v2", "keeper", "7", "0", "2", "1800", "session", "NULL", "9", "6", "0", "5", "0", "1"},
	})
}

func TestUserRows(t *testing.T) {
	conf := newPooler(t).Config()
	same(t, lay(t, userColumns(), userRows(conf, userNames(conf, []string{"keeper", "ann", "ann"}), func(name string) load {
		return map[string]load{"ann": {0, 2}, "keeper": {4, 0}}[name]
	})), [][]string{
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
		{"users", "4"},
		{"peers", "0"},
		{"pools", "1"},
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

func TestSmallRows(t *testing.T) {
	same(t, lay(t, dnsHostColumns(), nameRows([]pool.NameInfo{
		{Host: "db.example", TTL: 2500 * time.Millisecond, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::1")}}, {Host: "nowhere.example"},
	})), [][]string{{"db.example", "2", "10.0.0.1,::1"}, {"nowhere.example", "0", ""}})
	size := 3
	conf := &config.Config{DefaultPoolSize: 20, Peers: map[int]config.Peer{7: {ID: 7, Host: "b", Port: 6433}, 2: {ID: 2, Host: "a", Port: 6432, PoolSize: &size}}}
	same(t, lay(t, peerColumns(), peerRows(conf)), [][]string{{"2", "a", "6432", "3"}, {"7", "b", "6433", "20"}})
	same(t, lay(t, peerPoolColumns(), peerPoolRows([]pool.PeerPoolInfo{{ID: 2, Cancels: 4}})), [][]string{{"2", "4", "0", "4", "0"}})
	same(t, lay(t, memColumns(), memRows([]pool.MemoryInfo{{Name: "a", Size: 10, Used: 3, Free: 2}, {Name: "b", Size: 1, Used: 1 << 40}})),
		[][]string{{"a", "10", "3", "2", "50"}, {"b", "1", "1099511627776", "0", "1099511627776"}})
}
