package pool

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/auth"
)

// altered changes a copy of the settings, for a reload.
func altered(p *Pooler, change func(c *config.Config)) *config.Config {
	conf := *p.config()
	conf.Databases = maps.Clone(conf.Databases)
	change(&conf)
	return &conf
}

func (c *testClient) hold() *testClient {
	c.query("BEGIN")
	c.query("SELECT 1")
	return c
}

// TestClientLimits: each limit counts whom it is for, and a client that has gone makes room.
func TestClientLimits(t *testing.T) {
	two := 2
	for _, test := range []struct {
		name    string
		change  func(c *config.Config)
		clients [][2]string // database and user of those who come first
		refused [2]string
		want    string
		beside  [2]string // somebody who may still come
	}{
		{
			"max_client_conn", func(c *config.Config) { c.MaxClientConn = 2 },
			[][2]string{{"d", "u"}, {"e", "v"}},
			[2]string{"f", "w"},
			"no more connections allowed (max_client_conn)",
			[2]string{},
		},
		{
			"max_db_client_connections", func(c *config.Config) { c.MaxDBClientConnections = 2 },
			[][2]string{{"d", "u"}, {"d", "v"}},
			[2]string{"d", "w"},
			"client connections exceeded (max_db_client_connections)",
			[2]string{"e", "w"},
		},
		{
			"max_user_client_connections", func(c *config.Config) { c.MaxUserClientConnections = 2 },
			[][2]string{{"d", "u"}, {"e", "u"}},
			[2]string{"f", "u"},
			"client connections exceeded (max_user_client_connections)",
			[2]string{"f", "w"},
		},
		{
			"a user's own", func(c *config.Config) {
				c.MaxUserClientConnections = 1
				c.Users = map[string]config.UserSettings{"u": {Name: "u", MaxUserClientConnections: &two}}
			},
			[][2]string{{"d", "u"}, {"e", "u"}},
			[2]string{"f", "u"},
			"client connections exceeded (max_user_client_connections)",
			[2]string{"f", "w"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := startFake(t)
			p, addr := startPooler(t, f.url(), test.change)
			var there []*testClient
			for _, c := range test.clients {
				there = append(there, logIn(t, addr, "database", c[0], "user", c[1]))
			}
			for range 2 {
				if got := refusedLogin(t, addr, test.refused[0], test.refused[1]); got != test.want {
					t.Fatalf("got %q, want %q", got, test.want)
				}
			}
			if test.beside[0] != "" {
				logIn(t, addr, "database", test.beside[0], "user", test.beside[1])
			}
			database, user := test.clients[0][0], test.clients[0][1]
			_, before := p.DatabaseConnections(database)
			_, mine := p.UserConnections(user)
			_ = there[0].conn.Close()
			within(t, "it is counted out", func() bool {
				_, n := p.DatabaseConnections(database)
				_, m := p.UserConnections(user)
				return n == before-1 && m == mine-1
			})
			if got := refusedLogin(t, addr, test.refused[0], test.refused[1]); got != "" {
				t.Errorf("with room again: %q", got)
			}
		})
	}
}

// TestSeatOfConsole: administrators are counted and never refused, others of the console are.
func TestSeatOfConsole(t *testing.T) {
	f := startFake(t)
	p, _ := startPooler(t, f.url(), func(c *config.Config) {
		c.AdminUsers, c.StatsUsers, c.MaxDBClientConnections = []string{"admin"}, []string{"stats"}, 1
	})
	for range 2 {
		if _, err := p.seatConsole("pgbouncer", "admin", false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.seatConsole("pgbouncer", "stats", false); err == nil {
		t.Error("the database is full for others")
	}
	if _, n := p.DatabaseConnections("pgbouncer"); n != 2 {
		t.Errorf("%d sessions are counted, want 2", n)
	}
}

// TestEviction: an idle server of one pool goes for the waiting client of another, the one that has been idle for longest; one that is in use does not.
func TestEviction(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c *config.Config)
		from   [3][2]string // database and user of those who leave an idle server, oldest first, and of the one who needs a place
	}{
		{"max_db_connections", func(c *config.Config) { c.MaxDBConnections = 2 }, [3][2]string{{"d", "a"}, {"d", "b"}, {"d", "c"}}},
		{"max_user_connections", func(c *config.Config) { c.MaxUserConnections = 2 }, [3][2]string{{"d", "a"}, {"e", "a"}, {"f", "a"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := startFake(t)
			p, addr, log := startLogged(t, f.url(), test.change)
			for _, who := range test.from[:2] {
				logIn(t, addr, "database", who[0], "user", who[1]).query("SELECT 1")
			}
			client := logIn(t, addr, "database", test.from[2][0], "user", test.from[2][1])
			if got := client.hold(); got == nil {
				t.Fatal("no server")
			}
			if n := log.count("closing because: evicted"); n != 1 {
				t.Errorf("%d servers were evicted, want 1", n)
			}
			var left []string
			for _, s := range p.Servers() {
				left = append(left, s.Database+"/"+s.User)
			}
			want := []string{test.from[1][0] + "/" + test.from[1][1], test.from[2][0] + "/" + test.from[2][1]}
			if fmt.Sprint(left) != fmt.Sprint(want) {
				t.Errorf("servers %v, want %v", left, want)
			}
			// Now nothing is idle: who comes next waits, and is served when somebody else is done.
			second := logIn(t, addr, "database", test.from[1][0], "user", test.from[1][1]).hold()
			late := make(chan string, 1)
			go func() { late <- logIn(t, addr, "database", test.from[0][0], "user", test.from[0][1]).query("SELECT 2") }()
			within(t, "it waits", func() bool { return waiting(p) == 1 })
			if n := log.count("closing because: evicted"); n != 1 {
				t.Errorf("a server in use was evicted")
			}
			second.query("COMMIT")
			if got := <-late; got != "CZI" {
				t.Error(got)
			}
			if n := log.count("closing because: evicted"); n != 2 {
				t.Errorf("%d servers were evicted, want 2", n)
			}
		})
	}
}

// TestSharesUnderLoad: pools that share few servers all get some, and the limit holds.
func TestSharesUnderLoad(t *testing.T) {
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.MaxDBConnections = 3 })
	var clients sync.WaitGroup
	for i := range 15 {
		c := logIn(t, addr, "user", fmt.Sprint("u", i%5))
		clients.Go(func() {
			for range 20 {
				if got := c.query("SELECT 1"); got != "CZI" {
					t.Errorf("user %d: %s", i%5, got)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	for {
		if n, _ := p.DatabaseConnections("d"); n > 3 {
			t.Errorf("%d servers of the database", n)
		}
		select {
		case <-done:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// TestReserveIsLogged once for each server of the reserve.
func TestReserveIsLogged(t *testing.T) {
	f := startFake(t)
	p, addr, log := startLogged(t, f.url(), func(c *config.Config) {
		c.DefaultPoolSize, c.ReservePoolSize, c.ReservePoolTimeout = 2, 3, 300*time.Millisecond
	})
	var clients sync.WaitGroup
	release := make(chan struct{})
	for range 7 {
		c := logIn(t, addr)
		clients.Go(func() {
			c.hold()
			<-release
			c.query("COMMIT")
		})
	}
	within(t, "five servers", func() bool { return servers(p) == 5 && waiting(p) == 2 })
	time.Sleep(2 * tick)
	if n := log.count("taking connection from reserve_pool"); n != 3 || servers(p) != 5 {
		t.Errorf("%d lines, %d servers; want 3 and 5", n, servers(p))
	}
	close(release)
	clients.Wait()
}

// TestMinPoolSizeWithoutClients: only a database with a user of its own has servers before anyone asks, and the limits hold for them too.
func TestMinPoolSizeWithoutClients(t *testing.T) {
	f := startFake(t)
	p, addr, log := startLogged(t, f.url(), func(c *config.Config) {
		c.MinPoolSize, c.MaxDBConnections = 4, 3
		db := c.Databases["*"]
		db.DBName, db.User, db.Name = "d", "", "free"
		c.Databases["free"] = db
		db.User, db.Name = "owner", "forced"
		c.Databases["forced"] = db
	})
	count := func(name string) int { n, _ := p.DatabaseConnections(name); return n }
	within(t, "servers without a client", func() bool { return count("forced") == 3 })
	if n := count("free"); n != 0 {
		t.Errorf("%d servers for nobody", n)
	}
	logIn(t, addr, "database", "free")
	within(t, "servers for a client that asks nothing", func() bool { return count("free") == 3 })
	if n := log.count("evicted"); n != 0 {
		t.Error("min_pool_size evicts nobody")
	}
}

// TestServerLifetimeZero: each server serves once; the one that the welcome was learned from has not served yet.
func TestServerLifetimeZero(t *testing.T) {
	f := startFake(t)
	p, addr, log := startLogged(t, f.url(), func(c *config.Config) { c.ServerLifetime = 0 })
	before := f.logins.Load()
	c := logIn(t, addr)
	for range 3 {
		c.query("SELECT 1")
		within(t, "no server", func() bool { return servers(p) == 0 })
	}
	if n := f.logins.Load() - before; n != 3 || log.count("closing because: server lifetime over") < 3 {
		t.Errorf("%d servers for three statements", n)
	}
}

// TestDisablePqexec: the simple protocol is refused, the extended one is not.
func TestDisablePqexec(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.DisablePqexec = true })
	for _, inTx := range []bool{false, true} {
		c := logIn(t, addr)
		c.send(parse("a", "BEGIN"))
		if inTx {
			c.send(parse("b", "SELECT 1"))
			c.replies(1)
		}
		c.replies(1)
		c.send(wire.AppendQuery(nil, "SELECT 1"))
		if got := c.closed(); got != "E(08P01)" {
			t.Error(got)
		}
	}
}

// TestMaxPacketSize: one message more, from either side, and its session or its statement ends.
func TestMaxPacketSize(t *testing.T) {
	f := startFake(t)
	f.hook = func(s *fakeSession, typ byte, body []byte) bool {
		if typ != wire.ClientQuery || !strings.HasPrefix(string(body), "SELECT large") {
			return false
		}
		s.out = append(s.out, wire.ServerDataRow, 0, 0, 0x10, 0)
		s.out = append(s.out, make([]byte, 0x1000-4)...)
		s.out = wire.AppendCommandComplete(s.out, "SELECT 1")
		s.ready()
		return true
	}
	_, addr := startPooler(t, f.url(), func(c *config.Config) { c.MaxPacketSize = 1000 })
	c := logIn(t, addr)
	if got := c.query("SELECT " + strings.Repeat("x", 900)); got != "CZI" {
		t.Fatal(got)
	}
	if got := c.query("SELECT large"); got != "E(54000)ZI" {
		t.Errorf("a large row: %s", got)
	}
	if got := c.query("SELECT 1"); got != "CZI" {
		t.Errorf("after it: %s", got)
	}
	c.send(wire.AppendQuery(nil, "SELECT "+strings.Repeat("x", 1000)))
	if got := c.closed(); got != "E(54000)" {
		t.Errorf("a large statement: %s", got)
	}
}

// TestAutoDatabase: databases of the fallback entry are told of, and forgotten.
func TestAutoDatabase(t *testing.T) {
	f := startFake(t)
	p, addr, log := startLogged(t, f.url(), func(c *config.Config) {
		c.AutodbIdleTimeout, c.ServerIdleTimeout = 300*time.Millisecond, 100*time.Millisecond
	})
	for _, user := range []string{"u", "v"} {
		c := logIn(t, addr, "database", "x", "user", user)
		c.query("SELECT 1")
		defer func() { _ = c.conn.Close() }()
	}
	if n := log.count("registered new auto-database: x"); n != 1 {
		t.Errorf("%d lines, want one", n)
	}
	for _, c := range p.allClients() {
		c.end(reasonShutdown, nil)
	}
	within(t, "it is forgotten", func() bool { return len(p.Pools()) == 0 })
	if n := log.count("dropping database 'x'"); n != 1 {
		t.Errorf("%d lines, want one", n)
	}
}

// TestAbsentDatabase: of a database that PostgreSQL does not have nothing is kept for long, whatever autodb_idle_timeout says: anybody can name some.
func TestAbsentDatabase(t *testing.T) {
	f := startFake(t)
	p, _, _ := startLogged(t, f.url(), func(c *config.Config) { c.AutodbIdleTimeout = 0 })
	conf := p.config()
	for _, test := range []struct {
		code wire.Code
		kept bool
	}{{wire.CodeUndefinedDatabase, false}, {wire.CodeUnableToEstablish, true}} {
		pool, refused := p.pool(string(test.code), "u")
		if refused != nil {
			t.Fatal(refused)
		}
		pool.part()
		now := time.Now()
		keys := &auth.Keys{ClientKey: []byte{1}, ServerKey: []byte{1}, Iterations: 1}
		pool.offer(Credentials{Keys: keys})
		pool.mu.Lock()
		pool.outage.failed(wire.Errorf(test.code, "no"), now, time.Minute)
		pool.mu.Unlock()
		p.tendPools(now.Add(absentKept/2), conf)
		if len(p.Pools()) != 1 {
			t.Fatalf("%s: it is gone at once", test.code)
		}
		p.tendPools(now.Add(2*absentKept), conf)
		p.mu.Lock()
		pools, watches := len(p.pools), len(p.watches)
		p.mu.Unlock()
		if gone := keys.ClientKey == nil; gone == test.kept {
			t.Errorf("%s: the keys of its user are wiped: %v", test.code, gone)
		}
		if kept := pools == 1; kept != test.kept || watches != pools {
			t.Errorf("%s: kept %v, with %d watches", test.code, kept, watches)
		}
	}
}

// TestSeatOfWhoHasLeft: a client that closes its connection and opens the next is not one too many, however busy the pooler is with the end of the first.
func TestSeatOfWhoHasLeft(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) {
		c.MaxUserClientConnections, c.MaxDBClientConnections, c.MaxClientConn = 1, 1, 1
	})
	for range 50 {
		c := dialTest(t, addr)
		c.send(replicationStartup("d", "database"))
		if got := c.replies(1); got != replicationWelcome { // it takes its server along
			t.Fatal(got)
		}
		_ = c.conn.Close()
	}
}
