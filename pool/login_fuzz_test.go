package pool

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/secure"
)

// fuzzConn is a client that says what it says, and listens.
type fuzzConn struct {
	in  *bytes.Reader
	out bytes.Buffer
}

func (c *fuzzConn) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *fuzzConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *fuzzConn) Close() error                     { return nil }
func (c *fuzzConn) SetDeadline(time.Time) error      { return nil }
func (c *fuzzConn) SetReadDeadline(time.Time) error  { return nil }
func (c *fuzzConn) SetWriteDeadline(time.Time) error { return nil }
func (c *fuzzConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6432} }

func (c *fuzzConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5} }

// FuzzLogin: whatever a client sends, its login ends, in plain text with an error at most, and nobody comes in without a proof.
func FuzzLogin(f *testing.F) {
	a := newAuthority(f, "ca")
	a.issue("server")
	var poolers []*Pooler
	for _, method := range []config.AuthType{config.AuthSCRAM, config.AuthMD5, config.AuthHBA, config.AuthCert} {
		for _, mode := range []secure.Mode{secure.Disable, secure.Prefer, secure.VerifyFull} {
			c := config.Defaults()
			c.AuthType, c.WatchFunctions, c.MaxClientConn = method, 0, 0 // who has proved itself finds no room: that is seen below
			c.LogConnections, c.LogDisconnections, c.LogPoolerErrors = true, true, true
			dir := f.TempDir()
			c.AuthFile = file(f, dir, "users", loginUsers)
			c.AuthHBAFile = file(f, dir, "hba", "host d plain 192.0.2.0/24 md5\nhost all all 192.0.2.0/24 scram-sha-256\nhostssl all all 0.0.0.0/0 cert\n")
			c.ClientTLS = secure.Settings{Mode: mode, CertFile: a.file("server.crt"), KeyFile: a.file("server.key"), CAFile: a.root()}
			if err := config.ApplyUpstream(c, "postgres://x@127.0.0.1:1/d", config.Origin{}); err != nil {
				f.Fatal(err)
			}
			p, err := New(c, zerolog.New(io.Discard))
			if err != nil {
				f.Fatal(err)
			}
			p.slowdown = nil
			f.Cleanup(p.kill)
			poolers = append(poolers, p)
		}
	}
	password := func(body string) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{wire.ClientPassword}, uint32(4+len(body))), body...)
	}
	sasl := "SCRAM-SHA-256\x00\x00\x00\x00\x20n,,n=,r=rOprNGfwEbeRWgbNEkqO0000"
	good := startup("user", "plain", "database", "d")
	for i := range poolers {
		for _, seed := range [][]byte{
			nil, sslRequest(), gssRequest(), good, startup("user", "nobody", "replication", "true"), startup("user", "plain", "database", "pgbouncer"),
			append(sslRequest(), 0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0), append(gssRequest(), good...), wire.AppendCancelRequest(nil, 1, []byte{1, 2, 3, 4}),
			append(bytes.Clone(good), password("foo\x00")...), append(bytes.Clone(good), password(sasl)...),
			append(append(bytes.Clone(good), password(sasl)...), password("c=biws,r=x,p=AAAA")...),
		} {
			f.Add(uint8(i), seed)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, said []byte) {
		p := poolers[int(which)%len(poolers)]
		c := &fuzzConn{in: bytes.NewReader(said)}
		p.accept(c, func() {})
		heard := c.out.Bytes()
		if bytes.Contains(heard, []byte("no more connections allowed")) {
			t.Errorf("came in without a proof: %q", heard)
		}
		for len(heard) > 0 && (heard[0] == 'N' || heard[0] == 'S') {
			if heard[0] == 'S' {
				return // the rest is TLS's
			}
			heard = heard[1:]
		}
		for len(heard) > 0 {
			typ, size, ok := wire.Header(heard)
			if !ok || size > len(heard) || typ != wire.ServerAuthentication && typ != wire.ServerNegotiateProtocol && typ != wire.ServerErrorResponse {
				t.Fatalf("said %q, heard %q", said, c.out.Bytes())
			}
			heard = heard[size:]
			if typ == wire.ServerErrorResponse && len(heard) > 0 {
				t.Fatalf("more after an error: %q", c.out.Bytes())
			}
		}
		if n := p.lobby.count(); n > 0 {
			t.Errorf("%d logins are left", n)
		}
	})
}
