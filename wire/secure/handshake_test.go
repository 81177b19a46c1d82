package secure

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"poolerd/wire/sock"
)

// loopback gives the two ends of a TCP connection.
func loopback(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

// meet lets a client with conf meet server. The errors are those of the two sides; a server's refusal of the client's certificate comes to a TLS 1.3 client with its first read.
func meet(t *testing.T, server *Server, conf *tls.Config, direct bool) (near, far tls.ConnectionState, nearErr, farErr error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	a, b := loopback(t)
	done := make(chan error, 1)
	client := tls.Client(b, conf)
	go func() {
		err := client.HandshakeContext(ctx)
		if err == nil {
			one := make([]byte, 1)
			_, err = client.Read(one)
		} else {
			_ = b.Close()
		}
		done <- err
	}()
	pace := newCounted()
	conn, nearErr := server.Handshake(ctx, a, direct, pace)
	if pace.begun != pace.ended {
		t.Errorf("the pace: begun %d times, ended %d times", pace.begun, pace.ended)
	}
	if nearErr == nil {
		near = conn.ConnectionState()
		c := sock.New(conn)
		if !c.Armed() {
			t.Error("does not wait in the poller")
		}
		if _, err := c.Write([]byte("x")); err != nil {
			t.Error(err)
		}
	} else {
		_ = a.Close()
	}
	farErr = <-done
	return near, client.ConnectionState(), nearErr, farErr
}

func mustServer(t *testing.T, s Settings) *Server {
	t.Helper()
	server, err := NewServer(s)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func mustClient(t *testing.T, s Settings) *Client {
	t.Helper()
	client, err := NewClient(s)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestClientModes: what each of the servers' modes asks of the certificate.
func TestClientModes(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, key := ours.issue("server", "db.example.org", "127.0.0.1")
	wild, wildKey := ours.issue("wild", "*.example.org")
	old, oldKey := ours.issue("old.example.org")
	named := mustServer(t, Settings{Mode: Require, CertFile: cert, KeyFile: key})
	wildcard := mustServer(t, Settings{Mode: Require, CertFile: wild, KeyFile: wildKey})
	nameless := mustServer(t, Settings{Mode: Require, CertFile: old, KeyFile: oldKey})
	tests := []struct {
		mode   Mode
		ca     *authority
		server *Server
		host   string
		want   string // in the error
	}{
		{Prefer, nil, named, "other.example.org", ""},
		{Require, nil, named, "other.example.org", ""},
		{Require, theirs, named, "other.example.org", ""},
		{VerifyCA, ours, named, "other.example.org", ""},
		{VerifyCA, theirs, named, "db.example.org", "certificate verify failed"},
		{VerifyFull, ours, named, "db.example.org", ""},
		{VerifyFull, ours, named, "127.0.0.1", ""},
		{VerifyFull, ours, named, "127.0.0.2", "certificate verify failed"},
		{VerifyFull, ours, named, "other.example.org", "certificate verify failed"},
		{VerifyFull, ours, named, "server", "certificate verify failed"}, // the common name does not count beside others
		{VerifyFull, theirs, named, "db.example.org", "certificate verify failed"},
		{VerifyFull, ours, wildcard, "db.example.org", ""},
		{VerifyFull, ours, wildcard, "a.db.example.org", "certificate verify failed"},
		{VerifyFull, ours, nameless, "old.example.org", ""},
		{VerifyFull, ours, nameless, "new.example.org", "certificate verify failed"},
	}
	for _, test := range tests {
		s := Settings{Mode: test.mode}
		if test.ca != nil {
			s.CAFile = test.ca.file
		}
		_, _, _, err := meet(t, test.server, mustClient(t, s).Config(test.host), false)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%v to %s: %v, want %q", test.mode, test.host, err, test.want)
		}
	}
}
