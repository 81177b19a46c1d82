package e2e

import (
	"crypto/elliptic"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"poolerd/bench/postgres"
)

// securedRules lets scribe in by SCRAM and bearer by certificate, both with TLS only; postgres, who is the tests' observer, comes in without.
const securedRules = `hostnossl all                  postgres 127.0.0.1/32 trust
hostssl   all,replication  scribe   127.0.0.1/32 scram-sha-256
hostssl   all,replication  bearer   127.0.0.1/32 cert
`

// startSecuredCluster is a PostgreSQL with TLS, whose certificate is for localhost and not for 127.0.0.1.
func startSecuredCluster(t *testing.T) (*postgres.Cluster, *authority) {
	t.Helper()
	c := startCluster(t, postgres.Options{Settings: map[string]string{"wal_level": "replica", "max_wal_senders": "4"}})
	a := newAuthority(t, "authority", elliptic.P256())
	super := observer(t, c, "postgres")
	mustExec(t, super, "CREATE ROLE scribe LOGIN REPLICATION PASSWORD 'inkwell'")
	mustExec(t, super, "CREATE ROLE bearer LOGIN REPLICATION")
	if err := os.WriteFile(filepath.Join(c.Dir(), "data", "pg_hba.conf"), []byte(securedRules), 0o600); err != nil {
		t.Fatal(err)
	}
	speakTLS(t, c, a)
	return c, a
}

// speakTLS gives a PostgreSQL a certificate and the authority of its clients', and has it read its access rules anew.
func speakTLS(t *testing.T, c *postgres.Cluster, a *authority) {
	t.Helper()
	own := a.issue(t, "postgres", "postgres.test", "localhost")
	super := observer(t, c, "postgres")
	data := filepath.Join(c.Dir(), "data")
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	for name, from := range map[string]string{"server.crt": own.cert, "server.key": own.key, "authority.crt": a.file} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(data, name)
		if err := errors.Join(os.WriteFile(path, text, 0o600), os.Chown(path, int(owner.Uid), int(owner.Gid))); err != nil {
			t.Fatal(err)
		}
	}
	mustExec(t, super, "ALTER SYSTEM SET ssl_ca_file = 'authority.crt'")
	mustExec(t, super, "ALTER SYSTEM SET ssl = on")
	mustExec(t, super, "SELECT pg_reload_conf()")
	becomes(t, patience, super, "SHOW ssl", "on")
}

// securedIni is the configuration of a pooler before that PostgreSQL, where clients are trusted. at is the host that it looks for, user is who it logs in as.
func securedIni(c *postgres.Cluster, at, user string, more ...string) string {
	return fmt.Sprintf("[databases]\n* = host=%s port=%d %s\n[pgbouncer]\n%%LISTEN%%unix_socket_dir =\nauth_type = any\npool_mode = transaction\nserver_connect_timeout = 3\nquery_wait_timeout = 3\n",
		at, c.Port(), user) + strings.Join(more, "\n") + "\n"
}

// TestServerTLSModes: what each mode makes of a PostgreSQL that asks for TLS.
func TestServerTLSModes(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	c, a := startSecuredCluster(t)
	other := newAuthority(t, "other", elliptic.P256())
	bearer, stranger, scribe := a.issue(t, "bearer", "bearer"), other.issue(t, "stranger", "bearer"), a.issue(t, "scribe", "scribe")
	const password, certificates = "user=scribe password=inkwell", "user=bearer"
	ca, wrongCA := "server_tls_ca_file = "+a.file, "server_tls_ca_file = "+other.file
	shows := func(own certificate) string {
		return "server_tls_cert_file = " + own.cert + "\nserver_tls_key_file = " + own.key
	}
	for _, tc := range []struct {
		name, at, user string
		settings       []string
		works          bool
	}{
		{"disable", "localhost", password, []string{"server_tls_sslmode = disable"}, false},
		{"allow", "localhost", password, []string{"server_tls_sslmode = allow"}, true},
		{"prefer", "127.0.0.1", password, []string{"server_tls_sslmode = prefer"}, true},
		{"the default", "127.0.0.1", password, nil, true},
		{"require", "127.0.0.1", password, []string{"server_tls_sslmode = require"}, true},
		{"TLS 1.2", "127.0.0.1", password, []string{"server_tls_sslmode = require", "server_tls_protocols = tlsv1.2"}, true},
		{"verify-ca", "127.0.0.1", password, []string{"server_tls_sslmode = verify-ca", ca}, true},
		{"verify-ca, another authority", "127.0.0.1", password, []string{"server_tls_sslmode = verify-ca", wrongCA}, false},
		{"verify-full", "localhost", password, []string{"server_tls_sslmode = verify-full", ca}, true},
		{"verify-full, a host that the certificate does not name", "127.0.0.1", password, []string{"server_tls_sslmode = verify-full", ca}, false},
		{"verify-full, the system's authorities", "localhost", password, []string{"server_tls_sslmode = verify-full", "server_tls_ca_file = system"}, false},
		{"a wrong password", "localhost", "user=scribe password=ink", []string{"server_tls_sslmode = require"}, false},
		{"a certificate", "localhost", certificates, []string{"server_tls_sslmode = verify-full", ca, shows(bearer)}, true},
		{"no certificate", "localhost", certificates, []string{"server_tls_sslmode = verify-full", ca}, false},
		{"another's certificate", "localhost", certificates, []string{"server_tls_sslmode = verify-full", ca, shows(scribe)}, false},
		{"another authority's certificate", "localhost", certificates, []string{"server_tls_sslmode = verify-full", ca, shows(stranger)}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := startPooler(t, options{cluster: c, ini: securedIni(c, tc.at, tc.user, tc.settings...)})
			const secure = "SELECT count(*) FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()"
			conn, err := pgx.Connect(within(t, 2*patience), p.url("postgres"))
			if err == nil {
				defer leave(conn)
				var got string
				if got, err = ask(within(t, 2*patience), conn, secure); err == nil && got != "1" {
					t.Errorf("the server is reached without TLS")
				}
			}
			if works := err == nil; works != tc.works {
				t.Errorf("%v, want it to work: %v", err, tc.works)
			}
			if log := p.readWholeLog(t); strings.Contains(log, "inkwell") {
				t.Error("the log holds the password")
			}
		})
	}
}

// TestServerTLSCancel: cancel requests and replication find their way through TLS on both sides.
func TestServerTLSCancel(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	c, a := startSecuredCluster(t)
	s := &secured{authority: a}
	s.shown = a.issue(t, "pooler", "pooler.test", "localhost")
	s.pooler = startPooler(t, options{cluster: c, ini: securedIni(c, "localhost", "user=scribe password=inkwell",
		"server_tls_sslmode = verify-full", "server_tls_ca_file = "+a.file,
		"client_tls_sslmode = require", "client_tls_cert_file = "+s.shown.cert, "client_tls_key_file = "+s.shown.key)})
	watch := observer(t, c, "postgres")
	conn, err := pgx.Connect(within(t, patience), s.dsnOf("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer leave(conn)
	want(t, conn, "SELECT current_user", "scribe")
	const running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60)'"
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Exec(within(t, time.Minute), "SELECT pg_sleep(60)", pgx.QueryExecModeSimpleProtocol)
		failed <- err
	}()
	becomes(t, patience, watch, running, "1")
	if err := conn.PgConn().CancelRequest(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	wantCancelled(t, "a query over TLS", failed)

	dir := filepath.Join(openFolder(t), "copy")
	runClient(t, time.Minute, program(t, "pg_basebackup"), "-D", dir, "-X", "stream", "--checkpoint=fast", "--no-password",
		"-d", fmt.Sprintf("host=localhost hostaddr=127.0.0.1 port=%d user=scribe sslmode=verify-full sslrootcert=%s", s.port, a.file))
	if _, err := os.Stat(filepath.Join(dir, "backup_manifest")); err != nil {
		t.Error(err)
	}
}

// dsnOf is a URL of the user postgres that verifies the pooler.
func (s *secured) dsnOf(database string) string {
	return fmt.Sprintf("postgres://postgres@localhost:%d/%s?sslmode=verify-full&sslrootcert=%s", s.port, database, s.authority.file)
}

// TestServerTLSReload: servers whose TLS the settings would not have any more are replaced, and clients see none of it but where nothing is left that can be reached.
func TestServerTLSReload(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	c, a := startSecuredCluster(t)
	other := newAuthority(t, "other", elliptic.P256())
	ini := func(mode, ca string) string {
		return securedIni(c, "localhost", "user=scribe password=inkwell", "admin_users = postgres", "server_tls_sslmode = "+mode, "server_tls_ca_file = "+ca, "server_tls_protocols = secure")
	}
	p := startPooler(t, options{cluster: c, ini: ini("require", a.file)})
	console, conn := connectConsole(t, p), connect(t, p, "postgres")
	mustExec(t, conn, "SET application_name = 'kept'")
	server := func() string {
		t.Helper()
		pid, err := ask(within(t, patience), conn, "SELECT pg_backend_pid()")
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	first := server()
	p.writeConfig(t, ini("verify-full", a.file))
	mustExec(t, console, "RELOAD")
	eventually(t, patience, "the server is another one", func() error {
		if server() == first {
			return errors.New("it is not")
		}
		return nil
	})
	p.writeConfig(t, ini("verify-full", other.file))
	mustExec(t, console, "RELOAD")
	eventually(t, patience, "no server can be had", func() error {
		if pid, err := ask(within(t, patience), conn, "SELECT pg_backend_pid()"); err == nil {
			return errors.New(pid + " is still there")
		}
		return nil
	})
	p.writeConfig(t, ini("verify-full", a.file))
	mustExec(t, console, "RELOAD")
	eventually(t, patience, "there is a server again", func() error {
		name, err := ask(within(t, patience), conn, "SHOW application_name")
		if err == nil && name != "kept" {
			t.Fatalf("application_name is %q", name)
		}
		return err
	})
}
