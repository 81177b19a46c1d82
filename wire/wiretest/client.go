package wiretest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"poolerd/wire"
)

// client is one connection of a script. A goroutine reads what comes, so that a server is never kept from writing.
type client struct {
	name  string
	conn  net.Conn
	owed  int    // ReadyForQuery that were not seen yet
	pid   uint32 // of BackendKeyData
	key   []byte
	owes  *answers      // nil before the session is ready
	ended chan struct{} // closed when the reading goroutine is gone

	mu    sync.Mutex
	queue [][]byte
	err   error         // why reading ended; io.EOF when the server closed
	more  chan struct{} // holds a token after queue or err has changed
}

func newClient(name string, conn net.Conn) *client {
	return &client{name: name, conn: conn, ended: make(chan struct{}), more: make(chan struct{}, 1)}
}

// read runs until the connection ends.
func (c *client) read() {
	defer close(c.ended)
	for {
		typ, body, err := wire.ReadMessage(c.conn, maxString)
		c.mu.Lock()
		if err != nil {
			if errors.Is(err, syscall.ECONNRESET) {
				err = io.EOF // which of the two a client sees is a matter of time
			}
			c.err = err
		} else {
			c.queue = append(c.queue, envelope(typ, body))
		}
		c.mu.Unlock()
		select {
		case c.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// next gives the next message. Its error is io.EOF after the last one.
func (c *client) next(ctx context.Context) ([]byte, error) {
	for {
		c.mu.Lock()
		if len(c.queue) > 0 {
			m := c.queue[0]
			c.queue[0] = nil
			c.queue = c.queue[1:]
			c.mu.Unlock()
			return m, nil
		}
		err := c.err
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-c.more:
		case <-ctx.Done():
			return nil, fmt.Errorf("no message came: %w", context.Cause(ctx))
		}
	}
}

// write sends bytes. A server that has closed shows in what is read, not here.
func (c *client) write(ctx context.Context, b []byte) error {
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.conn.SetWriteDeadline(deadline); err != nil {
			return err
		}
	}
	_, err := c.conn.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return err
}

// noteKey keeps the key of a session.
func (c *client) noteKey(message []byte) {
	if body := message[wire.HeaderLen:]; message[0] == wire.ServerBackendKeyData && len(body) >= 4 {
		c.pid, c.key = binary.BigEndian.Uint32(body), body[4:]
	}
}

// refusal reads the one byte that answers SSLRequest.
func (c *client) refusal(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.conn.SetReadDeadline(deadline); err != nil {
			return err
		}
	}
	var b [1]byte
	if _, err := io.ReadFull(c.conn, b[:]); err != nil {
		return err
	}
	if b[0] != 'N' {
		return fmt.Errorf("the server answered %q, not N: scripts run without encryption", b[0])
	}
	return c.conn.SetReadDeadline(time.Time{})
}

// end closes the connection and waits for the reading goroutine.
func (c *client) end() {
	_ = c.conn.Close()
	<-c.ended
}
