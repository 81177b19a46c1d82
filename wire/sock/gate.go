package sock

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// Gate wraps the connection below TLS, so that the TLS connection above it can wait as a plain one does: the handshake blocks as usual, and once New is given
// the *tls.Conn, reads that find nothing and writes that the kernel has no room for come back at once. nc has to be a syscall.Conn for that (a TCP or Unix connection).
//
// It rests on two properties of crypto/tls. A read error that is temporary leaves its state as it is, the part of a record that has arrived included. An error of a
// write, which would be final, is never needed: the gate takes all it is given, and keeps what the kernel does not take.
func Gate(nc net.Conn) net.Conn {
	g := &gate{Conn: nc}
	g.send = g.sendPending
	return g
}

// gate is below a tls.Conn. Its reading half belongs to the goroutine that reads; the writing half has a lock, since crypto/tls answers a KeyUpdate from a read.
type gate struct {
	net.Conn
	raw syscall.RawConn // nil until arm

	fd      int
	dry     bool // the last read took all that the kernel had
	frames  frames
	reading atomic.Bool // a TryRead is under way: reads do not wait, nor what crypto/tls writes meanwhile
	writing atomic.Bool // a TryWrite is, or the end: writes do not wait
	unread  atomic.Bool // something may be left above the kernel

	mu      sync.Mutex
	pending []byte        // records that the kernel has not taken
	failed  error         // why it takes no more
	send    func(uintptr) // sendPending, bound once
}

// again is what a read gives that finds nothing. crypto/tls keeps on where it was after an error that says of itself that it is temporary.
type again struct{}

func (again) Error() string   { return ErrWait.Error() }
func (again) Timeout() bool   { return false }
func (again) Temporary() bool { return true }

var errAgain net.Error = again{}

// NetConn gives the connection that Gate was given.
func (g *gate) NetConn() net.Conn { return g.Conn }

// SyscallConn is that of the connection that Gate was given.
func (g *gate) SyscallConn() (syscall.RawConn, error) { return rawConn(g.Conn) }

// arm ends the time in which reads and writes block.
func (g *gate) arm(raw syscall.RawConn, fd int) {
	g.raw, g.fd = raw, fd
	g.unread.Store(true)
}

// Read is called by crypto/tls, which has used up all whole records by then.
func (g *gate) Read(p []byte) (n int, err error) {
	g.frames.whole = 0
	switch {
	case !g.reading.Load():
		n, err = g.Conn.Read(p)
	case g.dry:
		return 0, errAgain
	default:
		n, err = read(g.fd, p)
		g.dry = n < len(p)
		if err == ErrWait { //nolint:errorlint // never wrapped
			err = errAgain
		}
	}
	g.frames.pass(p[:n])
	return n, err
}

// Write takes all of p once the gate is armed. Whoever writes to the TLS connection itself, and not to the Conn, waits until the kernel has it.
func (g *gate) Write(p []byte) (int, error) {
	if g.raw == nil {
		return g.Conn.Write(p)
	}
	n, err := g.take(p)
	if err != nil || g.reading.Load() || g.writing.Load() {
		return n, err
	}
	if werr := g.raw.Write(func(uintptr) bool {
		err = g.flush()
		return err != ErrWait //nolint:errorlint // never wrapped
	}); werr != nil {
		return 0, werr
	}
	return n, err
}

// take keeps what the kernel does not take.
func (g *gate) take(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed != nil {
		return 0, g.failed
	}
	n := len(p)
	if len(g.pending)+n > maxPending {
		g.failed, g.pending = errPending, nil
		return 0, g.failed
	}
	if len(g.pending) > 0 {
		g.pending = append(g.pending, p...)
		return n, nil
	}
	g.pending = p // crypto/tls's until we return
	err := g.flushLocked()
	g.pending = append([]byte(nil), g.pending...)
	if err != nil && err != ErrWait { //nolint:errorlint // never wrapped
		return 0, err
	}
	return n, nil
}

// flush hands the kernel what is pending: ErrWait when it does not take all of it.
func (g *gate) flush() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.flushLocked()
}

// kept is ErrWait when something is pending.
func (g *gate) kept() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed == nil && len(g.pending) > 0 {
		return ErrWait
	}
	return g.failed
}

func (g *gate) flushLocked() error {
	if g.failed == nil && len(g.pending) > 0 {
		// Control keeps the descriptor from being closed and used for another connection meanwhile, and takes no lock that a parked writer has.
		if err := g.raw.Control(g.send); err != nil {
			g.failed = err
		}
	}
	switch {
	case g.failed != nil:
		g.pending = nil
		return g.failed
	case len(g.pending) > 0:
		return ErrWait
	}
	g.pending = nil
	return nil
}

// sendPending writes to the kernel until it takes no more.
func (g *gate) sendPending(fd uintptr) {
	for len(g.pending) > 0 {
		n, err := write(int(fd), g.pending)
		g.pending = g.pending[n:]
		if err == ErrWait { //nolint:errorlint // never wrapped
			return
		}
		if err != nil {
			g.failed = err
			return
		}
	}
}

// maxPending bounds what is kept for a peer that does not read: TryWrite adds a record at most, and the rest are answers to KeyUpdates, which a peer could go on asking for.
const maxPending = 64 << 10

var errPending = errors.New("peer asks for new keys and does not read")

// recordHeader is the length of a TLS record's header: type, version, length of the rest.
const recordHeader = 5

// frames follows the bounds of the records that pass, which tells whether crypto/tls, that does not say so, may hold a whole one that it has not read.
type frames struct {
	head  [recordHeader]byte
	have  int // bytes of head
	rest  int // bytes to come of the record
	whole int // records that have become whole since crypto/tls last asked for more
}

func (f *frames) pass(p []byte) {
	for len(p) > 0 {
		if f.rest > 0 {
			n := min(f.rest, len(p))
			p = p[n:]
			if f.rest -= n; f.rest == 0 {
				f.whole++
			}
			continue
		}
		if f.have == 0 && (p[0] < 20 || p[0] > 24) { // the answer to SSLRequest, before TLS begins
			p = p[1:]
			continue
		}
		n := copy(f.head[f.have:], p)
		p = p[n:]
		if f.have += n; f.have == recordHeader {
			f.have, f.rest = 0, int(f.head[3])<<8|int(f.head[4])
			if f.rest == 0 {
				f.whole++
			}
		}
	}
}
