package replay

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/wire"
)

// slowWriter is a connection whose first write takes until its reader waits for what comes behind the answer.
type slowWriter struct {
	net.Conn
	wrote atomic.Bool
	reads atomic.Int32
	again chan struct{}
}

func (c *slowWriter) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if c.wrote.CompareAndSwap(false, true) {
		select {
		case <-c.again:
		case <-time.After(10 * time.Second):
			return n, errors.New("nobody read beside the write")
		}
	}
	return n, err
}

func (c *slowWriter) Read(b []byte) (int, error) {
	if c.reads.Add(1) == 2 {
		close(c.again)
	}
	return c.Conn.Read(b)
}

// TestSlowLogin: what reads beside a slow write of the login does not take the first answer.
func TestSlowLogin(t *testing.T) {
	config, err := pgconn.ParseConfig(startFake(t, 0).url())
	if err != nil {
		t.Fatal(err)
	}
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		nc, err := d.DialContext(ctx, network, addr)
		return &slowWriter{Conn: nc, again: make(chan struct{})}, err
	}
	c, err := dial(t.Context(), config, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.drop()
	c.out = wire.AppendQuery(c.out, "SELECT 1")
	c.pipe.Sent(wire.OpQuery, wire.ForClient, nil)
	if err := c.flush(); err != nil {
		t.Fatal(err)
	}
	if err := c.untilReady(); err != nil {
		t.Fatal(err)
	}
}
