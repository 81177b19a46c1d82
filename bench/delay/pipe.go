package delay

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"poolerd/wire/sock"
)

// pipeState says who may take from a pipe's queue.
type pipeState uint8

const (
	idle    pipeState = iota // nothing waits
	queued                   // bytes wait, and the pipe is in its clock's heap
	writing                  // one goroutine writes what is due
)

// deliveriesATurn is how many writes a clock makes for one pipe before the others get their turn.
const deliveriesATurn = 8

// chunk is what one read has brought, or the end.
type chunk struct {
	due   int64
	block *block // nil at the end
	n     int    // bytes of it
	end   ending
}

// pipe is one direction of a link.
type pipe struct {
	link     *link
	clock    *clock
	src, dst *sock.Conn
	raw      syscall.RawConn // dst's
	room     chan struct{}   // a token comes when a full pipe has room again

	// Guarded by clock.mu.
	state pipeState
	queue queue
	last  int64 // when the last byte is due: the next are not before
	held  int   // bytes that wait
	full  bool  // the reader waits for room

	// The reader's own.
	step  func(uintptr) bool
	ended bool

	// Of who has set the state to writing.
	try   func(uintptr) bool
	out   []byte
	wrote int
	err   error
}

func newPipe(l *link, src, dst *sock.Conn, notBefore int64) *pipe {
	p := &pipe{link: l, clock: l.clock, src: src, dst: dst, room: make(chan struct{}, 1), last: notBefore}
	p.step = p.readAll
	p.try = func(uintptr) bool {
		p.wrote, p.err = p.dst.TryWrite(p.out)
		return true
	}
	if dst.Armed() {
		// The connection has given its descriptor once already: only a closed one would not, and then writes fail as well.
		p.raw, _ = dst.Conn.(syscall.Conn).SyscallConn()
	}
	return p
}

// read fills the queue until the source ends or the link does.
func (p *pipe) read() {
	for !p.ended {
		if err := p.src.Serve(p.step); err != nil {
			return // closed by the link's end
		}
		if p.ended {
			return
		}
		select {
		case <-p.room:
		case <-p.link.gone:
			return
		}
	}
}

// readAll reads what is there. It returns true at the end of the stream, and when the pipe is full. It reads until nothing is left, not only until a
// short read: an end that came together with the last bytes is seen that way.
func (p *pipe) readAll(uintptr) bool {
	for {
		b := p.link.proxy.blocks.forRead()
		n, err := p.src.TryRead(b.bytes)
		switch {
		case err == nil:
			if p.offer(chunk{block: p.link.proxy.blocks.fit(b, n), n: n}) {
				return true
			}
			continue
		case errors.Is(err, sock.ErrWait):
			b.free()
			return false
		}
		b.free()
		p.ended = true
		how := reset
		if errors.Is(err, io.EOF) {
			how = orderly
		}
		p.offer(chunk{end: how})
		return true
	}
}

// offer queues a chunk and, where it is due at once, writes it. It tells whether the pipe is full; then a token comes when there is room.
func (p *pipe) offer(c chunk) (full bool) {
	k := p.clock
	k.mu.Lock()
	now := p.link.proxy.now()
	c.due = max(p.last, now+p.link.proxy.wait())
	p.last = c.due
	p.queue.push(c)
	p.held += c.n
	p.full = p.held >= p.link.proxy.opts.Hold
	full = p.full
	atOnce := false
	if p.state == idle {
		if atOnce = c.due <= now && !k.paused; atOnce {
			p.state = writing
		} else {
			k.push(p)
		}
	}
	k.mu.Unlock()
	if atOnce {
		p.deliver()
	}
	return full
}

// dueAt is when the first chunk is due. clock.mu is held, and the queue is not empty.
func (p *pipe) dueAt() int64 { return p.queue.first().due }

// next takes the first chunk that is due, after done bytes of the one before have been written. False means that none is, and that the caller
// no longer writes.
func (p *pipe) next(done int) (chunk, bool) {
	k := p.clock
	k.mu.Lock()
	defer k.mu.Unlock()
	p.held -= done
	if p.full && p.held <= p.link.proxy.opts.Hold/2 {
		p.full = false
		p.room <- struct{}{} // there is place: full is set once a token
	}
	if p.queue.empty() {
		p.state = idle
		return chunk{}, false
	}
	late := p.link.proxy.now() - p.dueAt()
	if k.paused || late < 0 {
		k.push(p)
		return chunk{}, false
	}
	k.delivered(time.Duration(late))
	return p.queue.pop(), true
}

// deliver writes what is due without waiting for the destination. What would have to wait goes on in a goroutine of its own. The state is writing.
func (p *pipe) deliver() {
	done := 0
	for range deliveriesATurn {
		c, ok := p.next(done)
		if !ok || p.finish(c) {
			return
		}
		n, err := p.tryWrite(c.block.bytes[:c.n])
		if err != nil {
			p.link.end(reset)
			return
		}
		if n < c.n {
			p.link.proxy.work.Go(func() { p.drain(c, n) })
			return
		}
		done = c.n
		c.block.free()
	}
	p.link.proxy.work.Go(func() { p.drain(chunk{}, done) })
}

// drain writes the rest of c, of which n bytes are written, and all that is due by then, waiting for the destination.
func (p *pipe) drain(c chunk, n int) {
	done := n
	for {
		if c.block != nil {
			if _, err := p.dst.Conn.Write(c.block.bytes[n:c.n]); err != nil {
				p.link.end(reset)
				return
			}
			done = c.n
			c.block.free()
		}
		var ok bool
		if c, ok = p.next(done); !ok || p.finish(c) {
			return
		}
		n = 0
	}
}

// finish passes an end on; it tells whether c is one. The state stays writing: nothing follows.
func (p *pipe) finish(c chunk) bool {
	switch c.end {
	case goesOn:
		return false
	case orderly:
		if closeWrite(p.dst) == nil {
			p.link.ended()
			return true
		}
	}
	p.link.end(reset)
	return true
}

// tryWrite writes what the kernel takes now.
func (p *pipe) tryWrite(b []byte) (int, error) {
	if p.raw == nil {
		return 0, nil
	}
	p.out, p.wrote, p.err = b, 0, net.ErrClosed
	err := p.raw.Write(p.try) // keeps the descriptor from being closed meanwhile
	p.out = nil
	if err == nil && !errors.Is(p.err, sock.ErrWait) {
		err = p.err
	}
	return p.wrote, err
}
