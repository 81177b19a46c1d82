package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// shownSerial is the number of the certificate that a client was shown.
func shownSerial(t *testing.T, conn *pgx.Conn) *big.Int {
	t.Helper()
	secure, ok := conn.PgConn().Conn().(*tls.Conn)
	if !ok {
		t.Fatal("the connection has no TLS")
	}
	return secure.ConnectionState().PeerCertificates[0].SerialNumber
}

// TestCertificateReload replaces the pooler's certificate. Clients that are there go on, new ones see the new one, and a RELOAD that finds a bad file changes nothing.
func TestCertificateReload(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "require")
	console := s.connectConsole(t)
	before := s.connect(t, "")
	mustExec(t, before, "SET application_name = 'before'")
	first := shownSerial(t, before)

	s.authority.issue(t, "pooler", "pooler.test", "localhost") // over the same files
	if again := shownSerial(t, s.connect(t, "")); again.Cmp(first) != 0 {
		t.Error("the new certificate is shown without a RELOAD")
	}
	mustExec(t, console, "RELOAD")
	after := s.connect(t, "")
	second := shownSerial(t, after)
	if second.Cmp(first) == 0 {
		t.Error("RELOAD: the old certificate is still shown")
	}
	want(t, before, "SHOW application_name", "before")

	good, err := os.ReadFile(s.shown.cert)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"no PEM": "not a certificate\n", "cut": string(good[:len(good)/2]), "empty": ""} {
		if err := os.WriteFile(s.shown.cert, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		refused, ok := errors.AsType[*pgconn.PgError](console.PgConn().Exec(within(t, patience), "RELOAD").Close())
		if !ok || !strings.Contains(refused.Detail, "client_tls_cert_file") {
			t.Errorf("RELOAD with a certificate that is %s: %v, want an error whose detail names client_tls_cert_file", name, refused)
		}
		if shown := shownSerial(t, s.connect(t, "")); shown.Cmp(second) != 0 {
			t.Errorf("a certificate that is %s: another certificate is shown", name)
		}
	}
	s.signal(t, syscall.SIGHUP)
	eventually(t, patience, "the log says why, of each of the four", func() error {
		if n := strings.Count(s.readWholeLog(t), "reload: client_tls_cert_file: "); n != 4 {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
	want(t, before, "SELECT 1", "1")
	want(t, after, "SELECT 2", "2")

	// A new authority for clients: who was let in by the old one stays.
	if err := os.WriteFile(s.shown.cert, good, 0o600); err != nil {
		t.Fatal(err)
	}
	s.writeConfig(t, s.ini("verify-full"))
	mustExec(t, console, "RELOAD")
	if conn, err := pgx.Connect(within(t, patience), s.url("postgres", "")); err == nil {
		leave(conn)
		t.Error("client_tls_sslmode = verify-full after RELOAD: a client without a certificate came in")
	}
	want(t, before, "SELECT 3", "3")
	s.writeConfig(t, s.ini("disable"))
	mustExec(t, console, "RELOAD")
	want(t, connect(t, s.pooler, "fountain"), "SELECT 4", "4")
	want(t, before, "SELECT 5", "5")
}

// connectConsole logs in to the console with TLS.
func (s *secured) connectConsole(t *testing.T) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(s.dsn("dbname=pgbouncer"))
	if err != nil {
		t.Fatal(err)
	}
	config.Host, config.DefaultQueryExecMode = "127.0.0.1", pgx.QueryExecModeSimpleProtocol
	delete(config.RuntimeParams, "hostaddr")
	conn, err := pgx.ConnectConfig(within(t, patience), config)
	if err != nil {
		t.Fatalf("connecting to the console: %v", err)
	}
	t.Cleanup(func() { leave(conn) })
	return conn
}
