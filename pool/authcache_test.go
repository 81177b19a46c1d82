package pool

import (
	"errors"
	"fmt"
	"net/netip"
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

var (
	home      = netip.MustParsePrefix("192.0.2.1/32")
	elsewhere = netip.MustParsePrefix("198.51.100.1/32")
)

// TestAuthCache: what is kept serves the address that it was kept for, until its time is over or the database says otherwise.
func TestAuthCache(t *testing.T) {
	var c authCache
	began := time.Now().Add(-time.Hour)
	at := func(n int) time.Time { return began.Add(time.Duration(n) * time.Second) }
	q := authQuestion{database: "d", user: "u"}
	first, second := config.NewSecret("first"), config.NewSecret("second")
	wants := func(what string, source netip.Prefix, since time.Time, want string) {
		t.Helper()
		if s, ok := c.find(q, source, since); ok != (want != "") || s.Reveal() != want && ok {
			t.Errorf("%s: %v, want %q", what, ok, want)
		}
	}
	wants("nothing", home, began, "")
	c.keep(q, home, config.Secret{}, at(1))
	c.keep(q, home, config.NewSecret(strings.Repeat("x", longestKept+1)), at(1))
	wants("no secret, or too long a one", home, began, "")
	c.keep(q, home, first, at(1))
	wants("kept", home, began, "first")
	wants("for another address", elsewhere, began, "")
	wants("asked too long ago", home, at(1), "")
	c.keep(q, elsewhere, first, at(2))
	wants("and for another address now", elsewhere, at(1), "first")
	wants("and newer for both", home, at(1), "first")
	c.keep(q, home, second, at(1))
	wants("an older answer, whose login took longer", home, began, "first")
	c.keep(q, home, second, at(3))
	wants("another secret", home, began, "second")
	wants("has yet to be proved from elsewhere", elsewhere, began, "")
	c.heard(q, authAnswer{found: true, secret: second}, at(4))
	wants("heard again", home, at(3), "second")
	c.heard(q, authAnswer{found: true, secret: first}, at(5))
	wants("heard otherwise", home, began, "")
	c.keep(q, home, first, at(6))
	c.heard(q, authAnswer{}, at(7))
	wants("heard that there is no such user", home, began, "")
	c.keep(q, home, first, at(8))
	c.expire(at(8))
	wants("expired", home, began, "")
	c.keep(q, home, first, at(9))
	c.forget()
	wants("forgotten", home, began, "")
	c.keep(q, home, first, at(10))
	wants("what was being asked", home, began, "")
	if n := c.memory().Used; n != 0 || c.pairs != 0 || c.byAge.Len() != 0 {
		t.Errorf("%d answers, %d pairs, %d by age are left", n, c.pairs, c.byAge.Len())
	}
}

// TestAuthCacheIsBounded: the oldest goes, whether there are many users or many addresses.
func TestAuthCacheIsBounded(t *testing.T) {
	var c authCache
	now := time.Now()
	question := func(i int) authQuestion { return authQuestion{user: fmt.Sprint(i)} }
	for i := range 2 * mostKeptAnswers {
		now = now.Add(1)
		c.keep(question(i), home, config.NewSecret("x"), now)
	}
	if n := len(c.answers); n != mostKeptAnswers || c.pairs != n || c.byAge.Len() != n {
		t.Errorf("%d answers, %d pairs, %d by age", n, c.pairs, c.byAge.Len())
	}
	for i, want := range map[int]bool{0: false, mostKeptAnswers - 1: false, mostKeptAnswers: true, 2*mostKeptAnswers - 1: true} {
		if _, ok := c.find(question(i), home, time.Time{}); ok != want {
			t.Errorf("user %d is kept: %v", i, ok)
		}
	}
	for i := range mostKeptAnswers {
		source, _ := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).Prefix(32)
		c.keep(question(2*mostKeptAnswers-1), source, config.NewSecret("x"), now)
	}
	if len(c.answers) > 1 || c.pairs > mostKeptAnswers {
		t.Errorf("%d answers, %d pairs", len(c.answers), c.pairs)
	}
}

// cacheHouse is authHouse with answers that are kept, and a query that counts how often it is asked.
type cacheHouse struct {
	*loginHouse
	cluster *postgres.Cluster
	change  func(*config.Config)
}

func openCacheHouse(t *testing.T, change func(*config.Config)) *cacheHouse {
	h := &cacheHouse{change: func(c *config.Config) {
		c.AuthQueryCache = time.Hour
		c.AuthQuery = "SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolcanlogin AND nextval('public.asked') > 0"
		if change != nil {
			change(c)
		}
	}}
	h.loginHouse, h.cluster = authHouse(t, h.change)
	h.sql("CREATE SEQUENCE asked; SELECT nextval('asked')")
	return h
}

func (h *cacheHouse) sql(text string) string {
	h.t.Helper()
	out, err := h.cluster.Psql(h.t.Context(), "postgres", text)
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// queries counts the queries that it takes, but for those that find no user.
func (h *cacheHouse) queries(do func()) int {
	h.t.Helper()
	const count = "SELECT last_value FROM asked"
	var before, after int
	_, _ = fmt.Sscan(h.sql(count), &before)
	do()
	_, _ = fmt.Sscan(h.sql(count), &after)
	return after - before
}

// asks wants something to cost so many queries.
func (h *cacheHouse) asks(want int, do func()) {
	h.t.Helper()
	if n := h.queries(do); n != want {
		h.t.Errorf("%d queries, want %d", n, want)
	}
}

// comesIn logs in, and wants that to cost so many queries.
func (h *cacheHouse) comesIn(settings string, queries int) {
	h.t.Helper()
	h.asks(queries, func() { h.t.Helper(); h.expect(settings, "") })
}

// TestAuthQueryCache: logins after the first need no query, whatever the method. A changed password counts at once, by SCRAM after one attempt.
func TestAuthQueryCache(t *testing.T) {
	h := openCacheHouse(t, nil)
	const reader, hashed, wrong = "dbname=shop user=reader password=", "dbname=shop user=hashed password=", "wrong password, or no such user"
	for _, settings := range []string{reader + "first", hashed + "first"} {
		h.comesIn(settings, 1)
		h.comesIn(settings, 0)
	}
	h.asks(2, func() {
		h.expect(reader+"second", wrong)
		h.expect(hashed+"second", wrong)
	})
	h.comesIn(reader+"first", 0) // the failures have changed nothing
	h.comesIn(hashed+"first", 0)
	h.comesIn("dbname=shop user=reader password=first host="+h.unix+" port=5432", 1) // from elsewhere

	h.sql("ALTER ROLE reader PASSWORD 'second'; SET password_encryption = md5; ALTER ROLE hashed PASSWORD 'second'")
	h.comesIn(reader+"first", 0)
	h.comesIn(hashed+"second", 1) // md5 is judged again within the login
	h.comesIn(hashed+"second", 0)
	h.expect(hashed+"first", wrong)
	h.asks(1, func() { h.expect(reader+"second", wrong) }) // SCRAM is not: the salt is another one
	h.comesIn(reader+"second", 1)
	h.comesIn(reader+"second", 0)
	h.expect(reader+"first", wrong)

	h.sql("ALTER ROLE hashed PASSWORD 'third'") // a SCRAM secret now
	h.expect(hashed+"third", "wrong password")
	h.comesIn(hashed+"third", 1)
	h.comesIn(hashed+"third", 0)

	h.sql("ALTER ROLE reader VALID UNTIL '1999-01-01'; DROP ROLE hashed")
	h.comesIn(reader+"second", 0)
	h.comesIn(hashed+"third", 0)
	h.expect(reader+"x", wrong) // a query says what has happened
	h.expect(hashed+"x", wrong)
	h.log.wants(t, "closing because: no such user (age=0s)")
	h.expect(reader+"second", wrong)
	h.expect(hashed+"third", wrong)
}

// TestAuthQueryCachePlain: a plain password is judged again within the login, whatever the secret.
func TestAuthQueryCachePlain(t *testing.T) {
	h := openCacheHouse(t, func(c *config.Config) { c.AuthType = config.AuthPlain })
	const reader = "dbname=shop user=reader password="
	h.comesIn(reader+"first", 1)
	h.comesIn(reader+"first", 0)
	h.sql("ALTER ROLE reader PASSWORD 'second'")
	h.comesIn(reader+"second", 1)
	h.expect(reader+"first", "wrong password")
}

// TestAuthQueryCacheForgets: commands that may change who answers forget what was kept, of whatever database.
func TestAuthQueryCacheForgets(t *testing.T) {
	h := openCacheHouse(t, func(c *config.Config) {
		other := c.Databases["shop"]
		other.Name = "other"
		c.Databases["other"] = other
	})
	const reader = "dbname=shop user=reader password=first"
	h.comesIn(reader, 1)
	for name, command := range map[string]func() error{
		"RELOAD": func() error { return h.pooler.Reload(h.conf.Clone()) },
		"SET":    func() error { _, err := h.pooler.Set(func(*config.Config) error { return nil }); return err },
	} {
		if err := command(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		h.comesIn(reader, 1)
		h.comesIn(reader, 0)
	}
	for name, command := range map[string]func(string) error{
		"RECONNECT": func(db string) error { return asError(h.pooler.Reconnect(db)) },
		"DISABLE":   func(db string) error { return asError(h.pooler.Disable(db)) },
		"KILL":      func(db string) error { return asError(h.pooler.Kill(db)) },
	} {
		if err := command("other"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		h.comesIn(reader, 1)
		h.comesIn(reader, 0)
	}
	if _, err := h.pooler.Set(func(c *config.Config) error { c.AuthQueryCache = 0; return nil }); err != nil {
		t.Fatal(err)
	}
	h.comesIn(reader, 1)
	h.comesIn(reader, 1)
}

func asError(err *wire.Error) error {
	if err == nil {
		return nil
	}
	return err
}

// TestAuthQueryCacheExpires: what is kept is thrown away when its time is over, though nobody asks.
func TestAuthQueryCacheExpires(t *testing.T) {
	h := openCacheHouse(t, func(c *config.Config) { c.AuthQueryCache = time.Millisecond })
	h.comesIn("dbname=shop user=reader password=first", 1)
	within(t, "nothing is kept", func() bool { return h.pooler.authCache.memory().Used == 0 })
	h.comesIn("dbname=shop user=reader password=first", 1)
}

// TestAuthQueryCacheOutage: while the database is out of reach those come in whose answer is kept, a wrong password is a wrong password, and nothing is forgotten by it.
func TestAuthQueryCacheOutage(t *testing.T) {
	h := openCacheHouse(t, nil)
	const reader, hashed = "dbname=shop user=reader password=", "dbname=shop user=hashed password="
	h.expect(reader+"first", "")
	if err := h.cluster.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.expect(reader+"first", "")
	h.expect(reader+"second", "wrong password")
	h.expect(reader+"first", "")
	if err := h.logIn(hashed + "first"); err == nil || err.Code == string(wire.CodeInvalidPassword) {
		t.Errorf("a user of whom nothing is kept: %v", err)
	}
}

// TestAuthQueryCacheStorm: many users log in at once, again and again; each costs few queries.
func TestAuthQueryCacheStorm(t *testing.T) {
	h := openCacheHouse(t, func(c *config.Config) { c.DefaultPoolSize, c.MaxClientConn = 2, 1000 })
	const users, atOnce, times = 60, 20, 5
	h.sql(`DO $$ BEGIN FOR i IN 1..` + fmt.Sprint(users) + ` LOOP EXECUTE format('CREATE ROLE tenant%s LOGIN PASSWORD %L', i, 'secret' || i); END LOOP; END $$`)
	storm := func() {
		var all sync.WaitGroup
		var next atomic.Int32
		for range atOnce {
			all.Go(func() {
				for n := next.Add(1); n <= users*times; n = next.Add(1) {
					user := n%users + 1
					conn, err := pgconn.Connect(t.Context(), fmt.Sprintf("postgres://tenant%d:secret%d@%s/pgbouncer?sslmode=disable", user, user, h.tcp))
					if refused := new(pgconn.PgError); !errors.As(err, &refused) || refused.Message != "not allowed" { // which is said to those who have proved who they are
						t.Errorf("user %d: %v", user, err)
					}
					if err == nil {
						_ = conn.Close(t.Context())
					}
				}
			})
		}
		all.Wait()
	}
	if _, err := h.pooler.Set(func(c *config.Config) error { c.AuthDBName = "shop"; return nil }); err != nil {
		t.Fatal(err)
	}
	if n := h.queries(storm); n < users || n > 2*users { // two logins of one user may cross
		t.Errorf("%d queries for %d users", n, users)
	}
	h.asks(0, storm)
}
