package pool

import (
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/secure"
	"poolerd/wire/sock"
)

// tlsListener accepts connections that begin with TLS.
type tlsListener struct{ net.Listener }

func (l tlsListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := tls.Server(sock.Gate(nc), selfSigned())
	_ = c.Handshake()
	return c, nil
}

// TestTLSOnBothSides: sizes and flights that are cut by records in every way come through as they do in plain text, and what waits for a client that is slow to read is not lost.
func TestTLSOnBothSides(t *testing.T) {
	f := startFake(t)
	f.tls = selfSigned()
	conf := config.Defaults()
	conf.AuthType, conf.WatchFunctions, conf.DefaultPoolSize = config.AuthTrust, 0, 2
	conf.ServerTLS.Mode = secure.Require
	if err := config.ApplyUpstream(conf, f.url(), config.Origin{}); err != nil {
		t.Fatal(err)
	}
	p, err := New(conf, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Serve(tlsListener{l}) }()
	defer func() {
		p.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	var clients sync.WaitGroup
	defer clients.Wait()
	for range 4 {
		nc, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		c := newTestClient(t, nc)
		clients.Go(func() {
			for _, size := range []int{1, 100, 16_000, 16_384 - wire.HeaderLen, 17_000, 32 << 10, 100_000, 1 << 20} {
				if got := c.query("SELECT '" + strings.Repeat("x", size) + "'"); got != "CZI" {
					t.Errorf("%d bytes: %s", size, got)
				}
			}
			var b []byte
			for range 2000 {
				b = wire.AppendQuery(b, "SELECT 1")
			}
			sent := make(chan error, 1)
			go func() {
				_, err := nc.Write(b)
				sent <- err
			}()
			if got, want := c.replies(2000), strings.Repeat("CZI", 2000); got != want {
				t.Errorf("%d bytes of replies, want %d", len(got), len(want))
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
		})
	}
}
