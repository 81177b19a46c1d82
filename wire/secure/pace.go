package secure

import (
	"context"
	"fmt"
	"net"
	"syscall"
)

// Pace bounds how many handshakes compute at a time.
type Pace interface {
	// Begin waits until one more may, until ctx ends at most. end says that it has, or waits for its client.
	Begin(ctx context.Context) (end func(), _ error)
}

// paced is the connection of a client during the handshake, which computes whatever it has read: so it has its part of the pace from a read's end to the write of what it has computed, which may
// wait for the client, or to the next read.
type paced struct {
	net.Conn
	pace Pace
	ctx  context.Context // the handshake's
	end  func()          // nil while it does not compute
	done bool            // the handshake is over
}

// Read waits for the client first, and then for its turn.
func (c *paced) Read(p []byte) (int, error) {
	if c.done {
		return c.Conn.Read(p)
	}
	c.rest()
	n, err := c.Conn.Read(p)
	if err != nil {
		return n, err
	}
	c.end, err = c.pace.Begin(c.ctx)
	return n, err
}

// Write is for what has been computed: crypto/tls gathers a flight, and writes it at once.
func (c *paced) Write(p []byte) (int, error) {
	c.rest()
	return c.Conn.Write(p)
}

func (c *paced) rest() {
	if c.end != nil {
		c.end()
		c.end = nil
	}
}

// finish ends the pace: what is read from now on is the session.
func (c *paced) finish() {
	c.rest()
	c.done, c.ctx = true, nil
}

// SyscallConn lets sock wait for the connection.
func (c *paced) SyscallConn() (syscall.RawConn, error) {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("a %T has no descriptor", c.Conn)
	}
	return sc.SyscallConn()
}
