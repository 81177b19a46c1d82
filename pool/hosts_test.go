package pool

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire/secure"
)

func TestWaysTo(t *testing.T) {
	for _, test := range []struct {
		host string
		mode secure.Mode
		want string
	}{
		{"a", secure.Disable, "never"},
		{"a", secure.Allow, "never, then always"},
		{"a", secure.Prefer, "if able, then never"},
		{"a", secure.Require, "always"},
		{"a", secure.VerifyCA, "always"},
		{"a", secure.VerifyFull, "always"},
		{"/run/postgresql", secure.VerifyFull, "never"},
		{"@postgresql", secure.Prefer, "never"},
	} {
		var got []string
		for i, w := range waysTo([]string{test.host}, test.mode) {
			if w.host != test.host || w.second != (i > 0) {
				t.Errorf("%s %v: %+v", test.host, test.mode, w)
			}
			got = append(got, [...]string{"never", "if able", "always"}[w.tls])
		}
		if s := strings.Join(got, ", then "); s != test.want {
			t.Errorf("%s %v: %s, want %s", test.host, test.mode, s, test.want)
		}
	}
}

func TestWayNumber(t *testing.T) {
	if i, err := wayNumber(net.JoinHostPort(wayName(12), "5432")); i != 12 || err != nil {
		t.Errorf("%d, %v", i, err)
	}
	for _, bad := range []string{"", "way-1", "127.0.0.1:5432", "way-x:1"} {
		if _, err := wayNumber(bad); err == nil {
			t.Errorf("%q is a way", bad)
		}
	}
}

func TestEndpoints(t *testing.T) {
	p := &Pooler{}
	p.settings.Store(config.Defaults())
	for _, test := range []struct{ host, network, address, logged string }{
		{"127.0.0.1", "tcp", "127.0.0.1:5433", "127.0.0.1:5433"},
		{"::1", "tcp", "[::1]:5433", "[::1]:5433"},
		{"/run/postgresql", "unix", "/run/postgresql/.s.PGSQL.5433", "unix:5433"},
		{"@pg", "unix", "@pg/.s.PGSQL.5433", "unix:5433"},
	} {
		got, err := p.endpoints(t.Context(), test.host, 5433)
		if err != nil || len(got) != 1 || got[0].network != test.network || got[0].address != test.address || got[0].String() != test.logged {
			t.Errorf("%s: %+v, %v", test.host, got, err)
		}
	}
	if got := (endpoint{network: "tcp", address: "[::ffff:192.0.2.1]:1"}).addr(); got != a1 {
		t.Errorf("address: %v", got)
	}
	if got := (endpoint{network: "unix", address: "/x/.s.PGSQL.1"}).addr(); got != (netip.Addr{}) {
		t.Errorf("address of a Unix socket: %v", got)
	}
}

// TestHostsInTurn: round-robin takes another host each time, disable keeps the one that was reached.
func TestHostsInTurn(t *testing.T) {
	hosts := []string{"a", "b", "c"}
	p := &Pool{}
	for _, want := range []string{"a b c", "b c a", "c a b", "a b c"} {
		if got := strings.Join(p.hostsInTurn(hosts, true), " "); got != want {
			t.Errorf("round-robin: %s, want %s", got, want)
		}
	}
	p = &Pool{}
	p.reached(hosts, "b", false)
	for range 2 {
		if got := strings.Join(p.hostsInTurn(hosts, false), " "); got != "b c a" {
			t.Errorf("disable: %s", got)
		}
	}
	if got := p.hostsInTurn([]string{"a"}, false); !slices.Equal(got, []string{"a"}) {
		t.Errorf("a list that has become shorter: %v", got)
	}
}

// openTwo takes two servers at once.
func openTwo(t *testing.T, addr string) {
	t.Helper()
	one, two := logIn(t, addr), logIn(t, addr)
	for _, c := range []*testClient{one, two} {
		if got := c.query("BEGIN"); got != "CZT" {
			t.Fatal(got)
		}
		if got := c.query("SELECT 1"); !strings.HasSuffix(got, "CZT") {
			t.Fatal(got)
		}
	}
}

// TestHostList: connections go round, and past a host that is not there; a name is looked up once however many ask.
func TestHostList(t *testing.T) {
	f := startFake(t)
	port := f.listener.Addr().(*net.TCPAddr).Port
	for _, test := range []struct {
		hosts   string
		balance bool
		lines   map[string]int // of the log
	}{
		{"127.0.0.1,127.0.0.2", false, map[string]int{"new connection to server (from 127.0.0.1:": 2}},
		{"nowhere.invalid,127.0.0.1", false, map[string]int{"closing because: server DNS lookup failed": 1, "new connection to server (from 127.0.0.1:": 2}},
		{"127.0.0.2,127.0.0.1", true, map[string]int{"closing because: connect failed (age=0s)": 1, "new connection to server (from 127.0.0.1:": 2}},
		{"db.test,127.0.0.1", true, map[string]int{fmt.Sprintf(`"server_addr":"127.0.0.1:%d"`, port): 2}},
	} {
		t.Run(test.hosts, func(t *testing.T) {
			front := startFront(t, port, func(_ *config.Config, db *config.Database) { db.Host, db.LoadBalance = test.hosts, test.balance })
			openTwo(t, front.addr)
			for line, n := range test.lines {
				if got := strings.Count(front.log.String(), line); got < n {
					t.Errorf("%d times %q, want %d:\n%s", got, line, n, front.log)
				}
			}
		})
	}
}

// TestConnectTimeout: a server that takes the connection and says nothing is given up after server_connect_timeout.
func TestConnectTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	front := startFront(t, l.Addr().(*net.TCPAddr).Port, func(c *config.Config, _ *config.Database) {
		c.ServerConnectTimeout, c.ServerTLS.Mode = 100*time.Millisecond, secure.Disable
	})
	if _, err := front.ask(t, "u", "SELECT 1"); err == nil || !strings.Contains(err.Error(), "server_connect_timeout") {
		t.Errorf("%v", err)
	}
	if !strings.Contains(front.log.String(), "closing because: connect timeout (age=0s)") {
		t.Errorf("the log:\n%s", front.log)
	}
}
