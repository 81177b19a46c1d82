package pool

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"poolerd/bench/postgres"
	"poolerd/pool/config"
	"poolerd/wire/secure"
)

// guarded is a PostgreSQL with TLS whose pg_hba.conf a test writes.
type guarded struct {
	*postgres.Cluster
	ca, otherCA *authority
}

func startGuarded(t *testing.T) *guarded {
	t.Helper()
	c, err := postgres.Start(t.Context(), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop(context.Background()) })
	g := &guarded{c, newAuthority(t, "ca"), newAuthority(t, "other")}
	g.ca.issue("db.test", net.IPv4(127, 0, 0, 1))
	g.ca.issue("certified")
	g.give(t, "server.crt", g.ca.file("db.test.crt"))
	g.give(t, "server.key", g.ca.file("db.test.key"))
	g.give(t, "root.crt", g.ca.root())
	g.run(t, "ALTER SYSTEM SET ssl_ca_file = 'root.crt'")
	g.run(t, "ALTER SYSTEM SET ssl = on")
	g.run(t, "SET password_encryption = 'md5'; CREATE ROLE hashed LOGIN PASSWORD 'secret'")
	g.run(t, "CREATE ROLE scrammed LOGIN PASSWORD 'secret'; CREATE ROLE plainly LOGIN PASSWORD 'secret'; CREATE ROLE certified LOGIN")
	g.rule(t, "host all all 127.0.0.1/32 trust")
	return g
}

func (g *guarded) run(t *testing.T, sql string) string {
	t.Helper()
	out, err := g.Psql(t.Context(), "postgres", sql)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// give puts a file into the data directory, as PostgreSQL's account owns it.
func (g *guarded) give(t *testing.T, name, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	g.write(t, name, b)
}

func (g *guarded) write(t *testing.T, name string, b []byte) {
	t.Helper()
	data := filepath.Join(g.Dir(), "data")
	path := filepath.Join(data, name)
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	_ = os.Remove(path)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
		t.Fatal(err)
	}
}

// rule makes lines the rules for everyone who comes over TCP, but for the test itself.
func (g *guarded) rule(t *testing.T, lines ...string) {
	t.Helper()
	g.write(t, "pg_hba.conf", []byte("local all all trust\nhost all postgres all trust\n"+strings.Join(lines, "\n")+"\n"))
	before := g.run(t, "SELECT pg_conf_load_time()")
	g.run(t, "SELECT pg_reload_conf()")
	within(t, "PostgreSQL has read its rules", func() bool { return g.run(t, "SELECT pg_conf_load_time()") != before })
}

// front is a pooler before a PostgreSQL, with its log.
type front struct {
	*Pooler
	addr string
	log  *logBook
}

// startFront serves a pooler that trusts its clients. Its names resolve to PostgreSQL's address.
func startFront(t *testing.T, port int, change func(*config.Config, *config.Database)) *front {
	t.Helper()
	t.Setenv("PGPASSFILE", filepath.Join(t.TempDir(), "none"))
	conf := config.Defaults()
	conf.AuthType, conf.WatchFunctions, conf.DefaultPoolSize, conf.QueryWaitTimeout = config.AuthTrust, 0, 2, 1500*time.Millisecond
	db := config.Database{Name: "*", Host: "127.0.0.1", Port: port, DBName: "postgres", LoadBalance: true}
	if change != nil {
		change(conf, &db)
	}
	conf.Databases = map[string]config.Database{"*": db}
	f := &front{log: &logBook{}}
	p, err := New(conf, zerolog.New(f.log))
	if err != nil {
		t.Fatal(err)
	}
	f.Pooler = p
	p.resolver.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		if strings.HasSuffix(host, ".test") {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- p.Serve(l) }()
	t.Cleanup(func() {
		p.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f
}

// ask gives the one value of a query through the pooler.
func (f *front) ask(t *testing.T, user, sql string) (value string, _ error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://%s:secret@%s/postgres?sslmode=disable", user, f.addr))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	err = conn.QueryRow(ctx, sql).Scan(&value)
	return value, err
}

const usesTLS = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

// TestServerTLS: each server_tls_sslmode, with a PostgreSQL that takes TLS, plain text, or both.
func TestServerTLS(t *testing.T) {
	g := startGuarded(t)
	const both, onlyTLS, onlyPlain = "host all all all trust", "hostssl all all all trust", "hostnossl all all all trust"
	for _, test := range []struct {
		mode     secure.Mode
		rule     string
		host, ca string
		want     string // "true" or "false", or a part of the error
		logged   string
	}{
		{mode: secure.Disable, rule: both, want: "false"},
		{mode: secure.Disable, rule: onlyTLS, want: "no pg_hba.conf entry"},
		{mode: secure.Allow, rule: both, want: "false"},
		{mode: secure.Allow, rule: onlyTLS, want: "true"},
		{mode: secure.Allow, rule: onlyPlain, want: "false"},
		{mode: secure.Prefer, rule: both, want: "true"},
		{mode: secure.Prefer, rule: onlyTLS, want: "true"},
		{mode: secure.Prefer, rule: onlyPlain, want: "false"},
		{mode: secure.Require, rule: both, want: "true", logged: "SSL established: TLSv1.3/"},
		{mode: secure.Require, rule: onlyPlain, want: "no pg_hba.conf entry"},
		{mode: secure.VerifyCA, rule: both, ca: g.ca.root(), host: "elsewhere.test", want: "true"},
		{mode: secure.VerifyCA, rule: both, ca: g.otherCA.root(), want: "server is not available", logged: "certificate verify failed"},
		{mode: secure.VerifyFull, rule: both, ca: g.ca.root(), want: "true"},
		{mode: secure.VerifyFull, rule: both, ca: g.ca.root(), host: "db.test", want: "true"},
		{mode: secure.VerifyFull, rule: both, ca: g.ca.root(), host: "elsewhere.test", want: "server is not available", logged: "certificate verify failed"},
		{mode: secure.VerifyFull, rule: both, ca: g.otherCA.root(), want: "server is not available", logged: "certificate verify failed"},
		{mode: secure.VerifyFull, rule: both, want: "server is not available", logged: "certificate verify failed"},
		{mode: secure.VerifyFull, rule: both, ca: "system", want: "server is not available", logged: "certificate verify failed"},
	} {
		t.Run(fmt.Sprintf("%v %s %s %s", test.mode, strings.Fields(test.rule)[0], test.host, filepath.Base(test.ca)), func(t *testing.T) {
			g.rule(t, test.rule)
			f := startFront(t, g.Port(), func(c *config.Config, db *config.Database) {
				c.ServerTLS.Mode, c.ServerTLS.CAFile = test.mode, test.ca
				if test.host != "" {
					db.Host = test.host
				}
			})
			got, err := f.ask(t, "plainly", usesTLS)
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("got %s, want %s\n%s", got, test.want, f.log)
			}
			if !strings.Contains(f.log.String(), test.logged) {
				t.Errorf("no %q in the log:\n%s", test.logged, f.log)
			}
		})
	}
}

// TestServerAuthentication: each method that PostgreSQL may ask for, with each kind of secret, in plain text and over TLS.
func TestServerAuthentication(t *testing.T) {
	g := startGuarded(t)
	md5Secret, scramSecret := g.run(t, "SELECT rolpassword FROM pg_authid WHERE rolname = 'hashed'"), g.run(t, "SELECT rolpassword FROM pg_authid WHERE rolname = 'scrammed'")
	const wrongType, refused = "server login failed: wrong password type", "server login failed: password authentication failed for user"
	for _, test := range []struct {
		name, method, user, secret string
		want                       string // a part of the error; empty: let in
		logged                     string
	}{
		{"cleartext", "password", "plainly", "secret", "", ""},
		{"cleartext, wrong", "password", "plainly", "wrong", refused, "server login failed: FATAL password authentication failed"},
		{"cleartext from md5", "password", "hashed", md5Secret, wrongType, "cannot do password authentication: wrong password type"},
		{"md5", "md5", "hashed", "secret", "", ""},
		{"md5 from md5", "md5", "hashed", md5Secret, "", ""},
		{"md5, wrong", "md5", "hashed", "wrong", refused, "closing because: password authentication failed for user"},
		{"scram", "scram-sha-256", "scrammed", "secret", "", ""},
		{"scram, wrong", "scram-sha-256", "scrammed", "wrong", refused, ""},
		{"scram from md5", "scram-sha-256", "scrammed", md5Secret, wrongType, "cannot do SCRAM authentication: wrong password type"},
		{"scram without keys", "scram-sha-256", "scrammed", scramSecret, wrongType, "password is SCRAM secret but client authentication did not provide SCRAM keys"},
		{"nothing known", "scram-sha-256", "scrammed", "", "server login failed: no password is known", ""},
		{"no such role", "trust", "nobody_here", "", `role "nobody_here" does not exist`, ""},
	} {
		for _, mode := range []secure.Mode{secure.Disable, secure.Require} {
			t.Run(test.name+", "+mode.String(), func(t *testing.T) {
				g.rule(t, "host all all all "+test.method)
				f := startFront(t, g.Port(), func(c *config.Config, db *config.Database) {
					c.ServerTLS.Mode = mode
					db.User, db.Password = test.user, config.NewSecret(test.secret)
				})
				began := time.Now()
				_, err := f.ask(t, "anyone", "SELECT 'here'")
				switch {
				case test.want == "" && err != nil:
					t.Errorf("%v\n%s", err, f.log)
				case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
					t.Errorf("%v, want %s\n%s", err, test.want, f.log)
				case err != nil && strings.Contains(err.Error(), "FATAL:  password authentication failed"):
					t.Errorf("PostgREST would end itself: %v", err)
				}
				if d := time.Since(began); d > 10*time.Second {
					t.Errorf("the answer took %v", d)
				}
				if !strings.Contains(f.log.String(), test.logged) {
					t.Errorf("no %q in the log:\n%s", test.logged, f.log)
				}
				for _, secret := range []string{`"secret"`, md5Secret[3:], scramSecret[20:]} {
					if strings.Contains(f.log.String(), secret) {
						t.Errorf("the log has a secret:\n%s", f.log)
					}
				}
			})
		}
	}
}

// TestServerClientCertificate: PostgreSQL knows us by server_tls_cert_file.
func TestServerClientCertificate(t *testing.T) {
	g := startGuarded(t)
	g.rule(t, "hostssl all all all cert")
	f := startFront(t, g.Port(), func(c *config.Config, db *config.Database) {
		c.ServerTLS = secure.Settings{Mode: secure.VerifyFull, CAFile: g.ca.root(), CertFile: g.ca.file("certified.crt"), KeyFile: g.ca.file("certified.key")}
		db.User = "certified"
	})
	if got, err := f.ask(t, "anyone", "SELECT current_user"); err != nil || got != "certified" {
		t.Errorf("%s, %v\n%s", got, err, f.log)
	}
}

// TestServerPassfile: the pooler's own password file comes last, and is ignored when others may read it.
func TestServerPassfile(t *testing.T) {
	g := startGuarded(t)
	g.rule(t, "host all all all scram-sha-256")
	f := startFront(t, g.Port(), func(c *config.Config, db *config.Database) {
		db.User, c.ServerLoginRetry = "scrammed", time.Millisecond
	})
	path := filepath.Join(t.TempDir(), "pass")
	t.Setenv("PGPASSFILE", path)
	if err := os.WriteFile(path, fmt.Appendf(nil, "127.0.0.1:%d:postgres:scrammed:secret\n", g.Port()), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ask(t, "anyone", "SELECT 'here'"); err == nil {
		t.Error("a password file that everyone may read was used")
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	within(t, "the password file is used", func() bool {
		_, err := f.ask(t, "anyone", "SELECT 'here'")
		return err == nil
	})
}

// TestServerOverUnixSocket: a host that is a directory, which never has TLS.
func TestServerOverUnixSocket(t *testing.T) {
	g := startGuarded(t)
	f := startFront(t, g.Port(), func(c *config.Config, db *config.Database) {
		c.ServerTLS.Mode = secure.Require
		db.Host = filepath.Join(g.Dir(), "socket")
	})
	if got, err := f.ask(t, "plainly", "SELECT coalesce(inet_server_addr()::text, 'socket')"); err != nil || got != "socket" {
		t.Errorf("%s, %v\n%s", got, err, f.log)
	}
	if want := fmt.Sprintf(`"server_addr":"unix:%d"`, g.Port()); !strings.Contains(f.log.String(), want) {
		t.Errorf("no %s in the log:\n%s", want, f.log)
	}
}

// TestCancelOverTLS: a cancel request takes the way of the server's own connection.
func TestCancelOverTLS(t *testing.T) {
	g := startGuarded(t)
	g.rule(t, "hostssl all all all trust")
	f := startFront(t, g.Port(), func(c *config.Config, _ *config.Database) { c.ServerTLS.Mode = secure.Require })
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://plainly@%s/postgres?sslmode=disable", f.addr))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Exec(ctx, "SELECT pg_sleep(60)")
		failed <- err
	}()
	within(t, "the query runs", func() bool {
		return g.run(t, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == "1"
	})
	if err := conn.PgConn().CancelRequest(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "57014") {
		t.Errorf("%v\n%s", err, f.log)
	}
	if strings.Contains(f.log.String(), "cancel request failed") {
		t.Errorf("the log has a failure:\n%s", f.log)
	}
}

// TestPasswordChanged: when new servers are refused for good, nobody waits for a server that will be closed when its client gives it back.
func TestPasswordChanged(t *testing.T) {
	g := startGuarded(t)
	g.rule(t, "host all all all scram-sha-256")
	f := startFront(t, g.Port(), func(_ *config.Config, db *config.Database) {
		db.User, db.Password = "scrammed", config.NewSecret("secret")
	})
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	holder, err := pgx.Connect(ctx, fmt.Sprintf("postgres://anyone@%s/postgres?sslmode=disable", f.addr))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Close(ctx) }()
	if _, err := holder.Exec(ctx, "BEGIN; SELECT 1"); err != nil {
		t.Fatal(err)
	}
	g.run(t, "ALTER ROLE scrammed PASSWORD 'other'")
	if err := f.Reconnect(""); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := f.ask(t, "anyone", "SELECT 'here'"); err == nil || !strings.Contains(err.Error(), "password authentication failed for user") {
		t.Errorf("%v\n%s", err, f.log)
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("the error took %v", d)
	}
	if _, err := holder.Exec(ctx, "COMMIT"); err != nil {
		t.Errorf("the holder's transaction: %v", err)
	}
}

// TestNoSuchDatabase: a client whose login waits for the first server is told at once, in PostgreSQL's words.
func TestNoSuchDatabase(t *testing.T) {
	g := startGuarded(t)
	f := startFront(t, g.Port(), func(_ *config.Config, db *config.Database) { db.DBName = "nowhere" })
	began := time.Now()
	_, err := f.ask(t, "plainly", "SELECT 'here'")
	if err == nil || !strings.Contains(err.Error(), `database "nowhere" does not exist`) {
		t.Errorf("%v\n%s", err, f.log)
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("the error took %v", d)
	}
	for _, phrase := range []string{`server login failed: FATAL database \"nowhere\" does not exist`, `closing because: database \"nowhere\" does not exist (age=`} {
		if !strings.Contains(f.log.String(), phrase) {
			t.Errorf("no %q in the log:\n%s", phrase, f.log)
		}
	}
}
