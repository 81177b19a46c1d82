package client

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"poolerd/bench/workload"
	"poolerd/wire"
	"poolerd/wire/sock"
)

// bufferSize is how much is read at once. Larger replies take several reads.
const bufferSize = 16 << 10

type buffer [bufferSize]byte

// buffers are what replies are read into. It holds no state: a pool is no more than memory that is used again.
var buffers = sync.Pool{New: func() any { return new(buffer) }}

// conn is one connection, logged in. One goroutine uses it; cut may be called from any.
type conn struct {
	*sock.Conn
	in    replies
	limit time.Duration
	step  func(fd uintptr) bool // turn, made once: a method value is an allocation

	// Of the flight under way:
	out    []byte
	sent   int
	want   int  // ReadyForQuery
	copyIn bool // or CopyInResponse
	broken error
	full   bool // the kernel takes no more of out

	mu    sync.Mutex
	ended bool // cut was called
}

func newConn(nc net.Conn, limit time.Duration) *conn {
	c := &conn{Conn: sock.New(nc), limit: limit}
	c.step = c.turn
	c.rearm()
	return c
}

// errCut is the end of the context.
var errCut = errors.New("cut off")

// cut ends what the connection is waiting for, now and later.
func (c *conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	_ = c.SetDeadline(time.Unix(1, 0))
}

// quarters is how many deadlines in a row pass before a flight has had its time: the first one may have been set long before it began.
const quarters = 4

// rearm sets the next deadline. It is false when the connection has been cut.
func (c *conn) rearm() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		_ = c.SetReadDeadline(time.Now().Add(c.limit / quarters))
	}
	return !c.ended
}

// exchange sends a flight and waits for the replies. After an error the connection is of no use.
func (c *conn) exchange(f *workload.Flight) error {
	c.out, c.sent, c.want, c.copyIn = f.Data, 0, f.Ready, f.CopyIn
	c.full = false
	c.in.begin(f.Rows)
	err := c.await()
	if err == nil && c.full {
		err = c.exchangeLarge()
	}
	c.out = nil
	return err
}

// await waits until turn has what it wants.
func (c *conn) await() error {
	for passed := 0; ; {
		c.broken = nil
		err := c.Serve(c.step)
		if err == nil {
			err = c.broken
		}
		if err == nil {
			return c.verdict()
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return c.lost(err)
		}
		if passed++; passed > quarters {
			return &failure{"timeout", fmt.Sprintf("no answer within %v", c.limit)}
		}
		if !c.rearm() {
			return errCut
		}
	}
}

// verdict is what replies that ended the waiting mean for the connection.
func (c *conn) verdict() error {
	switch {
	case c.in.fatal:
		return &failure{"lost", c.in.text + " (SQLSTATE " + c.in.code + ")"}
	case c.in.wrong:
		return &failure{"lost", "the server sent what is no message of the protocol"}
	case c.in.copyIn && !c.copyIn:
		return &failure{"lost", "the server wants COPY data, and the script has none"}
	}
	return nil
}

// lost is the failure of a connection that broke. The server's last words tell more than the socket.
func (c *conn) lost(err error) error {
	if c.in.fatal {
		return c.verdict()
	}
	if errors.Is(err, io.EOF) {
		return &failure{"lost", "the server closed the connection without a word"}
	}
	return &failure{"lost", fmt.Sprintf("the connection broke: %v", err)}
}

// turn is called when the poller watches the connection, which is the time to send, and then whenever something has arrived.
func (c *conn) turn(uintptr) bool {
	var failed error
	if c.sent < len(c.out) {
		n, err := c.TryWrite(c.out[c.sent:])
		c.sent += n
		switch err { //nolint:errorlint // never wrapped
		case nil:
			return false
		case sock.ErrWait:
			c.full = true
			return true
		}
		failed = err // there may be last words to read
		c.sent = len(c.out)
	}
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	for {
		n, err := c.TryRead(b[:])
		c.in.feed(b[:n])
		switch {
		case c.complete():
			return true
		case err == sock.ErrWait: //nolint:errorlint // never wrapped
			c.broken = failed
			return failed != nil
		case err != nil:
			c.broken = err
			return true
		case n < len(b):
			return false
		}
	}
}

// complete tells whether nothing more is to be waited for.
func (c *conn) complete() bool {
	in := &c.in
	if in.fatal || in.wrong {
		return true
	}
	if c.copyIn {
		return in.copyIn || in.ready > 0
	}
	return in.copyIn || in.ready >= c.want
}

// exchangeLarge sends the rest of a flight that is too large for the kernel's buffers, while replies are read already: else both sides might wait for each other.
func (c *conn) exchangeLarge() error {
	rest := c.out[c.sent:]
	c.sent = len(c.out)
	written := make(chan error, 1)
	go func() {
		_, err := c.Write(rest)
		written <- err
	}()
	err := c.await()
	if err != nil {
		_ = c.SetWriteDeadline(time.Unix(1, 0))
		<-written
		return err
	}
	if err := <-written; err != nil {
		return c.lost(err)
	}
	return nil
}

// terminate ends the session as a client should.
func (c *conn) terminate() error {
	c.mu.Lock()
	c.ended = true
	_ = c.SetDeadline(time.Now().Add(time.Second)) // TLS has a word to say
	c.mu.Unlock()
	_, _ = c.TryWrite(wire.AppendEmpty(nil, wire.ClientTerminate))
	return c.Close()
}
