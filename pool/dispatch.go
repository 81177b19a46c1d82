package pool

import (
	"time"

	"poolerd/pool/metrics"
	"poolerd/wire"
)

// flight is what a client sends up to a point at which it waits for answers.
type flight struct {
	end      int  // length in bytes, from the start of the buffer
	messages int  // their number
	last     byte // the message that ends it: Query, FunctionCall, Sync or Flush; 0: the buffer is full before the end is there
}

// dispatch deals with what a client sends while it has no server: a whole flight is answered here if that is possible, else a server is taken for it.
// Waiting for the whole flight keeps a slow sender from holding a server, but not for longer than haltLimit.
func (c *Client) dispatch() {
	f, ok := c.nextFlight()
	if !ok && (f.messages == 0 || c.left != "" || !c.hasHalted()) {
		return
	}
	if f.last != 0 && c.answer(f) {
		return
	}
	if err := c.checkout(); err != nil {
		c.fail(err)
		return
	}
	c.relay(true)
}

const (
	// haltLimit is how long a client may stop in the middle of a flight before it gets a server for what has come. PostgreSQL tells an error at once, without a Sync,
	// and a client may wait for that.
	haltLimit = 30 * time.Millisecond
	// errorLook is when such a server is looked at for the first time; from then on the clock looks (wakeForServer).
	errorLook = 10 * time.Millisecond
)

// noteHalt is called before the client's goroutine waits. A client that has stopped in the middle of a flight is woken when haltLimit has passed. The deadlines may take
// the place of past, which somebody has set: that delays what it was for, and does no harm.
func (c *Client) noteHalt() {
	switch {
	case c.busy == nil && c.in.whole():
		if c.halted.IsZero() {
			c.halted = time.Now()
		}
		_ = c.conn.SetReadDeadline(c.halted.Add(haltLimit))
		return
	case c.busy != nil && !c.halted.IsZero() && c.busy.pipe.Open():
		_ = c.conn.SetReadDeadline(time.Now().Add(errorLook))
	}
	c.halted = time.Time{}
}

func (c *Client) hasHalted() bool {
	return !c.halted.IsZero() && time.Since(c.halted) >= haltLimit
}

// nextFlight finds the flight at the start of the buffer. ok is false when more has to be read first, or the session has ended.
func (c *Client) nextFlight() (f flight, ok bool) {
	b := c.in.bytes()
	for f.end+wire.HeaderLen <= len(b) {
		typ, size, ok := clientHeader(b[f.end:])
		if !ok {
			c.broken("invalid message length")
			return f, false
		}
		if !c.allowed(typ, size) {
			return f, false
		}
		switch typ {
		case wire.ClientTerminate:
			c.leave(reasonClientClosed) // what precedes it has no Sync and would be rolled back
			return f, false
		case wire.ClientCopyData, wire.ClientCopyDone, wire.ClientCopyFail:
			if f.messages == 0 {
				c.drop(size) // a COPY that has failed already: PostgreSQL ignores them too
				return f, false
			}
		case wire.ClientQuery, wire.ClientFunctionCall, wire.ClientSync, wire.ClientFlush,
			wire.ClientParse, wire.ClientBind, wire.ClientDescribe, wire.ClientExecute, wire.ClientClose:
		default:
			c.broken("invalid frontend message type %d", typ)
			return f, false
		}
		if len(b)-f.end < size {
			suffices := startSuffices(typ, b[f.end+wire.HeaderLen:])
			if !suffices && (typ != wire.ClientBind && size > largestWhole || len(b) > largestWhole) {
				c.tooLarge(typ, size)
				return f, false
			}
			return f, c.in.full() && typ != wire.ClientParse && (f.messages > 0 || suffices) // a Parse is kept, and so must be whole
		}
		f.end += size
		f.messages++
		switch typ {
		case wire.ClientQuery, wire.ClientFunctionCall, wire.ClientSync, wire.ClientFlush:
			f.last = typ
			return f, true
		}
	}
	return f, c.in.full()
}

// clientHeader is wire.Header for what a client sends: ok is false too for a body where there must be none.
func clientHeader(b []byte) (typ byte, size int, ok bool) {
	typ, size, ok = wire.Header(b)
	return typ, size, ok && (size == wire.HeaderLen || !wire.Empty(typ))
}

// allowed applies max_packet_size and disable_pqexec to a message of the client, before any of it is sent on. False: the session has ended.
func (c *Client) allowed(typ byte, size int) bool {
	conf := c.pooler.config()
	switch {
	case conf.MaxPacketSize > 0 && int64(size) > conf.MaxPacketSize:
		c.leaveWith(reasonProtocol, errPacketSize(typ, size, conf.MaxPacketSize))
	case conf.DisablePqexec && typ == wire.ClientQuery:
		c.leaveWith(reasonPqexec, wire.Fatalf(wire.CodeProtocolViolation, reasonPqexec))
	default:
		return true
	}
	return false
}

func errPacketSize(typ byte, size int, most int64) *wire.Error {
	return wire.Fatalf(wire.CodeProgramLimitExceeded, "a message of type %q has %d bytes, more than max_packet_size = %d", typ, size, most)
}

// drop forgets a message of which perhaps not all has come yet.
func (c *Client) drop(size int) {
	n := min(size, c.in.len())
	c.in.r += n
	c.body = size - n
}

func (c *Client) skipBody() {
	n := min(c.body, c.in.len())
	c.in.r += n
	c.body -= n
}

func (c *Client) tooLarge(typ byte, size int) {
	c.leaveWith(reasonProtocol, wire.Fatalf(wire.CodeProgramLimitExceeded,
		"a message of type %q has %d bytes, more than the %d that the pooler keeps of one", typ, size, largestWhole))
}

// broken ends a client that does not speak the protocol.
func (c *Client) broken(format string, args ...any) {
	c.leaveWith(reasonProtocol, wire.Fatalf(wire.CodeProtocolViolation, format, args...))
}

// fail answers the flight at the start of the buffer with an error: the client has no server. It keeps its connection.
func (c *Client) fail(err *wire.Error) {
	if c.doom.Load() != nil {
		c.leaveDoomed()
		return
	}
	c.sayError(err)
	if c.block == blockDeferred {
		c.forgetBegin()
		c.block = blockFailed // the client believes in its transaction until it has ended it
	}
	c.skipping = true
	c.skip()
}

// sayError answers with an error of our own.
func (c *Client) sayError(err *wire.Error) {
	c.reply = err.Append(c.reply)
	c.pool.count(func(t *metrics.Totals) { t.Errors++ })
	c.logError(err)
}

// skip ignores messages up to the next one that is answered with ReadyForQuery, and answers that.
func (c *Client) skip() {
	for c.in.len() >= wire.HeaderLen {
		typ, size, ok := clientHeader(c.in.bytes())
		if !ok {
			c.broken("invalid message length")
			return
		}
		if typ == wire.ClientTerminate {
			c.leave(reasonClientClosed)
			return
		}
		c.drop(size)
		switch typ {
		case wire.ClientQuery, wire.ClientFunctionCall, wire.ClientSync:
			c.skipping = false
			c.reply = wire.AppendReadyForQuery(c.reply, c.status())
			return
		}
		if c.body > 0 {
			return
		}
	}
}

// status is what ReadyForQuery tells the client while it has no server.
func (c *Client) status() wire.TxStatus {
	switch c.block {
	case blockDeferred:
		return wire.TxActive
	case blockFailed:
		return wire.TxFailed
	}
	return wire.TxIdle
}
