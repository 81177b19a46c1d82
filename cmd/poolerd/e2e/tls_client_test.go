package e2e

import (
	"bytes"
	"crypto/elliptic"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// secured is a pooler that speaks TLS with its clients.
type secured struct {
	*pooler
	authority *authority
	shown     certificate // the pooler's own
}

// startSecured starts one with client_tls_sslmode = mode and more lines of [pgbouncer]. Without an auth_type among those it is trust.
func startSecured(t *testing.T, mode string, more ...string) *secured {
	t.Helper()
	needsPoolerd(t)
	s := &secured{authority: newAuthority(t, "authority", elliptic.P256())}
	s.shown = s.authority.issue(t, "pooler", "pooler.test", "localhost", "pooler.test", "127.0.0.1")
	s.pooler = startPooler(t, options{ini: s.ini(mode, more...)})
	return s
}

func (s *secured) ini(mode string, more ...string) string {
	text := fmt.Sprintf("[databases]\n* = host=%s port=%d user=postgres\n[pgbouncer]\n%%LISTEN%%unix_socket_dir =\nadmin_users = postgres\npool_mode = transaction\nauth_type = trust\n",
		shared.Host(), shared.Port())
	text += fmt.Sprintf("client_tls_sslmode = %s\nclient_tls_cert_file = %s\nclient_tls_key_file = %s\nclient_tls_ca_file = %s\n", mode, s.shown.cert, s.shown.key, s.authority.file)
	return text + strings.Join(more, "\n") + "\n"
}

// dsn is the connection string of a client that verifies the pooler's certificate; more comes later and wins.
func (s *secured) dsn(more ...string) string {
	return fmt.Sprintf("host=localhost hostaddr=127.0.0.1 port=%d user=postgres dbname=fountain sslmode=verify-full sslrootcert=%s connect_timeout=10 ", s.port, s.authority.file) +
		strings.Join(more, " ")
}

// url is the same for what takes URLs only.
func (s *secured) url(user, more string) string {
	return fmt.Sprintf("postgres://%s@localhost:%d/bench?sslmode=verify-full&sslrootcert=%s%s", user, s.port, s.authority.file, more)
}

// connect logs in with pgx.
func (s *secured) connect(t *testing.T, more string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(within(t, patience), s.url("postgres", more))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(conn) })
	return conn
}

// The ways that a connection may come about.
const (
	plainly   = "without TLS"
	securely  = "with TLS"
	unheeded  = "not at all"
	conninfo  = `\conninfo`
	tlsPrefix = "TLSv1." // in what psql's \conninfo says of a connection with TLS, in every version
)

// psqlConnects runs psql once and tells how it connected, with what it said on standard error.
func psqlConnects(t *testing.T, dsn string) (how, said string) {
	t.Helper()
	cmd := exec.CommandContext(within(t, 2*patience), program(t, "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", conninfo, "-c", "SELECT 'it ' || 'works'", dsn)
	// Neither a password nor a certificate of the person who runs the tests.
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+t.TempDir(), "PGSSLCERT=none", "PGSSLKEY=none")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case err != nil:
		return unheeded, stderr.String()
	case !strings.Contains(string(out), "it works"):
		t.Errorf("psql said %s", out)
		return unheeded, stderr.String()
	case strings.Contains(string(out), tlsPrefix):
		return securely, stderr.String()
	default:
		return plainly, stderr.String()
	}
}

// TestClientTLSModes: psql with each of its modes at a pooler of each of its modes, with a certificate of its own and without.
func TestClientTLSModes(t *testing.T) {
	t.Parallel()
	// how connects a client of the modes disable, prefer, require, verify-ca and verify-full.
	type row [5]string
	asTheyLike := row{plainly, securely, securely, securely, securely}
	never := row{unheeded, unheeded, unheeded, unheeded, unheeded}
	required := row{unheeded, securely, securely, securely, securely}
	for _, c := range []struct {
		mode             string
		without, showing row
	}{
		{"disable", row{plainly, plainly, unheeded, unheeded, unheeded}, row{plainly, plainly, unheeded, unheeded, unheeded}},
		{"allow", asTheyLike, asTheyLike},
		{"prefer", asTheyLike, asTheyLike},
		{"require", required, required},
		{"verify-ca", never, required},
		{"verify-full", never, required},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			s := startSecured(t, c.mode)
			own := s.authority.issue(t, "client", "postgres")
			for i, mode := range []string{"disable", "prefer", "require", "verify-ca", "verify-full"} {
				if how, said := psqlConnects(t, s.dsn("sslmode="+mode)); how != c.without[i] {
					t.Errorf("psql with sslmode=%s: %s, want %s; %s", mode, how, c.without[i], said)
				}
				if c.without == c.showing && mode != "verify-full" {
					continue
				}
				if how, said := psqlConnects(t, s.dsn("sslmode="+mode, "sslcert="+own.cert, "sslkey="+own.key)); how != c.showing[i] {
					t.Errorf("psql with sslmode=%s and a certificate: %s, want %s; %s", mode, how, c.showing[i], said)
				}
			}
		})
	}
}

// TestClientTLSVerified: what psql verifies is what the pooler shows.
func TestClientTLSVerified(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "prefer")
	other := newAuthority(t, "other", elliptic.P256())
	for _, c := range []struct{ name, how, said string }{
		{"sslrootcert=" + other.file, unheeded, "certificate verify failed"},
		{"host=elsewhere.test", unheeded, "does not match host name"},
		{"host=elsewhere.test sslmode=verify-ca", securely, ""},
		{"host=pooler.test", securely, ""},
		{"host=127.0.0.1", securely, ""},
		{"ssl_max_protocol_version=TLSv1.2", securely, ""},
		{"ssl_min_protocol_version=TLSv1.3", securely, ""},
		{"ssl_min_protocol_version=TLSv1 ssl_max_protocol_version=TLSv1.1", unheeded, ""},
	} {
		how, said := psqlConnects(t, s.dsn(c.name))
		if how != c.how || !strings.Contains(said, c.said) {
			t.Errorf("%s: %s, want %s; %s", c.name, how, c.how, said)
		}
	}
	conn := s.connect(t, "")
	mustExec(t, conn, "SET application_name = 'secured'")
	if row := clientCalled(t, connectConsole(t, s.pooler), "secured"); !strings.HasPrefix(row["tls"], "TLSv1.3/TLS_") {
		t.Errorf("SHOW CLIENTS: tls is %q", row["tls"])
	}
}

// TestChannelBinding: psql insists on SCRAM-SHA-256-PLUS, for secrets of both kinds, and with certificates of both hashes.
func TestChannelBinding(t *testing.T) {
	t.Parallel()
	super := observer(t, shared, "postgres")
	mustExec(t, super, "CREATE ROLE bound PASSWORD 'quire and folio'")
	secret, err := ask(within(t, patience), super, "SELECT rolpassword FROM pg_authid WHERE rolname = 'bound'")
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, super, "DROP ROLE bound")
	users := userlist(t, "bound", secret, "plain", "quire and folio")
	for name, curve := range map[string]elliptic.Curve{"SHA-256": elliptic.P256(), "SHA-384": elliptic.P384()} {
		s := &secured{authority: newAuthority(t, "authority", curve)}
		s.shown = s.authority.issue(t, "pooler", "pooler.test", "localhost")
		s.pooler = startPooler(t, options{ini: s.ini("prefer", "auth_type = scram-sha-256", "auth_file = "+users)})
		for _, c := range []struct{ how, dsn string }{
			{securely, "user=bound password='quire and folio' channel_binding=require"},
			{securely, "user=plain password='quire and folio' channel_binding=require"},
			{securely, "user=plain password='quire and folio' channel_binding=require ssl_max_protocol_version=TLSv1.2"},
			{securely, "user=bound password='quire and folio' channel_binding=disable"},
			{unheeded, "user=bound password='quire' channel_binding=require"},
			{unheeded, "user=plain password='quire' channel_binding=require"},
			{unheeded, "user=plain password='quire and folio' channel_binding=require sslmode=disable"},
			{plainly, "user=plain password='quire and folio' channel_binding=prefer sslmode=disable"},
		} {
			if how, said := psqlConnects(t, s.dsn(c.dsn)); how != c.how {
				t.Errorf("%s, %s: %s, want %s; %s", name, c.dsn, how, c.how, said)
			}
		}
	}
	weak := startSecured(t, "prefer", "auth_type = md5", "auth_file = "+users)
	for _, c := range []struct{ how, dsn string }{
		{unheeded, "user=plain password='quire and folio' channel_binding=require"}, // a downgrade to MD5, for psql
		{securely, "user=plain password='quire and folio'"},
		{securely, "user=bound password='quire and folio' channel_binding=require"}, // the secret makes it SCRAM
	} {
		if how, said := psqlConnects(t, weak.dsn(c.dsn)); how != c.how {
			t.Errorf("auth_type = md5, %s: %s, want %s; %s", c.dsn, how, c.how, said)
		}
	}
}

// TestClientCertificates: auth_type = cert, and an access rule with a map.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	other := newAuthority(t, "other", elliptic.P256())
	dir := openFolder(t)
	users, rules, maps := filepath.Join(dir, "userlist.txt"), filepath.Join(dir, "hba.conf"), filepath.Join(dir, "ident.conf")
	for path, text := range map[string]string{
		users: `"postgres" ""` + "\n" + `"plain" ""` + "\n",
		rules: "hostssl all postgres 127.0.0.1/32 cert map=actors\nhostssl all plain 127.0.0.1/32 cert\nhostnossl all all 0.0.0.0/0 reject\n",
		maps:  "actors \"Alice the Actor\" postgres\nactors /^(.*)@theatre\\.test$ \\1\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	byType := startSecured(t, "verify-full", "auth_type = cert", "auth_file = "+users)
	byRule := startSecured(t, "verify-full", "auth_type = hba", "auth_file = "+users, "auth_hba_file = "+rules, "auth_ident_file = "+maps)
	for _, c := range []struct {
		s    *secured
		name string
		user string
		show func(*authority) certificate
		how  string
	}{
		{byType, "the right one", "postgres", func(a *authority) certificate { return a.issue(t, "right", "postgres") }, securely},
		{byType, "none", "postgres", func(*authority) certificate { return certificate{"none", "none"} }, unheeded},
		{byType, "another authority's", "postgres", func(*authority) certificate { return other.issue(t, "stranger", "postgres") }, unheeded},
		{byType, "an expired one", "postgres", func(a *authority) certificate {
			return a.issueUntil(t, time.Now().Add(-time.Hour), "expired", "postgres")
		}, unheeded},
		{byType, "another user's", "postgres", func(a *authority) certificate { return a.issue(t, "another", "plain") }, unheeded},
		{byType, "another case", "postgres", func(a *authority) certificate { return a.issue(t, "case", "Postgres") }, unheeded},
		{byRule, "a mapped name", "postgres", func(a *authority) certificate { return a.issue(t, "mapped", "Alice the Actor") }, securely},
		{byRule, "a mapped pattern", "postgres", func(a *authority) certificate { return a.issue(t, "pattern", "postgres@theatre.test") }, securely},
		{byRule, "a pattern's other user", "postgres", func(a *authority) certificate { return a.issue(t, "pattern2", "plain@theatre.test") }, unheeded},
		{byRule, "the user's own name, which the map has not", "postgres", func(a *authority) certificate { return a.issue(t, "own", "postgres") }, unheeded},
		{byRule, "no map", "plain", func(a *authority) certificate { return a.issue(t, "plain", "plain") }, securely},
		{byRule, "no map, another name", "plain", func(a *authority) certificate { return a.issue(t, "notplain", "Alice the Actor") }, unheeded},
	} {
		own := c.show(c.s.authority)
		if how, said := psqlConnects(t, c.s.dsn("user="+c.user, "sslcert="+own.cert, "sslkey="+own.key)); how != c.how {
			t.Errorf("%s: %s, want %s; %s", c.name, how, c.how, said)
		}
	}
}

// TestTLSPrograms: clients in other languages verify the pooler and show it a certificate.
func TestTLSPrograms(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "verify-full", "auth_type = cert", "auth_file = "+userlist(t, "postgres", ""))
	own := s.authority.issue(t, "client", "postgres")
	t.Run("psycopg", func(t *testing.T) {
		for _, negotiation := range []string{"postgres", "direct"} { // of psycopg's own libpq, which is newer than psql's
			out := runPython(t, 2*patience, "ask.py", s.dsn("sslcert="+own.cert, "sslkey="+own.key, "sslnegotiation="+negotiation), "SELECT 'it ' || 'works'")
			if strings.TrimSpace(string(out)) != "it works" {
				t.Errorf("sslnegotiation=%s: %s", negotiation, out)
			}
		}
	})
	t.Run("pgx", func(t *testing.T) {
		for _, negotiation := range []string{"postgres", "direct"} {
			conn := s.connect(t, "&sslcert="+own.cert+"&sslkey="+own.key+"&sslnegotiation="+negotiation)
			want(t, conn, "SELECT 'it ' || 'works'", "it works")
		}
		if conn, err := pgconn.Connect(within(t, patience), s.url("postgres", "")); err == nil {
			_ = conn.Close(within(t, patience))
			t.Error("pgx without a certificate: no error")
		}
	})
	t.Run("node-postgres", func(t *testing.T) {
		onlyAll(t)
		modules, err := installNode("e2e-node", filepath.Join("testdata", "node", "package.json"))
		if err != nil {
			unavailable(t, err)
		}
		url := s.url("postgres", "&sslcert="+own.cert+"&sslkey="+own.key)
		t.Logf("%s", runClient(t, 2*time.Minute, "env", "NODE_PATH="+modules, "node", filepath.Join("testdata", "node", "smoke.js"), url))
	})
	t.Run("pgjdbc", func(t *testing.T) {
		onlyAll(t)
		jar, err := installJDBC()
		if err != nil {
			unavailable(t, err)
		}
		for name, files := range map[string]string{
			"PKCS #8":  "&sslcert=" + own.cert + "&sslkey=" + own.pkcs8(t),
			"PKCS #12": "&sslkey=" + own.pkcs12(t, "folio") + "&sslpassword=folio",
		} {
			url := fmt.Sprintf("jdbc:postgresql://localhost:%d/bench?user=postgres&sslmode=verify-full&sslrootcert=%s%s", s.port, s.authority.file, files)
			out := runClient(t, time.Minute, "java", "-cp", jar, filepath.Join("testdata", "java", "Ask.java"), url, "SELECT 'it ' || 'works'")
			if strings.TrimSpace(string(out)) != "it works" {
				t.Errorf("%s: %s", name, out)
			}
		}
	})
}

// userlist makes an auth_file of names and secrets by turns.
func userlist(t *testing.T, pairs ...string) (path string) {
	t.Helper()
	var text strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&text, "%q %q\n", pairs[i], pairs[i+1])
	}
	path = filepath.Join(openFolder(t), "userlist.txt")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
