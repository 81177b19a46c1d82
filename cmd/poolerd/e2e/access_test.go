package e2e

import (
	"crypto/md5"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"poolerd/bench/postgres"
)

// knocks logs in at a host and asks who it is; the error is the login's or the query's.
func (p *pooler) knocks(t *testing.T, host, user, password, database string) (as string, err error) {
	t.Helper()
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d user=%s dbname=%s sslmode=disable", host, p.port, user, database))
	if err != nil {
		t.Fatal(err)
	}
	config.Password = password
	conn, err := pgx.ConnectConfig(within(t, patience), config)
	if err != nil {
		return "", err
	}
	defer leave(conn)
	return ask(within(t, patience), conn, "SELECT current_user::text")
}

// rulesFile makes an auth_hba_file.
func rulesFile(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(openFolder(t), "hba.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAccessRules: auth_type = hba with a rule for each method, over IPv4 and IPv6, and rules that change while clients are there.
func TestAccessRules(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	hosts := []string{"127.0.0.1"}
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		_ = l.Close()
		hosts = append(hosts, "::1")
	} else {
		t.Logf("without IPv6: %v", err)
	}
	const rules = `# TYPE DATABASE  USER      ADDRESS        METHOD
host  fountain       visitor   127.0.0.1/32   trust
host  all            prover    samehost       scram-sha-256
host  all            old       all            md5
host  "fountain",bench open,nobody 127.0.0.0 255.255.255.0 password
host  all            six       ::1/128        trust
host  all            /^re.*x$  127.0.0.1/32   trust
host  all            all       0.0.0.0/0      reject
`
	path := rulesFile(t, rules)
	users := userlist(t, "visitor", "", "prover", "quire", "old", fmt.Sprintf("md5%x", md5.Sum([]byte("quireold"))), "open", "quire", "six", "", "regex", "", "regexy", "")
	ini := fmt.Sprintf("[databases]\n* = host=%s port=%d user=postgres\n[pgbouncer]\n%%LISTEN%%unix_socket_dir =\nauth_type = hba\nauth_hba_file = %s\nauth_file = %s\nlisten_addr = %s\n",
		shared.Host(), shared.Port(), path, users, strings.Join(hosts, ", "))
	p := startPooler(t, options{ini: ini})
	for _, tc := range []struct {
		user, password, database, host string
		works                          bool
	}{
		{"visitor", "", "fountain", "127.0.0.1", true},
		{"visitor", "", "bench", "127.0.0.1", false}, // of the first rule's database only
		{"visitor", "", "fountain", "::1", false},
		{"prover", "quire", "bench", "127.0.0.1", true},
		{"prover", "choir", "bench", "127.0.0.1", false},
		{"prover", "quire", "bench", "::1", true},
		{"old", "quire", "fountain", "127.0.0.1", true},
		{"old", "quire", "fountain", "::1", true},
		{"old", "choir", "fountain", "::1", false},
		{"open", "quire", "fountain", "127.0.0.1", true},
		{"open", "choir", "fountain", "127.0.0.1", false},
		{"open", "quire", "postgres", "127.0.0.1", false},
		{"six", "", "fountain", "::1", true},
		{"six", "", "fountain", "127.0.0.1", false},
		{"regex", "", "fountain", "127.0.0.1", true},
		{"regexy", "", "fountain", "127.0.0.1", false},
		{"stranger", "quire", "fountain", "127.0.0.1", false},
	} {
		if tc.host == "::1" && len(hosts) == 1 {
			continue
		}
		as, err := p.knocks(t, tc.host, tc.user, tc.password, tc.database)
		if works := err == nil && as == "postgres"; works != tc.works {
			t.Errorf("%s with %q to %s at %s: %q, %v; want it to work: %v", tc.user, tc.password, tc.database, tc.host, as, err, tc.works)
		}
		if err != nil && !strings.HasPrefix(sqlState(err), "28") {
			t.Errorf("%s to %s at %s: %v, want an error of class 28", tc.user, tc.database, tc.host, err)
		}
	}

	old, err := pgx.Connect(within(t, patience), p.withPassword("prover", "quire", "fountain"))
	if err != nil {
		t.Fatal(err)
	}
	defer leave(old)
	for _, opens := range []bool{false, true} {
		text := rules
		if !opens {
			text = "host all all 0.0.0.0/0 reject\n" + rules
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p.signal(t, syscall.SIGHUP)
		eventually(t, patience, fmt.Sprintf("the visitor may come in: %v", opens), func() error {
			if _, err := p.knocks(t, "127.0.0.1", "visitor", "", "fountain"); (err == nil) != opens {
				return fmt.Errorf("it is not: %w", err)
			}
			return nil
		})
		want(t, old, "SELECT 'here'", "here")
	}
	if err := os.WriteFile(path, []byte("host all all nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGHUP)
	eventually(t, patience, "the log tells of the line", func() error {
		if !strings.Contains(p.readWholeLog(t), path) {
			return errors.New("it does not")
		}
		return nil
	})
	if _, err := p.knocks(t, "127.0.0.1", "visitor", "", "fountain"); err != nil {
		t.Errorf("after a RELOAD of bad rules: %v, want the rules before", err)
	}
}

// TestAuthQuery looks users up in PostgreSQL, which asks for SCRAM too: the clients' own keys let the pooler in, which knows no password but that of auth_user.
func TestAuthQuery(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	c := startCluster(t, postgres.Options{Sample: true, Auth: "scram-sha-256"})
	super := observer(t, c, "postgres")
	p := startPooler(t, options{cluster: c, ini: fmt.Sprintf("[databases]\n* = host=%s port=%d\n[pgbouncer]\n%%LISTEN%%unix_socket_dir =\nauth_type = scram-sha-256\nauth_user = postgres\nauth_file = %s\npool_mode = transaction\nquery_wait_timeout = 5\n",
		c.Host(), c.Port(), userlist(t, "postgres", "postgres"))})
	enters := func(t *testing.T, user, password string, works bool) {
		t.Helper()
		as, err := p.knocks(t, "127.0.0.1", user, password, "fountain")
		if works && (err != nil || as != user) {
			t.Errorf("%s with %q: %q, %v, want the user", user, password, as, err)
		}
		if !works {
			wantState(t, user+" with "+password, err, "28P01", "08P01")
		}
	}
	enters(t, "scribe", "inkwell", false) // not made yet, and not to be remembered as such
	mustExec(t, super, "CREATE ROLE scribe LOGIN PASSWORD 'inkwell'")
	enters(t, "scribe", "inkwell", true)
	enters(t, "scribe", "ink", false)
	logIn(t, p, "scribe", "inkwell", "fountain", "scribe")

	mustExec(t, super, "ALTER ROLE scribe PASSWORD 'blotter'")
	enters(t, "scribe", "blotter", true)
	enters(t, "scribe", "inkwell", false)
	mustExec(t, super, "ALTER ROLE scribe VALID UNTIL '2001-01-01'")
	enters(t, "scribe", "blotter", false)
	mustExec(t, super, "ALTER ROLE scribe VALID UNTIL 'infinity'")
	enters(t, "scribe", "blotter", true)
	mustExec(t, super, "ALTER ROLE scribe NOLOGIN")
	enters(t, "scribe", "blotter", false)
	mustExec(t, super, "ALTER ROLE scribe LOGIN PASSWORD NULL")
	enters(t, "scribe", "blotter", false)

	// A search path of the user who asks must not lead the query astray.
	mustExec(t, super, "CREATE ROLE quill LOGIN PASSWORD 'goose'; ALTER DATABASE fountain OWNER TO quill")
	fountain := observer(t, c, "fountain")
	mustExec(t, fountain, "CREATE SCHEMA trap; CREATE VIEW trap.pg_authid AS SELECT 'victim'::name AS rolname, 'known'::text AS rolpassword, NULL::timestamptz AS rolvaliduntil, true AS rolcanlogin")
	mustExec(t, fountain, "ALTER ROLE postgres SET search_path = trap, pg_catalog")
	enters(t, "quill", "goose", true)
	enters(t, "victim", "known", false)
	if log := p.readWholeLog(t); strings.Contains(log, "goose") || strings.Contains(log, "SCRAM-SHA-256$") {
		t.Error("the log holds a secret")
	}
}

// TestServerSecrets: what the pooler logs in to PostgreSQL with, where its configuration holds no password.
func TestServerSecrets(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	c := startCluster(t, postgres.Options{Sample: true, Auth: "scram-sha-256"})
	t.Run("keys of a client", func(t *testing.T) { keysPassedOn(t, c) })
	t.Run("password file", func(t *testing.T) { passwordFile(t, c) })
}

// keysPassedOn: auth_file holds what PostgreSQL holds, a SCRAM secret, and so the pooler can log in as nobody until a client has.
func keysPassedOn(t *testing.T, c *postgres.Cluster) {
	super := observer(t, c, "postgres")
	mustExec(t, super, "CREATE ROLE scribe LOGIN PASSWORD 'inkwell'")
	secret, err := ask(within(t, patience), super, "SELECT rolpassword FROM pg_authid WHERE rolname = 'scribe'")
	if err != nil {
		t.Fatal(err)
	}
	p := startPooler(t, options{cluster: c, ini: fmt.Sprintf("[databases]\n* = host=%s port=%d\n[pgbouncer]\n%%LISTEN%%unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = %s\npool_mode = transaction\ndefault_pool_size = 3\n",
		c.Host(), c.Port(), userlist(t, "scribe", secret))})
	logIn(t, p, "scribe", "inkwell", "fountain", "scribe")
	// Servers that come later are logged in with the same keys.
	var inside []*pgx.Conn
	for range 3 {
		conn, err := pgx.Connect(within(t, patience), p.withPassword("scribe", "inkwell", "fountain"))
		if err != nil {
			t.Fatal(err)
		}
		defer leave(conn)
		mustExec(t, conn, "BEGIN")
		want(t, conn, "SELECT current_user::text", "scribe")
		inside = append(inside, conn)
	}
	for _, conn := range inside {
		mustExec(t, conn, "COMMIT")
	}
	mustExec(t, super, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'scribe'")
	becomes(t, patience, super, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'scribe'", "0")
	eventually(t, patience, "there are servers again", func() error {
		_, err := ask(within(t, patience), inside[0], "SELECT 1")
		return err
	})
}

// passwordFile: the password comes from the file that PGPASSFILE names.
func passwordFile(t *testing.T, c *postgres.Cluster) {
	path := filepath.Join(openFolder(t), "pgpass")
	text := fmt.Sprintf("%[1]s:1:*:authenticator:wrong\n%[1]s:%[2]d:*:authenticator:authenticator\n", c.Host(), c.Port())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startPooler(t, options{cluster: c, env: []string{"PGPASSFILE=" + path}, ini: fmt.Sprintf("[databases]\n* = host=%s port=%d user=authenticator\n[pgbouncer]\n%%LISTEN%%unix_socket_dir =\nauth_type = any\nquery_wait_timeout = 3\n", c.Host(), c.Port())})
	want(t, connect(t, p, "fountain"), "SELECT current_user::text", "authenticator")
}
