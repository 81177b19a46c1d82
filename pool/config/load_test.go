package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func parseText(t *testing.T, text string) *Config {
	t.Helper()
	c, _, err := Parse("t.ini", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	included := filepath.Join(dir, "more.ini")
	if err := os.WriteFile(included, []byte("pool_mode = session\n[users]\nu = pool_size=3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	main := filepath.Join(dir, "main.ini")
	text := "[databases]\n* = host=h port=5433 password='p w' timezone=UTC\n[pgbouncer]\nquery_wait_timeout = 0.5\nadmin_users = a, b\npkt_buf = 8192\n" +
		"min_pool_size=1\nmin_pool_size=2\n%include " + included + "\n[poolerd]\ndefer_begin = off\n"
	if err := os.WriteFile(main, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, warnings, err := Load(main)
	if err != nil {
		t.Fatal(err)
	}
	if c.QueryWaitTimeout != 500*time.Millisecond || strings.Join(c.AdminUsers, "+") != "a+b" || c.MinPoolSize != 2 || c.PoolMode != ModeSession || c.DeferBegin || !c.DeferParse {
		t.Errorf("got %+v", c)
	}
	if db := c.Databases["*"]; db.Host != "h" || db.Port != 5433 || db.Password.Reveal() != "p w" || db.Params["timezone"] != "UTC" {
		t.Errorf("database %+v", db)
	}
	if *c.Users["u"].PoolSize != 3 {
		t.Errorf("user %+v", c.Users["u"])
	}
	if got := c.Origin("pool_mode"); got != (Origin{File: included, Line: 1}) {
		t.Errorf("pool_mode comes from %+v", got)
	}
	want := main + ":6: pkt_buf = 8192: has no effect: buffers are sized by need"
	if len(warnings) != 1 || warnings[0].String() != want {
		t.Errorf("warnings %v, want %s", warnings, want)
	}
	if _, _, err := Load(filepath.Join(dir, "nope.ini")); err == nil || !strings.Contains(err.Error(), "nope.ini: no such file or directory; check the path") {
		t.Errorf("missing file: %v", err)
	}
}

// TestProblems: each is told with its place, its value and a way out, all at once.
func TestProblems(t *testing.T) {
	lines := []struct{ text, want string }{
		{"[pgbouncer]", ""},
		{"pool_sise = 3", "pool_sise = 3: unknown key"},
		{"default_pool_sise = 3", "default_pool_sise = 3: unknown key; did you mean default_pool_size?"},
		{"default_pool_size = 0", "default_pool_size = 0: not a usable whole number; give one of at least 1"},
		{"listen_port = 70000", "listen_port = 70000: not a usable whole number; give one from 0 to 65535"},
		{"query_timeout = -1", "query_timeout = -1: not a usable duration; give seconds"},
		{"query_timeout = NaN", "query_timeout = NaN: not a usable duration"},
		{"pool_mode = lazy", "pool_mode = lazy: unknown pool mode; give session, transaction or statement"},
		{"auth_type = pam", "auth_type = pam: pam is not supported: it needs a C library"},
		{"auth_type = peer", "auth_type = peer: peer stands in access rules only; set auth_type = hba"},
		{"auth_type = none", "auth_type = none: unknown authentication type"},
		{"log_stats = maybe", "log_stats = maybe: not a switch; give 1 or 0 (on or off)"},
		{"client_tls_sslmode = yes", "client_tls_sslmode = yes: unknown sslmode; give disable, allow"},
		{"unix_socket_mode = 1777", "unix_socket_mode = 1777: not a file mode; give one such as 0770"},
		{"tcp_defer_accept = x", "tcp_defer_accept = x: not a switch"},
		{"max_packet_size = 10", "max_packet_size = 10: not a usable size; give bytes, 1024 at least"},
		{"syslog_facility = kern", "syslog_facility = kern: not one of its words; give one of auth, authpriv"},
		{"defer_begin = 1", "defer_begin = 1: stands in section [pgbouncer]; move it to [poolerd]"},
		{"[poolerd]", ""},
		{"log_format = xml", "log_format = xml: not one of its words; give one of auto, console, json"},
		{"pin_policy = keep", "pin_policy = keep: unknown pin policy; give pin, error or off"},
		{"notify_backlog = 10", "notify_backlog = 10: not a usable whole number; give one of at least 1024"},
		{"pool_mode = session", "pool_mode = session: stands in section [poolerd]; move it to [pgbouncer]"},
		{"[databases]", ""},
		{"pgbouncer = host=x", "pgbouncer: this database name is the console's; choose another name"},
		{"a = host=x,y", ""},
		{"b = host=x,,y", "b: host = x,,y: one of the hosts is empty; write hosts with one comma between them"},
		{"c = port=x pool_size=0", "c: port = x: not a usable whole number; give one from 1 to 65535"},
		{"d = hst=x", "d: hst: unknown connection parameter; did you mean host?"},
		{"h = pin_policy=never", "h: pin_policy = never: unknown pin policy; give pin, error or off"},
		{"i = max_pinned_servers=-1", "i: max_pinned_servers = -1: not a usable whole number; give one of at least 0"},
		{"e = passwort=secret", "e: passwort: unknown connection parameter; did you mean password?"},
		{"f = password='secret", "f: broken connection string: the quote before the value of password is not closed"},
		{"g = load_balance_hosts=random", "g: load_balance_hosts = random: unknown way to share load; give round-robin"},
		{"[users]", ""},
		{"u = pool_sizes=3", "u: pool_sizes: unknown user parameter; did you mean pool_size?"},
		{"v = password=secret", "v: password: no password can be set here; put it in auth_file"},
		{"[peers]", ""},
		{"1 = host=x", ""},
		{"0 = host=x", "[peers] 0: is not the number of a peer; write peer_id = host=... with a peer_id from 1 to 16383"},
		{"65536 = host=x", "[peers] 65536: is not the number of a peer"},
		{"two = host=x", "[peers] two: is not the number of a peer"},
		{"2 = port=6433", "[peers] 2: names no host; add host="},
		{"3 = host=x port=x", "[peers] 3: port = x: not a usable whole number"},
		{"4 = host=x prt=1", "[peers] 4: prt = 1: unknown connection parameter; did you mean port?"},
		{"5 = host=x,y", "[peers] 5: host = x,y: a peer has one host"},
		{"6 = host=x pool_size=0", "[peers] 6: pool_size = 0: not a usable whole number"},
	}
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.text + "\n")
	}
	_, _, err := Parse("t.ini", []byte(text.String()))
	if err == nil {
		t.Fatal("no problem found")
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("a password shows in %v", err)
	}
	said := map[int]string{}
	for _, p := range err.(Errors) {
		if said[p.Line] == "" {
			said[p.Line] = p.Error()
		}
	}
	for i, l := range lines {
		got := said[i+1]
		want := "t.ini:" + itoa(i+1) + ": " + l.want
		if l.want == "" && got != "" {
			t.Errorf("%s: got %s, want nothing", l.text, got)
		}
		if l.want != "" && !strings.HasPrefix(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", l.text, got, want)
		}
	}
}

func TestLookups(t *testing.T) {
	c := parseText(t, `[databases]
* = host=any
own = host=h dbname=real pool_size=7 min_pool_size=9 pool_mode=session max_db_connections=5 server_lifetime=60
forced = user=boss
[users]
batch = pool_size=2 pool_mode=statement query_timeout=3 max_user_connections=3
zero = pool_size=-1 query_timeout=0
boss = pool_size=4 query_timeout=9
[pgbouncer]
default_pool_size = 30
query_timeout = 8
transaction_timeout = 6
`)
	for _, tc := range []struct {
		database, user string
		want           string
	}{
		{"x", "u", "any/x as u: 30 transaction 8s"},
		{"own", "u", "h/real as u: 7 session 8s"},
		{"own", "batch", "h/real as batch: 2 statement 3s"},
		{"own", "zero", "h/real as zero: 7 session 8s"},
		{"forced", "batch", "/tmp/forced as boss: 4 transaction 3s"},
		{"forced", "u", "/tmp/forced as boss: 4 transaction 8s"},
	} {
		p, ok := c.Pool(tc.database, tc.user)
		got := p.Database.Host + "/" + p.Database.DBName + " as " + p.User + ": " + itoa(p.Size) + " " + p.Mode.String() + " " + p.QueryTimeout.String()
		if !ok || got != tc.want || p.Database.Name != tc.database || p.TransactionTimeout != 6*time.Second {
			t.Errorf("%s, %s: got %s, want %s", tc.database, tc.user, got, tc.want)
		}
	}
	if p, _ := c.Pool("own", "u"); p.MinSize != 7 || p.MaxDBConnections != 5 || p.ServerLifetime != time.Minute {
		t.Errorf("own: %+v", p)
	}
	delete(c.Databases, "*")
	if _, ok := c.Pool("x", "u"); ok {
		t.Error("a database that is not there was found")
	}
	if _, ok := c.Database("*"); ok {
		t.Error("the fallback was found by a client")
	}
}

func TestLevel(t *testing.T) {
	for text, want := range map[string]string{"": "info", "verbose=1": "debug", "verbose=3": "trace", "verbose=2\n[poolerd]\nlog_level=error": "error"} {
		if got := parseText(t, "[pgbouncer]\n"+text).Level(); got != want {
			t.Errorf("%q gives %s, want %s", text, got, want)
		}
	}
}

// TestNumbersOfPgBouncer: its numbers are C's, its switches are numbers, its words have any case.
func TestNumbersOfPgBouncer(t *testing.T) {
	for text, want := range map[string]string{
		"default_pool_size = 0x10": "16", "default_pool_size = 010": "8", "default_pool_size = +7": "7", "min_pool_size = 0": "0", "unix_socket_mode = 511": "0777",
		"unix_socket_mode = 0770": "0770", "log_connections = 2": "1", "log_connections = -1": "1", "log_connections = off": "0", "tcp_defer_accept = 45": "1",
		"pool_mode = SESSION": "session", "auth_type = Trust": "trust", "client_tls_sslmode = Verify-Full": "verify-full", "syslog_facility = LOCAL0": "local0",
		"server_lifetime = 1e2": "100", "query_timeout = 0.25": "0.25", "stats_period = 1.5": "1.5", "max_packet_size = 4294967295": "4294967295", "verbose = 9": "9",
	} {
		key, _, _ := strings.Cut(text, " ")
		if got := entryOf(parseText(t, "[pgbouncer]\n"+text), key).Value; got != want {
			t.Errorf("%s gives %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"default_pool_size = 08", "default_pool_size = 1_0", "default_pool_size = 0b1", "default_pool_size = --7", "default_pool_size = 0x", "default_pool_size = 4 4"} {
		if _, _, err := Parse("t.ini", []byte("[pgbouncer]\n"+text)); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

// TestNotSetHere: the values that mean "as everywhere" in a line of a database or a user.
func TestNotSetHere(t *testing.T) {
	c := parseText(t, `[databases]
a = host=x pool_size=-1 min_pool_size=-1 reserve_pool_size=-1 max_db_connections=0 max_db_client_connections=0 server_lifetime=0
[users]
u = pool_size=-1 reserve_pool_size=-1 max_user_connections=0 max_user_client_connections=-1 query_timeout=0 idle_transaction_timeout=0 transaction_timeout=0 client_idle_timeout=0
[pgbouncer]
default_pool_size=9
min_pool_size=3
reserve_pool_size=2
max_db_connections=11
max_db_client_connections=12
max_user_connections=13
max_user_client_connections=14
server_lifetime=15
query_timeout=16
`)
	p, ok := c.Pool("a", "u")
	if !ok || p.Size != 9 || p.MinSize != 3 || p.ReserveSize != 2 || p.MaxDBConnections != 11 || p.MaxDBClientConnections != 12 || p.MaxUserConnections != 13 ||
		p.MaxUserClientConnections != 14 || p.ServerLifetime != 15*time.Second || p.QueryTimeout != 16*time.Second {
		t.Errorf("got %+v", p)
	}
	if _, _, err := Parse("t.ini", []byte("[databases]\na = pool_size=0")); err == nil {
		t.Error("a pool without servers is accepted")
	}
}

// TestSecondSection: a second [pgbouncer] adds to the first one, and says that PgBouncer does not.
func TestSecondSection(t *testing.T) {
	c, warnings, err := Parse("t.ini", []byte("[pgbouncer]\n[pgbouncer]\nquery_timeout=1\n[users]\n[pgbouncer]\nmin_pool_size=2\n"))
	if err != nil || c.QueryTimeout != time.Second || c.MinPoolSize != 2 {
		t.Errorf("%v, %+v", err, c)
	}
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0].String(), "t.ini:5: [pgbouncer]: stands a second time: PgBouncer would forget here what was set before, as query_timeout (t.ini:3)") {
		t.Errorf("warnings %v", warnings)
	}
}

// TestDatabaseParameters: each parameter of PgBouncer's lines is kept.
func TestDatabaseParameters(t *testing.T) {
	c := parseText(t, `[databases]
a = host=x,/run/pg,@abstract port=7 dbname='real one' user=u password='it''s' auth_user=asker auth_query='select $1' auth_dbname=b load_balance_hosts=Disable reserve_pool=3 connect_query='set a to ''b'''
b = host=x
`)
	a := c.Databases["a"]
	got := strings.Join([]string{strings.Join(a.Hosts(), "+"), itoa(a.Port), a.DBName, a.User, a.Password.Reveal(), *a.AuthUser, *a.AuthQuery, *a.AuthDBName, itoa(*a.ReservePoolSize), a.ConnectQuery}, "|")
	if want := "x+/run/pg+@abstract|7|real one|u|it's|asker|select $1|b|3|set a to 'b'"; got != want || a.LoadBalance || !c.Databases["b"].LoadBalance {
		t.Errorf("got %s, want %s; load balance %v", got, want, a.LoadBalance)
	}
	p, _ := c.Pool("b", "u")
	if p.AuthUser != "" || p.AuthQuery != defaultAuthQuery || p.AuthDBName != "" {
		t.Errorf("b: %+v", p)
	}
}

// TestNoHost: a database without a host is where the pooler's own Unix socket is.
func TestNoHost(t *testing.T) {
	c := parseText(t, "[databases]\na = dbname=x\n* =\n[pgbouncer]\nunix_socket_dir = /run/pg\n")
	for _, name := range []string{"a", "other"} {
		if db, ok := c.Database(name); !ok || db.Host != "/run/pg" {
			t.Errorf("%s is at %q", name, db.Host)
		}
	}
	c.UnixSocketDir = ""
	if db, _ := c.Database("a"); db.Host != "localhost" {
		t.Errorf("without a directory it is at %q", db.Host)
	}
}

func TestListen(t *testing.T) {
	c := parseText(t, "[pgbouncer]\nlisten_addr = *, localhost ,::1,[::1]:7, 10.0.0.1:0\nlisten_port=5\n")
	if got := strings.Join(c.Listen(), " "); got != ":5 localhost:5 [::1]:5 [::1]:7 10.0.0.1:0" {
		t.Errorf("got %s", got)
	}
}
