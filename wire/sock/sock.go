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
//
// TLS behaves the same when the connection below it went through Gate before the handshake. TryRead then takes record after record until the buffer is full or no whole
// record is left, so that a short read means the same; TryWrite may have taken bytes that are still on their way to the kernel.
package sock

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// ErrWait means that nothing can be read or written now.
var ErrWait = errors.New("would block")

// Conn is a connection. One goroutine at a time may be in Serve, Read or TryRead, and one in Write or TryWrite.
type Conn struct {
	net.Conn
	raw     syscall.RawConn // nil: a wrapped connection, which waits in Read with a buffer
	fd      int             // valid while the caller is inside a callback of raw, or nothing has closed the Conn
	gate    *gate           // nil unless Conn is a *tls.Conn above it
	drained bool            // of the last TryRead
	partial bool            // of the gate's: crypto/tls may have given out a record in part
	failed  error           // of the gate's: what the next TryRead gives
}

// New wraps nc, which keeps its owner: closing either closes both. A *tls.Conn above a Gate, whose handshake is done, may still be read and written itself, which waits.
func New(nc net.Conn) *Conn {
	c := &Conn{Conn: nc, fd: -1}
	below := nc
	var g *gate
	switch t := nc.(type) {
	case *gate: // nobody put TLS above it
		c.Conn, below = t.Conn, t.Conn
	case *tls.Conn:
		if g, _ = t.NetConn().(*gate); g == nil || !t.ConnectionState().HandshakeComplete {
			return c
		}
		below = g.Conn
	}
	raw, err := rawConn(below)
	if err != nil || raw.Control(func(fd uintptr) { c.fd = int(fd) }) != nil {
		return c
	}
	c.raw = raw
	if g != nil {
		c.gate, c.partial = g, true
		g.arm(raw, c.fd)
	}
	return c
}

// rawConn gives the descriptor of nc, or errors.ErrUnsupported where nc is no socket.
func rawConn(nc net.Conn) (syscall.RawConn, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("a %T has no descriptor: %w", nc, errors.ErrUnsupported)
	}
	return sc.SyscallConn()
}

// Armed tells whether c waits in the poller, without a buffer.
func (c *Conn) Armed() bool { return c.raw != nil }

// Drained tells whether the last TryRead, which gave something, took all that there was: the poller tells of the next arrival. It belongs to the goroutine that reads.
func (c *Conn) Drained() bool { return c.drained }

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
	switch {
	case c.gate != nil:
		return c.tryReadTLS(p)
	case c.raw == nil:
		return c.Conn.Read(p)
	}
	n, err := read(c.fd, p)
	c.drained = n < len(p)
	return n, err
}

// TryWrite writes what the kernel takes: fewer bytes than len(p) and ErrWait when its buffer is full. A wrapped connection waits instead. Over TLS the count may be that of all bytes,
// with ErrWait: the last of them are taken, but on their way to the kernel, and a later TryWrite or Write, of nothing if there is no more to say, sends them on.
func (c *Conn) TryWrite(p []byte) (int, error) {
	switch {
	case c.gate != nil:
		return c.tryWriteTLS(p)
	case c.raw == nil:
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
