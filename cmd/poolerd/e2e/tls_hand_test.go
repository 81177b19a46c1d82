package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// sslRequest asks for TLS, as every client does that is not a direct one.
func sslRequest(t *testing.T) []byte {
	t.Helper()
	packet, err := (&pgproto3.SSLRequest{}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

// dial connects to the door of the pooler, for a while.
func (s *secured) dial(t *testing.T) net.Conn {
	t.Helper()
	nc, err := net.DialTimeout("tcp", s.address(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return nc
}

// roots is the pool of the one authority.
func (s *secured) roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(s.authority.cert)
	return roots
}

// startsIn sends the startup packet of a user and gives the kind of the first answer.
func startsIn(nc net.Conn) (byte, error) {
	if _, err := nc.Write(startupPacket("postgres", "fountain")); err != nil {
		return 0, err
	}
	var kind [1]byte
	_, err := io.ReadFull(nc, kind[:])
	return kind[0], err
}

// TestTLSByHand speaks to the door without a driver.
func TestTLSByHand(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "prefer")
	roots := s.roots()
	t.Run("direct with ALPN", func(t *testing.T) {
		secure := tls.Client(s.dial(t), &tls.Config{ServerName: "localhost", RootCAs: roots, NextProtos: []string{"postgresql"}})
		if kind, err := startsIn(secure); err != nil || kind != 'R' {
			t.Errorf("got %q, %v, want an authentication message", kind, err)
		}
		if got := secure.ConnectionState().NegotiatedProtocol; got != "postgresql" {
			t.Errorf("ALPN: got %q", got)
		}
	})
	for name, protocols := range map[string][]string{"direct without ALPN": nil, "direct with another protocol": {"h2", "http/1.1"}} {
		t.Run(name, func(t *testing.T) {
			secure := tls.Client(s.dial(t), &tls.Config{ServerName: "localhost", RootCAs: roots, NextProtos: protocols})
			if kind, err := startsIn(secure); err == nil {
				t.Errorf("got %q, want no answer", kind)
			}
		})
	}
	t.Run("asked for, without ALPN", func(t *testing.T) {
		nc := s.dial(t)
		_, _ = nc.Write(sslRequest(t))
		var answer [1]byte
		if _, err := io.ReadFull(nc, answer[:]); err != nil || answer[0] != 'S' {
			t.Fatalf("the answer is %q, %v", answer, err)
		}
		if kind, err := startsIn(tls.Client(nc, &tls.Config{ServerName: "localhost", RootCAs: roots})); err != nil || kind != 'R' {
			t.Errorf("got %q, %v, want an authentication message", kind, err)
		}
	})
	t.Run("GSSAPI asked for first", func(t *testing.T) {
		nc := s.dial(t)
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
		if kind, err := startsIn(tls.Client(nc, &tls.Config{ServerName: "localhost", RootCAs: roots})); err != nil || kind != 'R' {
			t.Errorf("got %q, %v, want an authentication message", kind, err)
		}
	})
	t.Run("bytes behind the request", func(t *testing.T) {
		// What somebody on the way could have put there must not be taken for the client's (CVE-2021-23214).
		nc := s.dial(t)
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
		nc := s.dial(t)
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
			secure := tls.Client(s.dial(t), config)
			if kind, err := startsIn(secure); err != nil || kind != 'R' { // the ticket comes before it
				t.Errorf("got %q, %v, want an authentication message", kind, err)
			}
			if got := secure.ConnectionState().DidResume; got != resumed {
				t.Errorf("connection %d: the session is resumed: %v, want %v", i, got, resumed)
			}
		}
	})
	t.Run("half a handshake", func(t *testing.T) {
		nc := s.dial(t)
		_, _ = nc.Write(sslRequest(t))
		var answer [1]byte
		_, _ = io.ReadFull(nc, answer[:])
		record := binary.BigEndian.AppendUint16([]byte{22, 3, 1}, 512) // a ClientHello that does not come
		_, _ = nc.Write(record)
		want(t, s.connect(t, ""), "SELECT 'others are served'", "others are served")
	})
}

// TestTLSFarewell: TLS ends with its own farewell, whatever ends. Without it OpenSSL takes the end for an attack, and libpq's PQcancelBlocking fails.
func TestTLSFarewell(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "prefer")
	roots := s.roots()
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
			nc := s.dial(t)
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

// TestTLSRefusal: who is one too many is told so over TLS.
func TestTLSRefusal(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "require", "max_client_conn = 2")
	first := s.connect(t, "")
	s.connect(t, "")
	conn, err := pgx.Connect(within(t, patience), s.url("postgres", ""))
	if err == nil {
		leave(conn)
	}
	wantState(t, "the third of two", err, "53300")
	if how, said := psqlConnects(t, s.dsn()); how != unheeded || !strings.Contains(said, "no more connections allowed") {
		t.Errorf("psql: %s, %s", how, said)
	}
	leave(first)
	eventually(t, patience, "there is room again", func() error {
		conn, err := pgx.Connect(within(t, patience), s.url("postgres", ""))
		if err == nil {
			leave(conn)
		}
		return err
	})
}
