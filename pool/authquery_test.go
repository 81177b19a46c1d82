package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/bench/postgres"
	"poolerd/pool/config"
	"poolerd/wire"
)

// TestAuthQueries: a login never gets an answer to a question that was asked before it came, and those that wait share one.
func TestAuthQueries(t *testing.T) {
	var q authQueries
	var asked atomic.Int32
	hold := make(chan struct{})
	carryOut := func(context.Context, authQuestion) authAnswer {
		n := asked.Add(1)
		<-hold
		return authAnswer{found: true, secret: config.NewSecret(fmt.Sprint(n))}
	}
	var all sync.WaitGroup
	defer all.Wait()
	start := func(f func()) { all.Go(f) }
	question := authQuestion{user: "u"}
	got := make(chan string, 2)
	ask := func() {
		a, err := q.ask(context.Background(), question, start, carryOut)
		if err != nil {
			t.Error(err)
		}
		got <- a.secret.Reveal()
	}
	all.Go(ask)
	within(t, "the first question is asked", func() bool { return asked.Load() == 1 })
	all.Go(ask)
	within(t, "the second login waits for one more", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.next[question] != nil
	})
	gone, stop := context.WithCancel(context.Background())
	stop()
	for range 50 { // logins that join the second, and end before the answer
		if _, err := q.ask(gone, question, start, carryOut); !errors.Is(err, context.Canceled) {
			t.Errorf("a login that has ended waits: %v", err)
		}
	}
	hold <- struct{}{}
	if first := <-got; first != "1" {
		t.Errorf("the first login got answer %s", first)
	}
	close(hold)
	if second := <-got; second != "2" {
		t.Errorf("the second login got answer %s, whose question was asked before it came", second)
	}
	within(t, "no question is kept", q.idle)
	if n := asked.Load(); n != 2 {
		t.Errorf("%d questions for all of them", n)
	}
}

// idle tells whether nothing is asked.
func (q *authQueries) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.next) == 0
}

// authHouse is a pooler before a real PostgreSQL, whose auth_user is asker.
func authHouse(t *testing.T, change func(c *config.Config)) (*loginHouse, *postgres.Cluster) {
	t.Helper()
	cluster := startCluster(t)
	if _, err := cluster.Psql(t.Context(), "postgres", `CREATE ROLE asker LOGIN SUPERUSER PASSWORD 'asker'; CREATE ROLE reader LOGIN PASSWORD 'first'; CREATE ROLE nologin PASSWORD 'x';
		SET password_encryption = md5; CREATE ROLE hashed LOGIN PASSWORD 'first'; CREATE ROLE owner LOGIN`); err != nil {
		t.Fatal(err)
	}
	url := "postgres://asker@" + net.JoinHostPort(cluster.Host(), fmt.Sprint(cluster.Port())) + "/postgres"
	h := openHouse(t, url, func(c *config.Config, dir string) {
		c.AuthType, c.AuthFile = config.AuthMD5, file(t, dir, "users", `"asker" "asker"`+"\n")
		c.AuthUser = "asker"
		entry := c.Databases["*"]
		entry.Name, entry.DBName = "shop", "postgres"
		c.Databases = map[string]config.Database{"shop": entry}
		change(c)
	})
	return h, cluster
}

// TestAuthQuery: who is not in auth_file is asked for with PgBouncer's own query, at each login anew.
func TestAuthQuery(t *testing.T) {
	h, cluster := authHouse(t, func(c *config.Config) {
		own := c.Databases["shop"]
		set := func(name string, change func(d *config.Database)) {
			d := own
			d.Name = name
			change(&d)
			c.Databases[name] = d
		}
		text := func(s string) *string { return &s }
		set("forced", func(d *config.Database) { d.User = "owner" })
		set("elsewhere", func(d *config.Database) { d.AuthDBName = text("nowhere") })
		set("console", func(d *config.Database) { d.AuthDBName = text("pgbouncer") })
		set("three", func(d *config.Database) { d.AuthQuery = text("SELECT $1::text, 'a', 'b'") })
		set("several", func(d *config.Database) {
			d.AuthQuery = text("SELECT rolname, rolpassword FROM pg_authid WHERE rolname IN ($1, 'hashed')")
		})
		set("twice", func(d *config.Database) {
			d.AuthQuery = text("SELECT rolname, rolpassword FROM pg_authid, generate_series(1, 2) WHERE rolname = $1")
		})
		set("null", func(d *config.Database) { d.AuthQuery = text("SELECT NULL, $1::text") })
		set("broken", func(d *config.Database) {
			d.AuthQuery = text("SELECT usename, passwd FROM not_pg_shadow WHERE usename = $1")
		})
		set("moody", func(d *config.Database) {
			d.AuthQuery = text("SELECT rolname, CASE current_setting('work_mem') WHEN '4MB' THEN rolpassword END FROM pg_authid WHERE rolname = $1")
		})
	})
	sql := func(text string) {
		t.Helper()
		if _, err := cluster.Psql(t.Context(), "postgres", text); err != nil {
			t.Fatal(err)
		}
	}
	const wrong = "wrong password, or no such user"
	h.expect("dbname=shop user=reader password=first", "")
	h.expect("dbname=shop user=hashed password=first", "")
	h.expect("dbname=shop user=reader password=second", "SASL authentication failed: "+wrong)
	h.expect("dbname=shop user=hashed password=second", "password authentication failed: "+wrong)
	h.expect("dbname=shop user=nobody password=first", wrong)
	h.log.wants(t, "closing because: no such user (age=0s)")
	h.expect("dbname=shop user=nologin password=x", wrong)
	h.expect("dbname=shop user=asker password=asker", "")
	h.expect("dbname=shop user=asker password=x", wrong)

	sql("ALTER ROLE reader PASSWORD 'second'")
	h.expect("dbname=shop user=reader password=first", wrong)
	h.expect("dbname=shop user=reader password=second", "")
	sql("ALTER ROLE reader VALID UNTIL '1999-01-01'")
	h.expect("dbname=shop user=reader password=second", "password authentication failed")
	sql("ALTER ROLE reader VALID UNTIL 'infinity'")
	h.expect("dbname=shop user=reader password=second", "")

	h.expect("dbname=forced user=reader password=second", "")
	h.expect("dbname=elsewhere user=reader password=second", "bouncer config error")
	h.log.wants(t, `authentication database \"nowhere\" is not configured.`)
	h.expect("dbname=console user=reader password=second", "bouncer config error")
	h.log.wants(t, `cannot use the reserved \"pgbouncer\" database as an auth_dbname`)
	h.expect("dbname=pgbouncer user=reader password=second", "bouncer config error")
	h.expect("dbname=three user=reader password=second", "bouncer config error")
	h.log.wants(t, "expected 2 columns from auth_query, not 3")
	h.expect("dbname=several user=reader password=second", "bouncer config error")
	h.log.wants(t, "auth_query gave several rows, with different passwords")
	h.expect("dbname=twice user=reader password=second", "")
	h.expect("dbname=null user=reader password=second", "bouncer config error")
	h.log.wants(t, "auth_query response contained null user name")
	h.expect("dbname=broken user=reader password=second", "bouncer config error")
	h.log.wants(t, `S: error in auth_query: ERROR relation \"not_pg_shadow\" does not exist`)
	h.expect("dbname=moody user=reader password=second options='-c work_mem=64kB'", "")
	h.expect("dbname=nowhere user=reader password=second", wrong)
}

// TestAuthQueryOfTheConsole: the console's users are asked for in the global auth_dbname, and of an unknown database no less is known of the user.
func TestAuthQueryOfTheConsole(t *testing.T) {
	h, _ := authHouse(t, func(c *config.Config) { c.AuthDBName, c.StatsUsers = "shop", []string{"reader"} })
	h.expect("dbname=pgbouncer user=reader password=first", "there is no console")
	h.expect("dbname=pgbouncer user=hashed password=first", "not allowed")
	h.expect("dbname=nowhere user=reader password=first", "no such database: nowhere")
	h.expect("dbname=nowhere user=reader password=x", "wrong password, or no such user")
}

// TestTrustAuthQuery: trust wants the user to exist, and hides nothing.
func TestTrustAuthQuery(t *testing.T) {
	h, _ := authHouse(t, func(c *config.Config) { c.AuthType = config.AuthTrust })
	h.expect("dbname=shop user=reader", "")
	h.expect("dbname=shop user=nobody", "no such user")
}

// TestLoginFlood: many logins of one user cost few queries, and stay within the pool of auth_user.
func TestLoginFlood(t *testing.T) {
	h, cluster := authHouse(t, func(c *config.Config) { c.DefaultPoolSize, c.MaxClientConn = 2, 1000 })
	const logins, atOnce = 300, 30
	host, port, _ := net.SplitHostPort(h.tcp)
	settings := "host=" + host + " port=" + port + " sslmode=disable dbname=shop user=hashed password=first"
	var all sync.WaitGroup
	var failed atomic.Int32
	for range atOnce {
		all.Go(func() {
			for range logins / atOnce {
				conn, err := pgconn.Connect(t.Context(), settings)
				if err != nil {
					failed.Add(1)
					continue
				}
				_ = conn.Close(t.Context())
			}
		})
	}
	all.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of %d logins failed:\n%s", n, logins, h.log)
	}
	n, err := cluster.Psql(t.Context(), "postgres", "SELECT count(*) FROM pg_stat_activity WHERE usename = 'asker'")
	if err != nil || strings.TrimSpace(n) > "2" {
		t.Errorf("%s servers of auth_user, %v", n, err)
	}
	within(t, "no question is kept", h.pooler.authQueries.idle)
}

// TestAuthQueryWithoutServer: a database that is out of reach ends the login with an error, within its time.
func TestAuthQueryWithoutServer(t *testing.T) {
	f := startFake(t)
	url := f.url()
	_ = f.listener.Close()
	h := openHouse(t, url, func(c *config.Config, dir string) {
		c.AuthType, c.AuthFile, c.AuthUser, c.ClientLoginTimeout = config.AuthMD5, file(t, dir, "users", `"asker" "asker"`+"\n"), "asker", 3*time.Second
	})
	began := time.Now()
	if err := h.logIn("dbname=d user=reader password=x"); err == nil {
		t.Error("came in")
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("after %v", d)
	}
}

// TestAbandonedAuthQueries: a query that nobody waits for any more is given up, and one that was to follow it is not asked.
func TestAbandonedAuthQueries(t *testing.T) {
	var q authQueries
	var asked atomic.Int32
	carryOut := func(ctx context.Context, _ authQuestion) authAnswer {
		asked.Add(1)
		<-ctx.Done() // as one that waits for a server
		return authAnswer{}
	}
	var all sync.WaitGroup
	defer all.Wait()
	start := func(f func()) { all.Go(f) }
	question := authQuestion{user: "u"}
	ctx, stop := context.WithCancel(context.Background())
	ask := func() {
		if _, err := q.ask(ctx, question, start, carryOut); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	all.Go(ask)
	within(t, "the first question is asked", func() bool { return asked.Load() == 1 })
	for range 3 {
		all.Go(ask)
	}
	within(t, "three wait for one more", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		f := q.next[question]
		return f != nil && f.waiting == 3
	})
	stop()
	within(t, "no question is kept", q.idle)
	if n := asked.Load(); n > 2 {
		t.Errorf("%d questions", n)
	}
}

// TestAuthQueryEvicted: who waits for auth_query is pushed out by those who come later, like whoever is slow to speak, and leaves nothing in the queue for servers.
func TestAuthQueryEvicted(t *testing.T) {
	f := startFake(t)
	h := openHouse(t, f.url(), func(c *config.Config, dir string) {
		c.AuthType, c.AuthFile, c.AuthUser, c.MaxClientConn = config.AuthMD5, file(t, dir, "users", `"asker" "asker"`+"\n"), "asker", 1
	})
	if err := h.pooler.Pause(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	first := h.dial(startup("user", "reader0", "database", "d"))
	asked := func() int {
		h.pooler.authQueries.mu.Lock()
		defer h.pooler.authQueries.mu.Unlock()
		return len(h.pooler.authQueries.next)
	}
	within(t, "the first one's secret is asked for", func() bool { return asked() == 1 })
	for i := range leastLobby + 10 {
		h.dial(startup("user", fmt.Sprintf("reader%d", i+1), "database", "d"))
	}
	if e := readError(t, first); e.Code != wire.CodeTooManyConnections {
		t.Errorf("pushed out with %v", e)
	}
	within(t, "no more questions than logins wait", func() bool { return asked() <= leastLobby && h.pooler.lobby.count() == leastLobby })
}

// TestAuthQueryOfEndedPool: a pool that has ended says no to auth_query. It once brought everything down: there is no client's connection to end.
func TestAuthQueryOfEndedPool(t *testing.T) {
	f := startFake(t)
	h := openHouse(t, f.url(), func(c *config.Config, dir string) {
		c.AuthType, c.AuthFile, c.AuthUser = config.AuthMD5, file(t, dir, "users", `"asker" "asker"`+"\n"), "asker"
		c.AuthDBName = "d"
	})
	if err := h.logIn("dbname=pgbouncer user=reader password=x"); err == nil {
		t.Error("came in")
	}
	h.pooler.mu.Lock()
	pool := h.pooler.pools[Key{"d", "asker"}]
	h.pooler.mu.Unlock()
	pool.ending.Store(&ending{reason: reasonShutdown, err: errShutdown()})
	if err := h.logIn("dbname=pgbouncer user=reader password=x"); err == nil {
		t.Error("came in")
	}
}

// TestAuthQueryLeavesNothing: what a function of auth_query's changes in its session is not there for auth_user's clients, who have the server next.
func TestAuthQueryLeavesNothing(t *testing.T) {
	h, cluster := authHouse(t, func(c *config.Config) {
		c.DefaultPoolSize, c.WatchFunctions, c.AuthQuery = 1, time.Minute, "SELECT * FROM find($1)"
	})
	if _, err := cluster.Psql(t.Context(), "postgres", `CREATE FUNCTION find(who text, OUT name text, OUT secret text) LANGUAGE plpgsql AS $$ BEGIN
		PERFORM set_config('search_path', 'trap', false); PERFORM pg_advisory_lock(7);
		SELECT rolname, rolpassword INTO name, secret FROM pg_catalog.pg_authid WHERE rolname = who; END $$`); err != nil {
		t.Fatal(err)
	}
	h.expect("dbname=shop user=hashed password=first", "")
	client, err := pgconn.Connect(t.Context(), "postgres://asker:asker@"+h.tcp+"/shop?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close(context.Background()) }()
	for sql, want := range map[string]string{
		"SHOW search_path": `"$user", public`,
		"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'": "0",
	} {
		results, err := client.Exec(t.Context(), sql).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(results[0].Rows[0][0]); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
}

// TestAuthQueryIsNobodys: what auth_query has prepared is not there for the next client of auth_user.
func TestAuthQueryIsNobodys(t *testing.T) {
	h, _ := authHouse(t, func(c *config.Config) { c.DefaultPoolSize = 1 })
	client, err := pgconn.Connect(t.Context(), "postgres://asker:asker@"+h.tcp+"/shop?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close(context.Background()) }()
	h.expect("dbname=shop user=hashed password=first", "")
	var refused *pgconn.PgError
	result := client.ExecPrepared(t.Context(), "", [][]byte{[]byte("hashed")}, nil, nil).Read()
	if !errors.As(result.Err, &refused) || refused.Code != string(wire.CodeUndefinedPreparedStatement) {
		t.Errorf("who has prepared nothing is answered %q, %v", result.Rows, result.Err)
	}
}
