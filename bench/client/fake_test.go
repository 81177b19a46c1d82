package client

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"poolerd/wire"
)

// fakeServer is a PostgreSQL that lets everybody in, and answers each flight by a function.
type fakeServer struct {
	t        *testing.T
	listener net.Listener
	tls      *tls.Config
	// serve answers flights until it returns. It is given the connection's number, from 0, behind its login.
	serve   func(s *fakeSession)
	running sync.WaitGroup

	mu       sync.Mutex
	sessions []*fakeSession
	stopped  bool
}

type fakeSession struct {
	net.Conn
	number int
	in     *bufio.Reader
}

func startFake(t *testing.T, secure bool, serve func(s *fakeSession)) *fakeServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{t: t, listener: l, serve: serve}
	if secure {
		f.tls = &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	}
	f.running.Go(f.accept)
	t.Cleanup(f.stop)
	return f
}

func (f *fakeServer) url() string {
	mode := "disable"
	if f.tls != nil {
		mode = "require"
	}
	return fmt.Sprintf("postgres://u@%s/d?sslmode=%s", f.listener.Addr(), mode)
}

func (f *fakeServer) stop() {
	_ = f.listener.Close()
	f.mu.Lock()
	f.stopped = true
	for _, s := range f.sessions {
		_ = s.Close()
	}
	f.mu.Unlock()
	f.running.Wait()
}

func (f *fakeServer) accept() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.running.Go(func() {
			defer conn.Close()
			f.session(conn)
		})
	}
}

func (f *fakeServer) session(conn net.Conn) {
	for {
		packet, err := wire.ReadStartup(conn)
		if err != nil {
			return
		}
		if packet.Kind == wire.RequestSession {
			break
		}
		answer := byte('N')
		if packet.Kind == wire.RequestSSL && f.tls != nil {
			answer = 'S'
		}
		if _, err := conn.Write([]byte{answer}); err != nil {
			return
		}
		if answer == 'S' {
			conn = tls.Server(conn, f.tls)
		}
	}
	welcome := wire.AppendReadyForQuery(wire.AppendBackendKeyData(wire.AppendAuthenticationOK(nil), 1, []byte{1, 2, 3, 4}), wire.TxIdle)
	if _, err := conn.Write(welcome); err != nil {
		return
	}
	s := &fakeSession{Conn: conn, in: bufio.NewReader(conn)}
	f.mu.Lock()
	s.number = len(f.sessions)
	f.sessions = append(f.sessions, s)
	stopped := f.stopped
	f.mu.Unlock()
	if !stopped {
		f.serve(s)
	}
}

// flight waits for a Query or Sync, and gives the text of the last Query. It is false when the client is gone.
func (s *fakeSession) flight() (query string, ok bool) {
	for {
		typ, body, err := wire.ReadMessage(s.in, 1<<26)
		switch {
		case err != nil || typ == wire.ClientTerminate:
			return "", false
		case typ == wire.ClientQuery:
			return string(body[:len(body)-1]), true
		case typ == wire.ClientSync:
			return "", true
		}
	}
}

var done = wire.AppendReadyForQuery(wire.AppendCommandComplete(nil, "SELECT 1"), wire.TxIdle)

// answer sends bytes; it is false when the client is gone.
func (s *fakeSession) answer(b []byte) bool {
	_, err := s.Write(b)
	return err == nil
}

// certificate makes one that nobody has signed.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fake"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// refusing is an address where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprintf("postgres://u@%s/d?sslmode=disable", l.Addr())
}
