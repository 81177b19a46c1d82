package pool

import (
	"bytes"
	"strings"

	"poolerd/wire"
	"poolerd/wire/lex"
)

// The way of a client's messages to its server. What needs no change is sent from the buffer it was read into; names of statements are exchanged for the
// server's, and what the server lacks is sent ahead.

// relay passes on all that the client's buffer holds, and then waits for the replies that this asked for. fresh says that nothing was asked of the server before.
func (c *Client) relay(fresh bool) {
	s := c.busy
	if c.body == 0 && (s.vars != c.vars || s.plans != c.pool.plans.Load()) && s.pipe.Idle() {
		if err := c.resume(s); err != nil {
			c.serverFailed(err)
			return
		}
	}
	s.replies.fresh = fresh
	c.starts(fresh)
	c.named = false
	for c.busy == s && c.left == "" && c.in.len() > 0 {
		if c.body > 0 {
			c.passBody()
			continue
		}
		typ := c.in.b[c.in.r]
		if !c.relayMessage() {
			break
		}
		if c.namesInDoubt && (typ == wire.ClientSync || typ == wire.ClientQuery) {
			c.namesInDoubt = false
			break // whether the names changed is known when the Sync is answered
		}
		if c.inDoubt && (typ == wire.ClientSync || typ == wire.ClientQuery) {
			break // so is what they mean
		}
		if c.forgets && typ == wire.ClientExecute && (c.in.len() == 0 || c.in.b[c.in.r] != wire.ClientSync) { // more may come behind it
			c.flushNames()
			break
		}
		if c.mode == modeStatement && s.pipe.Expecting() {
			break // each statement may get another server
		}
	}
	if c.busy == s {
		c.exchange()
	}
}

// flushNames lets the server say which names are gone before more is sent that may use them, or give them anew.
func (c *Client) flushNames() {
	c.forgets = false
	c.busy.pipe.SentFlush()
	c.out = wire.AppendEmpty(c.outgoing(), wire.ClientFlush)
}

func (c *Client) passBody() {
	n := min(c.body, c.in.len())
	c.pass(n)
	if c.body -= n; c.body > 0 || !c.late.set {
		return
	}
	late := c.late
	c.late = lateOp{}
	if late.copyEnd {
		c.busy.pipe.SentCopyEnd()
	} else {
		c.busy.pipe.Sent(late.op, wire.ForClient, late.tag)
	}
}

// lateOp is what a large message asks for: nothing is owed for it before its last byte is passed on.
type lateOp struct {
	set     bool
	op      wire.Op
	tag     any
	copyEnd bool // CopyFail, which asks for nothing
}

// pass sends the next n bytes of the buffer as they are.
func (c *Client) pass(n int) {
	b := c.in.b[c.in.r : c.in.r+n]
	switch {
	case len(c.out) == 0 && len(c.span) == 0:
		c.span = b
	case len(c.out) == 0 && c.spanEnd == c.in.r:
		c.span = c.span[:len(c.span)+n]
	default:
		c.out = append(c.outgoing(), b...)
	}
	c.in.r += n
	c.spanEnd = c.in.r
}

// outgoing gives what is to be sent so far, to append to.
func (c *Client) outgoing() []byte {
	if len(c.span) > 0 {
		c.out = append(c.out[:0], c.span...)
		c.span = nil
	}
	return c.out
}

// relayMessage passes on the next message. It returns false when more of it has to be read first.
func (c *Client) relayMessage() bool {
	b := c.in.bytes()
	if len(b) < wire.HeaderLen {
		return false
	}
	typ, size, ok := clientHeader(b)
	if !ok {
		c.broken("invalid message length")
		return false
	}
	if !c.allowed(typ, size) {
		return false
	}
	if len(b) < size {
		return c.relayPart(typ, size)
	}
	body := b[wire.HeaderLen:size]
	s := c.busy
	switch typ {
	case wire.ClientParse:
		return c.relayParse(body, size)
	case wire.ClientBind:
		return c.relayBind(body, size)
	case wire.ClientDescribe:
		return c.relayDescribe(body, size)
	case wire.ClientExecute:
		s.executed = true
		s.pipe.Sent(wire.OpExecute, wire.ForClient, c.boundEffect())
	case wire.ClientClose:
		return c.relayClose(body, size)
	case wire.ClientSync:
		s.executed = false
		s.pipe.Sent(wire.OpSync, wire.ForClient, nil)
	case wire.ClientFlush:
		s.pipe.SentFlush()
	case wire.ClientQuery:
		return c.relayQuery(body, size)
	case wire.ClientFunctionCall:
		c.suspectCall(body)
		c.unsynced()
		s.pipe.Sent(wire.OpFunctionCall, wire.ForClient, nil)
	case wire.ClientCopyData:
	case wire.ClientCopyDone, wire.ClientCopyFail:
		s.pipe.SentCopyEnd()
	case wire.ClientTerminate:
		c.in.r += size
		c.exchange() // what was sent before is carried out
		c.leave(reasonClientClosed)
		return false
	default:
		c.broken("invalid frontend message type %d", typ)
		return false
	}
	c.pass(size)
	return true
}

// relayPart deals with a message that has not come as a whole: a large one is passed on as it comes, the others are waited for.
func (c *Client) relayPart(typ byte, size int) bool {
	b := c.in.bytes()
	switch typ {
	case wire.ClientCopyData:
	case wire.ClientBind, wire.ClientQuery, wire.ClientFunctionCall, wire.ClientCopyFail:
		if size <= bufferSize || !c.in.full() {
			return false
		}
		if !startSuffices(typ, b[wire.HeaderLen:]) {
			if c.in.len() > largestWhole {
				c.tooLarge(typ, c.in.len())
			}
			return false // the buffer grows until its names are there
		}
	case wire.ClientParse, wire.ClientDescribe, wire.ClientExecute, wire.ClientClose, wire.ClientSync, wire.ClientFlush,
		wire.ClientCopyDone, wire.ClientTerminate:
		if size > largestWhole {
			c.tooLarge(typ, size)
			return false
		}
		return false
	default:
		c.broken("invalid frontend message type %d", typ)
		return false
	}
	have := c.in.len()
	switch typ {
	case wire.ClientBind:
		return c.bindNames(b[wire.HeaderLen:], size)
	case wire.ClientQuery:
		c.unsynced()
		c.lateQuery()
	case wire.ClientFunctionCall:
		c.unsynced()
		c.suspectCall(c.in.bytes()[wire.HeaderLen:])
		c.late = lateOp{set: true, op: wire.OpFunctionCall}
	case wire.ClientCopyFail:
		c.late = lateOp{set: true, copyEnd: true}
	}
	c.body = size - have
	c.pass(have)
	return true
}

// startSuffices tells whether a large message can be passed on as it comes, of whose body b is there: the names at the start of a Bind are needed as a whole, and a message that is kept, or is
// nothing but a name, at its full length.
func startSuffices(typ byte, b []byte) bool {
	switch typ {
	case wire.ClientBind:
		portal := bytes.IndexByte(b, 0)
		return portal >= 0 && bytes.IndexByte(b[portal+1:], 0) >= 0
	case wire.ClientQuery, wire.ClientFunctionCall, wire.ClientCopyData, wire.ClientCopyFail:
		return true
	}
	return false
}

// lateQuery is query for a text that does not fit into memory: what it does is seen from its tags.
func (c *Client) lateQuery() {
	if !c.busy.pipe.SkipsToSync() {
		c.mayBeSkipped()
		c.unnamed.exists = false
		c.busy.unnamed = unnamed{}
	}
	c.lastKind = lex.Other
	c.marks |= lex.MarkOpaque
	c.late = lateOp{set: true, op: wire.OpQuery, tag: &effect{unknown: true}}
}

// unsynced is told of a message that needs no Sync. Behind an Execute that waits for one PostgreSQL 18 makes one transaction of the two, and when the Sync has come it
// says that this is over when it is not: what runs there next gets an internal error. So nobody gets that server next.
func (c *Client) unsynced() {
	s := c.busy
	if s.executed && s.pipe.Open() && s.pipe.Status() == wire.TxIdle && !c.opened { // not in a block, nor behind a deferred BEGIN
		s.joined = true
	}
	s.executed = false
}

// query records a simple Query; it takes the unnamed statement away, the client's and whoever's the server had.
func (c *Client) query(kind lex.Kind, sql []byte) {
	s := c.busy
	c.mayBeSkipped()
	c.unsynced()
	if s.pipe.Sent(wire.OpQuery, wire.ForClient, c.effectOf(kind, sql)) {
		c.unnamed.exists = false
		s.unnamed = unnamed{}
	}
}

func (c *Client) relayQuery(body []byte, size int) bool {
	sql, _, ok := wire.CString(body)
	if !ok {
		sql = body
	}
	kind := lex.Classify(sql)
	marks := c.marksOf(lex.Mark(sql), sql)
	if marks != 0 {
		err := c.suspect(marks, kind, sql)
		if err == nil && marks&lex.MarkPrepare != 0 && c.names.Len() > 0 {
			err = c.taken(sql)
		}
		if err != nil {
			return c.provokeQuery(err, size)
		}
	}
	if c.mode == modeStatement && kind == lex.Begin {
		return c.refuseBlock()
	}
	c.terminates = bytes.Contains(sql, suicide)
	c.lookAround(sql)
	if marks&lex.MarkPrepare != 0 {
		if other, ok := c.exchangeNames(sql); ok {
			c.query(kind, sql)
			c.out = wire.AppendQuery(c.outgoing(), other)
			c.in.r += size
			return true
		}
	}
	c.query(kind, sql)
	c.pass(size)
	return true
}

// The views in which a client would see what we keep on a server for everyone, or not see what the hub keeps for it.
var (
	listOfStatements = []byte("pg_prepared_statements")
	listOfChannels   = []byte("pg_listening_channels")
)

// lookAround makes a server look as the client's own would, ahead of a text that looks at that: our statements are closed, which may be done in the middle of a pipeline, and between two
// requests the channels are listened to.
func (c *Client) lookAround(sql []byte) {
	s := c.busy
	if s.pipe.SkipsToSync() || s.pipe.CopyIn() || s.pipe.Status() == wire.TxFailed {
		return
	}
	if bytes.Contains(sql, listOfStatements) {
		for st := range s.stmts.All() {
			if !c.names.Holds(st) {
				s.stmts.Remove(st)
				c.closeStatement(st)
			}
		}
	}
	if len(c.listensTo) == 0 || !s.untouched() || s.pipe.Status() != wire.TxIdle || !bytes.Contains(sql, listOfChannels) {
		return
	}
	s.pins |= pinListen
	var listen strings.Builder
	for _, name := range c.listensTo {
		listen.WriteString(`LISTEN "` + strings.ReplaceAll(name, `"`, `""`) + `";`)
	}
	s.pipe.Sent(wire.OpQuery, wire.ForPooler, nil)
	c.out = wire.AppendQuery(c.outgoing(), listen.String())
	s.unnamed = unnamed{} // as a simple Query does
}

// suicide is how a client asks for the end of its own session, by tests and by drivers that try how they bear it. It gets what it asks for.
var suicide = []byte("pg_terminate_backend(pg_backend_pid())")

// provokeQuery is provoke for a simple Query.
func (c *Client) provokeQuery(err *wire.Error, size int) bool {
	c.busy.pipe.Sent(wire.OpQuery, wire.ForClient, err)
	c.out = wire.AppendQuery(c.outgoing(), "poolerd refuses this statement")
	c.in.r += size
	return true
}

// refuseBlock: in statement mode there are no transactions of several statements. The words are PgBouncer's.
func (c *Client) refuseBlock() bool {
	c.leaveWith(reasonStatementMode, wire.Fatalf(wire.CodeProtocolViolation, "transaction blocks not allowed in statement pooling mode"))
	return false
}
