// Package sock waits for bytes without holding a buffer.
//
// A Go Read that finds nothing costs a system call that fails (EAGAIN), and it holds a buffer all the while. Conn turns this round: Serve
// parks the goroutine in the runtime's poller and calls back when there is something to read; the caller brings a buffer only then. A request is
// written from inside the peer's callback, after the runtime has armed the descriptor, so that the reply can neither be missed nor
// cost a failed read. What it refuses to do: to know anything of PostgreSQL.
//
// The poller is edge triggered: after a TryRead that filled less than the buffer, nothing is left, and the next arrival wakes the goroutine.
// A close that arrived together with the last bytes can go unnoticed that way; Gone asks the kernel, and whoever owns many connections
// asks it now and then.
package sock

import (
	"errors"
	"net"
	"syscall"
)

// ErrWait means that nothing can be read or written now.
var ErrWait = errors.New("would block")

// Conn is a connection. One goroutine at a time may be in Serve or TryRead, and one in Write or TryWrite.
type Conn struct {
	net.Conn
	raw syscall.RawConn // nil: a wrapped connection (TLS), which waits in Read with a buffer
	fd  int             // valid while the caller is inside a callback of raw, or nothing has closed the Conn
}

// New wraps nc, which keeps its owner: closing either closes both.
func New(nc net.Conn) *Conn {
	c := &Conn{Conn: nc, fd: -1}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return c
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return c
	}
	if raw.Control(func(fd uintptr) { c.fd = int(fd) }) == nil {
		c.raw = raw
	}
	return c
}

// Armed tells whether c waits in the poller, without a buffer.
func (c *Conn) Armed() bool { return c.raw != nil }

// Serve calls step at once, and again each time something may have arrived, until step returns true. It returns the error of the wait: a deadline
// that has passed (os.ErrDeadlineExceeded) or a closed connection (net.ErrClosed). step's argument is the descriptor.
func (c *Conn) Serve(step func(fd uintptr) bool) error {
	if c.raw != nil {
		return c.raw.Read(step)
	}
	for !step(0) {
	}
	return nil
}

// TryRead reads what is there: ErrWait when there is nothing, io.EOF at the end. A wrapped connection waits instead.
func (c *Conn) TryRead(p []byte) (int, error) {
	if c.raw == nil {
		return c.Conn.Read(p)
	}
	return read(c.fd, p)
}

// TryWrite writes what the kernel takes: fewer bytes than len(p) and ErrWait when its buffer is full. A wrapped connection waits instead.
func (c *Conn) TryWrite(p []byte) (int, error) {
	if c.raw == nil {
		return c.Conn.Write(p)
	}
	n := 0
	for n < len(p) {
		k, err := write(c.fd, p[n:])
		if err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

// Write writes all of p, and parks while the kernel's buffer is full.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.TryWrite(p)
	if err != ErrWait { //nolint:errorlint // never wrapped
		return n, err
	}
	k, err := c.writeRest(p[n:])
	return n + k, err
}

// writeRest parks until all of p is written. It stands apart since its closure costs an allocation.
func (c *Conn) writeRest(p []byte) (n int, err error) {
	var failed error
	err = c.raw.Write(func(uintptr) bool {
		k, err := c.TryWrite(p[n:])
		n += k
		if err == ErrWait { //nolint:errorlint // never wrapped
			return false
		}
		failed = err
		return true
	})
	return n, errors.Join(err, failed)
}
