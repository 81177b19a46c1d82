package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
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

// sslRequest asks for TLS, as every client does that is not a direct one.
func sslRequest(t *testing.T) []byte {
	t.Helper()
	packet, err := (&pgproto3.SSLRequest{}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

// TestTLSByHand speaks to the door without a driver.
func TestTLSByHand(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "prefer")
	roots := x509.NewCertPool()
	roots.AddCert(s.authority.cert)
	dial := func(t *testing.T) net.Conn {
		t.Helper()
		nc, err := net.DialTimeout("tcp", s.address(), patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		_ = nc.SetDeadline(time.Now().Add(patience))
		return nc
	}
	// logIn sends the startup packet of a user and gives the kind of the first answer.
	logIn := func(nc net.Conn) (byte, error) {
		if _, err := nc.Write(startupPacket("postgres", "fountain")); err != nil {
			return 0, err
		}
		var kind [1]byte
		_, err := io.ReadFull(nc, kind[:])
		return kind[0], err
	}
	t.Run("direct with ALPN", func(t *testing.T) {
		secure := tls.Client(dial(t), &tls.Config{ServerName: "localhost", RootCAs: roots, NextProtos: []string{"postgresql"}})
		if kind, err := logIn(secure); err != nil || kind != 'R' {
			t.Errorf("got %q, %v, want an authentication message", kind, err)
		}
		if got := secure.ConnectionState().NegotiatedProtocol; got != "postgresql" {
			t.Errorf("ALPN: got %q", got)
		}
	})
	for name, protocols := range map[string][]string{"direct without ALPN": nil, "direct with another protocol": {"h2", "http/1.1"}} {
		t.Run(name, func(t *testing.T) {
			secure := tls.Client(dial(t), &tls.Config{ServerName: "localhost", RootCAs: roots, NextProtos: protocols})
			if kind, err := logIn(secure); err == nil {
				t.Errorf("got %q, want no answer", kind)
			}
		})
	}
	t.Run("asked for, without ALPN", func(t *testing.T) {
		nc := dial(t)
		_, _ = nc.Write(sslRequest(t))
		var answer [1]byte
		if _, err := io.ReadFull(nc, answer[:]); err != nil || answer[0] != 'S' {
			t.Fatalf("the answer is %q, %v", answer, err)
		}
		if kind, err := logIn(tls.Client(nc, &tls.Config{ServerName: "localhost", RootCAs: roots})); err != nil || kind != 'R' {
			t.Errorf("got %q, %v, want an authentication message", kind, err)
		}
	})
	t.Run("GSSAPI asked for first", func(t *testing.T) {
		nc := dial(t)
		gss, err := (&pgproto3.GSSEncRequest{}).Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		var answer [1]byte
		for _, step := range []struct {
			request []byte
			want    byte
		}{{gss, 'N'}, {sslRequest(t), 'S'}} {
			_, _ = nc.Write(step.request)
			if _, err := io.ReadFull(nc, answer[:]); err != nil || answer[0] != step.want {
				t.Fatalf("the answer is %q, %v, want %q", answer, err, step.want)
			}
		}
		if kind, err := logIn(tls.Client(nc, &tls.Config{ServerName: "localhost", RootCAs: roots})); err != nil || kind != 'R' {
			t.Errorf("got %q, %v, want an authentication message", kind, err)
		}
	})
	t.Run("bytes behind the request", func(t *testing.T) {
		// What somebody on the way could have put there must not be taken for the client's (CVE-2021-23214).
		nc := dial(t)
		_, _ = nc.Write(append(sslRequest(t), startupPacket("postgres", "fountain")...))
		answer, err := io.ReadAll(nc)
		if len(answer) > 0 && (answer[0] == 'R' || len(answer) > 1 && answer[0] == 'S') {
			t.Errorf("got %q, %v, want no login", answer, err)
		}
		secure := tls.Client(nc, &tls.Config{ServerName: "localhost", RootCAs: roots})
		if err := secure.Handshake(); err == nil {
			t.Error("TLS came about")
		}
	})
	t.Run("twice", func(t *testing.T) {
		nc := dial(t)
		_, _ = nc.Write(sslRequest(t))
		var answer [1]byte
		_, _ = io.ReadFull(nc, answer[:])
		secure := tls.Client(nc, &tls.Config{ServerName: "localhost", RootCAs: roots})
		_, _ = secure.Write(sslRequest(t))
		got, err := io.ReadAll(secure)
		if len(got) == 1 && got[0] == 'S' {
			t.Errorf("TLS within TLS: got %q, %v", got, err)
		}
	})
	t.Run("resumed", func(t *testing.T) {
		config := &tls.Config{ServerName: "localhost", RootCAs: roots, ClientSessionCache: tls.NewLRUClientSessionCache(1), NextProtos: []string{"postgresql"}}
		for i, resumed := range []bool{false, true, true} {
			secure := tls.Client(dial(t), config)
			if kind, err := logIn(secure); err != nil || kind != 'R' { // the ticket comes before it
				t.Errorf("got %q, %v, want an authentication message", kind, err)
			}
			if got := secure.ConnectionState().DidResume; got != resumed {
				t.Errorf("connection %d: the session is resumed: %v, want %v", i, got, resumed)
			}
		}
	})
	// Without TLS's farewell OpenSSL takes an end for an attack.
	cancel, err := (&pgproto3.CancelRequest{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	terminate, err := (&pgproto3.Terminate{}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, packet := range map[string][]byte{
		"the end of a cancel request": cancel,
		"the end of a refused login":  startupPacket("", "fountain"),
		"the end of a session":        append(startupPacket("postgres", "fountain"), terminate...),
		"the end on the console":      append(startupPacket("postgres", "pgbouncer"), terminate...),
	} {
		t.Run(name, func(t *testing.T) {
			nc := dial(t)
			_, _ = nc.Write(sslRequest(t))
			var answer [1]byte
			_, _ = io.ReadFull(nc, answer[:])
			heard := &overheard{Conn: nc}
			secure := tls.Client(heard, &tls.Config{ServerName: "localhost", RootCAs: roots, MaxVersion: tls.VersionTLS12}) // whose records tell what they are
			if _, err := secure.Write(packet); err != nil {
				t.Fatal(err)
			}
			if said, err := io.ReadAll(secure); err != nil {
				t.Errorf("%v after %q", err, said)
			}
			if kinds := heard.records(); kinds[len(kinds)-1] != 21 {
				t.Errorf("the kinds of the records are %v, want an alert (21) at the end", kinds)
			}
		})
	}
	t.Run("half a handshake", func(t *testing.T) {
		nc := dial(t)
		_, _ = nc.Write(sslRequest(t))
		var answer [1]byte
		_, _ = io.ReadFull(nc, answer[:])
		record := binary.BigEndian.AppendUint16([]byte{22, 3, 1}, 512) // a ClientHello that does not come
		_, _ = nc.Write(record)
		want(t, s.connect(t, ""), "SELECT 'others are served'", "others are served")
	})
}

// overheard keeps what is read from a connection.
type overheard struct {
	net.Conn
	all []byte
}

func (o *overheard) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	o.all = append(o.all, p[:n]...)
	return n, err
}

// records are the kinds of TLS's records that have come (RFC 5246, section 6.2.1).
func (o *overheard) records() (kinds []byte) {
	for rest := o.all; len(rest) >= 5; {
		kinds = append(kinds, rest[0])
		rest = rest[min(len(rest), 5+int(binary.BigEndian.Uint16(rest[3:]))):]
	}
	return kinds
}
