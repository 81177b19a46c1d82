package web

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"time"

	"poolerd/wire/sock"
)

const readBuffer = 8 << 10

// conn is a connection that is kept alive. It belongs to the client's goroutine, but for cut.
type conn struct {
	net.Conn
	in   *bufio.Reader
	raw  *sock.Conn // below TLS
	last time.Time  // when a response has come over it; zero: none yet
}

// idleFor is how long a connection must have been idle for it to be worth a system call whether it is still there.
const idleFor = time.Second

// stale tells whether the server has closed the connection while it was idle.
func (c *conn) stale() bool {
	return !c.last.IsZero() && time.Since(c.last) > idleFor && c.raw.Gone()
}

// dial connects to the server.
func dial(ctx context.Context, s *server, limit time.Duration) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	raw := sock.New(nc)
	if s.secure {
		secured := tls.Client(nc, &tls.Config{ServerName: s.name, RootCAs: s.roots, NextProtos: []string{"http/1.1"}})
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = nc.Close()
			return nil, err
		}
		nc = secured
	}
	return &conn{Conn: nc, in: bufio.NewReaderSize(nc, readBuffer), raw: raw}, nil
}

// cut ends whatever waits on the connection. It is safe from any goroutine.
func (c *conn) cut() { _ = c.SetDeadline(time.Unix(1, 0)) }
