package pool

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/secure"
)

// secureHouse is a pooler with TLS.
func secureHouse(t *testing.T, mode secure.Mode, change func(c *config.Config, dir string)) (*loginHouse, *authority) {
	t.Helper()
	f := startFake(t)
	a := newAuthority(t, "ca")
	a.issue("server", net.IPv4(127, 0, 0, 1))
	h := openHouse(t, f.url(), func(c *config.Config, dir string) {
		c.AuthFile = file(t, dir, "users", `"u" "sesame"`+"\n")
		c.ClientTLS = secure.Settings{Mode: mode, CertFile: a.file("server.crt"), KeyFile: a.file("server.key"), CAFile: a.root()}
		if change != nil {
			change(c, dir)
		}
	})
	return h, a
}

// psql logs in with libpq, and gives what it says.
func (h *loginHouse) psql(settings string) (said string, ok bool) {
	h.t.Helper()
	path, err := exec.LookPath("psql")
	if err != nil {
		h.t.Skip("psql is not installed")
	}
	_, port, _ := net.SplitHostPort(h.tcp)
	cmd := exec.CommandContext(h.t.Context(), path, "-X", "-c", "SELECT 1", "dbname=d host=127.0.0.1 port="+port+" "+settings)
	cmd.Env = append(os.Environ(), "PGPASSWORD=sesame")
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// TestTLSWithLibpq: libpq is satisfied with the certificate, the channel binding and its own certificate, and plain text is refused.
func TestTLSWithLibpq(t *testing.T) {
	h, a := secureHouse(t, secure.Require, func(c *config.Config, _ string) { c.AuthType = config.AuthSCRAM })
	verify := "user=u sslmode=verify-full sslrootcert=" + a.root()
	for _, test := range []struct{ settings, answer string }{
		{verify, ""},
		{verify + " channel_binding=require", ""},
		{verify + " gssencmode=disable", ""},
		{"user=u sslmode=disable", "SSL required"},
		{"user=nobody sslmode=require", `password authentication failed for user "nobody"`},
	} {
		said, ok := h.psql(test.settings)
		if ok != (test.answer == "") || !strings.Contains(said, test.answer) {
			t.Errorf("%s: %s", test.settings, said)
		}
	}
	h.log.wants(t, "login attempt: db=d user=u tls=TLSv1.3/TLS_")
}

// TestClientCertificates: with auth_type = cert the certificate names the user.
func TestClientCertificates(t *testing.T) {
	h, a := secureHouse(t, secure.VerifyFull, func(c *config.Config, dir string) {
		c.AuthType, c.AuthFile = config.AuthCert, file(t, dir, "users", "\"u\" \"\"\n\"other\" \"\"\n")
	})
	a.issue("u")
	with := " sslmode=verify-full sslrootcert=" + a.root() + " sslcert=" + a.file("u.crt") + " sslkey=" + a.file("u.key")
	if said, ok := h.psql("user=u" + with); !ok {
		t.Errorf("the certificate's user: %s", said)
	}
	if said, ok := h.psql("user=other" + with); ok || !strings.Contains(said, "certificate authentication failed") {
		t.Errorf("another user: %s", said)
	}
	h.log.wants(t, "TLS certificate name mismatch")
	h.log.wants(t, "closing because: certificate authentication failed (age=")
	if said, ok := h.psql("user=u sslmode=require"); ok {
		t.Errorf("without a certificate: %s", said)
	}
}

// TestLoginTimeoutOverTLS: a client whose login took too long since PostgreSQL is out of reach is told so over TLS too.
func TestLoginTimeoutOverTLS(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	upstream := "postgres://u@" + nobody.Addr().String() + "/d"
	_ = nobody.Close()
	h, _ := secureHouse(t, secure.Require, func(c *config.Config, _ string) {
		c.AuthType, c.ClientLoginTimeout = config.AuthTrust, 3*time.Second // TLS comes first, which may take its time
		if err := config.ApplyUpstream(c, upstream, config.Origin{}); err != nil {
			t.Fatal(err)
		}
		c.Upstream = config.Upstream{}
	})
	if said, ok := h.psql("user=u sslmode=require"); ok || !strings.Contains(said, "client_login_timeout") {
		t.Errorf("the client was told %q", said)
	}
}

// sslRequest and gssRequest are initial packets without a body.
func sslRequest() []byte { return wire.AppendSSLRequest(nil) }

func gssRequest() []byte {
	return binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, 1234<<16|5680)
}

// TestPlainBytesBeforeTLS: what came in plain text is never taken for part of the encrypted session (CVE-2021-23222).
func TestPlainBytesBeforeTLS(t *testing.T) {
	h, _ := secureHouse(t, secure.Prefer, nil)
	for _, test := range []struct {
		name    string
		packet  []byte
		message string
	}{
		{"SSL", sslRequest(), "received unencrypted data after SSL request"},
		{"GSSAPI", gssRequest(), "received unencrypted data after GSSAPI encryption request"},
	} {
		for _, behind := range [][]byte{{0}, startup("user", "u"), startup("user", "u", "database", "d")} {
			nc := h.dial(append(test.packet, behind...))
			if e := readError(t, nc); e.Message != test.message || e.Code != wire.CodeProtocolViolation {
				t.Errorf("%s: %v", test.name, e)
			}
			if n, err := nc.Read(make([]byte, 1)); err == nil {
				t.Errorf("%s: %d bytes more", test.name, n)
			}
		}
		h.log.wants(t, "closing because: "+test.message)
	}
}

// TestPlainBytesAfterS: bytes that come in plain text once the pooler has said S reach nobody but the handshake, which they break.
func TestPlainBytesAfterS(t *testing.T) {
	h, _ := secureHouse(t, secure.Prefer, nil)
	nc := h.dial(sslRequest())
	answer(t, nc, 'S')
	if _, err := nc.Write(startup("user", "u", "database", "d")); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(nc)
	if len(rest) > 0 && rest[0] != 0x15 { // an alert of TLS
		t.Errorf("the pooler said %q in plain text", rest)
	}
	h.log.wants(t, "closing because: failed to accept SSL")
}

// answer reads the one byte that answers a request.
func answer(t *testing.T, nc net.Conn, want byte) {
	t.Helper()
	var b [1]byte
	if _, err := io.ReadFull(nc, b[:]); err != nil || b[0] != want {
		t.Fatalf("got %q, %v, want %q", b[0], err, want)
	}
}

// pool of the certificates that a client believes in.
func (a *authority) believed() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// TestUpgrades: a client may ask for both kinds of encryption, once each, and for none inside TLS.
func TestUpgrades(t *testing.T) {
	h, a := secureHouse(t, secure.Prefer, nil)
	nc := h.dial(gssRequest())
	answer(t, nc, 'N')
	if _, err := nc.Write(sslRequest()); err != nil {
		t.Fatal(err)
	}
	answer(t, nc, 'S')
	c := tls.Client(nc, &tls.Config{RootCAs: a.believed(), ServerName: "127.0.0.1"})
	if _, err := c.Write(sslRequest()); err != nil {
		t.Fatal(err)
	}
	if e := readError(t, c); e.Message != "SSLRequest was answered before" {
		t.Errorf("a request inside TLS: %v", e)
	}
	nc = h.dial(gssRequest())
	answer(t, nc, 'N')
	if _, err := nc.Write(gssRequest()); err != nil {
		t.Fatal(err)
	}
	if e := readError(t, nc); e.Message != "GSSENCRequest was answered before" {
		t.Errorf("the same request again: %v", e)
	}
}

// TestClientDirectTLS: a connection may begin with its handshake, if that asks for PostgreSQL's protocol.
func TestClientDirectTLS(t *testing.T) {
	h, a := secureHouse(t, secure.Require, nil)
	settings := &tls.Config{RootCAs: a.believed(), ServerName: "127.0.0.1", NextProtos: []string{"postgresql"}}
	c, err := tls.Dial("tcp", h.tcp, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write(startup("user", "u", "database", "d")); err != nil {
		t.Fatal(err)
	}
	if typ, _, err := wire.ReadMessage(c, 1<<16); err != nil || typ != wire.ServerAuthentication {
		t.Fatalf("got %q, %v", typ, err)
	}
	if _, err := c.Write(wire.AppendQuery(nil, "SELECT 1")); err != nil {
		t.Fatal(err)
	}
	for {
		typ, _, err := wire.ReadMessage(c, 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		if typ == wire.ServerCommandComplete {
			break
		}
	}
	d, err := tls.Dial("tcp", h.tcp, &tls.Config{RootCAs: a.believed(), ServerName: "127.0.0.1"})
	if err == nil {
		_, _ = d.Write(startup("user", "u", "database", "d"))
		_ = d.SetDeadline(time.Now().Add(10 * time.Second))
		if n, err := d.Read(make([]byte, 1)); err == nil {
			t.Errorf("without ALPN: %d bytes", n)
		}
		_ = d.Close()
	}
	h.log.wants(t, "closing because: failed to accept SSL")
}

// TestTLSDisabled: without TLS the answer is N, and a plain session may follow.
func TestTLSDisabled(t *testing.T) {
	f := startFake(t)
	h := openHouse(t, f.url(), nil)
	nc := h.dial(sslRequest())
	answer(t, nc, 'N')
	if _, err := nc.Write(startup("user", "u", "database", "d")); err != nil {
		t.Fatal(err)
	}
	if typ, _, err := wire.ReadMessage(nc, 1<<16); err != nil || typ != wire.ServerAuthentication {
		t.Fatalf("got %q, %v", typ, err)
	}
	nc = h.dial([]byte{0x16, 3, 1, 0, 200, 1, 0, 0})
	if e := readError(t, nc); e.Message != "invalid length of startup packet" {
		t.Errorf("direct TLS: %v", e)
	}
}

// TestCertificateReload: new connections see the new certificate, those that are there go on, and files that cannot be used change nothing.
func TestCertificateReload(t *testing.T) {
	h, a := secureHouse(t, secure.Require, nil)
	shown := func() string {
		t.Helper()
		c, err := tls.Dial("tcp", h.tcp, &tls.Config{RootCAs: a.believed(), ServerName: "127.0.0.1", NextProtos: []string{"postgresql"}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := shown(); got != "server" {
		t.Fatal(got)
	}
	kept, err := tls.Dial("tcp", h.tcp, &tls.Config{RootCAs: a.believed(), ServerName: "127.0.0.1", NextProtos: []string{"postgresql"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	next := *h.conf
	a.issue("successor", net.IPv4(127, 0, 0, 1))
	next.ClientTLS.CertFile, next.ClientTLS.KeyFile = a.file("successor.crt"), a.file("successor.key")
	broken := next
	broken.ClientTLS.KeyFile = h.conf.ClientTLS.KeyFile // of the other certificate
	if err := h.pooler.Reload(&broken); err == nil || !strings.Contains(err.Error(), "client_tls") {
		t.Errorf("a key that does not fit: %v", err)
	}
	if got := shown(); got != "server" {
		t.Errorf("after a reload that failed: %s", got)
	}
	if err := h.pooler.Reload(&next); err != nil {
		t.Fatal(err)
	}
	if got := shown(); got != "successor" {
		t.Errorf("after a reload: %s", got)
	}
	_ = kept.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := kept.Write(startup("user", "u", "database", "d")); err != nil {
		t.Fatal(err)
	}
	if typ, _, err := wire.ReadMessage(kept, 1<<16); err != nil || typ != wire.ServerAuthentication {
		t.Errorf("a connection from before: %q, %v", typ, err)
	}
}
