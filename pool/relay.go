package pool

import (
	"poolerd/pool/stmt"
	"poolerd/wire"
	"poolerd/wire/lex"
)

// The way of a client's messages to its server. What needs no change is sent from the buffer it was read into; names of statements are exchanged for the
// server's, and what the server lacks is sent ahead.

// relay passes on all that the client's buffer holds, and then waits for the replies that this asked for. fresh says that nothing was asked of the server before.
func (c *Client) relay(fresh bool) {
	s := c.busy
	if (s.vars != c.vars || s.plans != c.pool.plans.Load()) && s.pipe.Idle() {
		if err := c.resume(s); err != nil {
			c.serverFailed(err)
			return
		}
	}
	s.replies.fresh = fresh
	for c.busy == s && c.left == "" && c.in.len() > 0 {
		if c.body > 0 {
			c.passBody()
			continue
		}
		typ := c.in.b[c.in.r]
		if !c.relayMessage() {
			break
		}
		if c.namesInDoubt && typ == wire.ClientSync {
			c.namesInDoubt = false
			break // whether the names changed is known when the Sync is answered
		}
		if c.mode == modeStatement && s.pipe.Expecting() {
			break // each statement may get another server
		}
	}
	if c.busy == s {
		c.exchange()
	}
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
		c.busy.pipe.Sent(late.op, wire.ForClient, nil)
	}
}

// lateOp is what a large message asks for: nothing is owed for it before its last byte is passed on.
type lateOp struct {
	set     bool
	op      wire.Op
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
	typ, size, ok := wire.Header(b)
	if !ok {
		c.broken("invalid message length")
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
		s.pipe.Sent(wire.OpExecute, wire.ForClient, c.boundEffect())
		c.tally.queries++
	case wire.ClientClose:
		return c.relayClose(body, size)
	case wire.ClientSync:
		s.pipe.Sent(wire.OpSync, wire.ForClient, nil)
	case wire.ClientFlush:
		s.pipe.SentFlush()
	case wire.ClientQuery:
		return c.relayQuery(body, size)
	case wire.ClientFunctionCall:
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
	switch typ {
	case wire.ClientCopyData:
	case wire.ClientBind, wire.ClientQuery, wire.ClientFunctionCall, wire.ClientCopyFail:
		if size <= bufferSize {
			return false
		}
		if !c.in.full() {
			return false // its names stand at the start
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
		return c.bindNames(c.in.bytes()[wire.HeaderLen:], size)
	case wire.ClientQuery:
		c.lateQuery()
	case wire.ClientFunctionCall:
		c.late = lateOp{set: true, op: wire.OpFunctionCall}
	case wire.ClientCopyFail:
		c.late = lateOp{set: true, copyEnd: true}
	}
	c.body = size - have
	c.pass(have)
	return true
}

// lateQuery is query for a text that does not fit into memory: what it does is seen from its tags.
func (c *Client) lateQuery() {
	if !c.busy.pipe.SkipsToSync() {
		c.unnamed.exists = false
		c.busy.unnamed = unnamed{}
	}
	c.tally.queries++
	c.lastKind = lex.Other
	c.late = lateOp{set: true, op: wire.OpQuery}
}

// query records a simple Query; it takes the unnamed statement away, the client's and whoever's the server had.
func (c *Client) query(kind lex.Kind, sql []byte) {
	s := c.busy
	c.tally.queries++
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
	switch {
	case c.mode == modeStatement && kind == lex.Begin:
		return c.refuseBlock()
	case kind == lex.Deallocate && !c.busy.pipe.Open() && !c.busy.pipe.SkipsToSync() && c.fakeDeallocate(sql):
		c.in.r += size
		return true
	}
	c.query(kind, sql)
	c.pass(size)
	return true
}

// fakeDeallocate takes a name away that the client gave to a statement by Parse: the answer is ours, in its turn.
func (c *Client) fakeDeallocate(sql []byte) bool {
	name, ok := lex.Name(sql)
	if !ok {
		return false
	}
	st, ok := c.names.Get([]byte(name))
	if !ok {
		return false
	}
	c.pooler.statements.Keep(st)
	c.names.Delete(name)
	c.unnamed.exists = false
	c.namesInDoubt = true
	c.busy.pipe.Sent(wire.OpQuery, wire.ForNobody, &nameChange{name, st})
	return true
}

// refuseBlock: in statement mode there are no transactions of several statements. The words are PgBouncer's.
func (c *Client) refuseBlock() bool {
	c.leaveWith(reasonStatementMode, wire.Fatalf(wire.CodeProtocolViolation, "transaction blocks not allowed in statement pooling mode"))
	return false
}

func (c *Client) relayParse(body []byte, size int) bool {
	name, tail, ok := wire.CString(body)
	if !ok || !validTail(tail) {
		c.broken("invalid Parse message")
		return false
	}
	s := c.busy
	c.tally.parses++
	if len(name) == 0 {
		if s.pipe.Sent(wire.OpParse, wire.ForClient, &c.unnamed) {
			c.unnamed.set(tail)
			s.unnamed = unnamed{c.id, c.unnamed.serial}
		}
		c.pass(size)
		return true
	}
	if c.pooler.config().MaxPreparedStatements == 0 {
		s.pipe.Sent(wire.OpParse, wire.ForClient, nil)
		c.pass(size)
		return true
	}
	if _, taken := c.names.Get(name); taken {
		c.provoke(wire.Errorf(wire.CodeDuplicatePreparedStatement, `prepared statement "%s" already exists`, name))
		c.in.r += size
		return true
	}
	st := c.pooler.statements.Intern(tail)
	defer c.pooler.statements.Drop(st)
	op := &nameChange{string(name), st}
	if s.stmts.Has(st) && (s.pipe.Status() != wire.TxFailed || ends(st.Kind)) { // else the server refuses it, whatever its name
		if s.pipe.SkipsToSync() {
			c.in.r += size
			return true
		}
		c.pooler.statements.Keep(st)
		c.names.Put(op.name, st)
		c.namesInDoubt = true
		s.pipe.Sent(wire.OpParse, wire.ForNobody, op)
		c.in.r += size
		return true
	}
	if s.stmts.Has(st) { // in a failed transaction the server decides which texts it takes; Close it always takes
		s.stmts.Remove(st)
		c.closeStatement(st)
	}
	c.namesInDoubt = true
	if !s.pipe.SkipsToSync() {
		c.addStatement(st)
	}
	if s.pipe.Sent(wire.OpParse, wire.ForClient, op) {
		c.pooler.statements.Keep(st)
		c.names.Put(op.name, st)
	}
	c.out = wire.AppendParse(c.outgoing(), st.Name, tail)
	c.in.r += size
	return true
}

// provoke makes the server fail at this place, so that it rolls back and skips as it must, and the client is told err: the server is asked to bind
// a statement that it cannot have.
func (c *Client) provoke(err *wire.Error) {
	c.busy.pipe.Sent(wire.OpBind, wire.ForClient, err)
	c.out = wire.AppendBind(c.outgoing(), "", noSuchStatement)
}

// noSuchStatement is never prepared.
const noSuchStatement = "poolerd none"

func (c *Client) relayBind(body []byte, size int) bool { return c.bindNames(body, size) }

// bindNames passes a Bind on, of which at least the names are there.
func (c *Client) bindNames(body []byte, size int) bool {
	portal, rest, ok := wire.CString(body)
	if !ok {
		c.broken("invalid Bind message")
		return false
	}
	name, rest, ok := wire.CString(rest)
	if !ok {
		c.broken("invalid Bind message")
		return false
	}
	s := c.busy
	c.tally.binds++
	st := c.needs(name)
	switch {
	case st != nil:
		c.bound, c.boundText = st.Kind, st.Tail
	case len(name) == 0:
		c.bound, c.boundText = c.unnamed.kind, c.unnamed.tail
	default:
		c.bound = lex.Other
	}
	if c.mode == modeStatement && c.bound == lex.Begin {
		return c.refuseBlock()
	}
	if st != nil {
		s.pipe.Sent(wire.OpBind, wire.ForClient, st)
	} else {
		s.pipe.Sent(wire.OpBind, wire.ForClient, nil)
	}
	have := min(size, c.in.len())
	if st == nil {
		c.pass(have)
	} else {
		out := c.outgoing()
		out = append(out, wire.ClientBind, 0, 0, 0, 0)
		putLen(out[len(out)-4:], size-1-len(name)+len(st.Name))
		out = append(append(append(append(out, portal...), 0), st.Name...), 0)
		c.out = append(out, rest[:have-wire.HeaderLen-len(portal)-len(name)-2]...)
		c.in.r += have
	}
	c.body = size - have
	return true
}

func putLen(b []byte, n int) { b[0], b[1], b[2], b[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n) }

// needs makes sure that the server has the statement that the client calls name, and gives it: nil for the unnamed one and for a name that
// the client has not given, which the server will refuse in its own words.
func (c *Client) needs(name []byte) *stmt.Statement {
	s := c.busy
	if len(name) == 0 {
		c.needsUnnamed()
		return nil
	}
	st, ok := c.names.Get(name)
	if !ok {
		return nil
	}
	if s.stmts.Has(st) || s.pipe.SkipsToSync() {
		return st
	}
	c.prepare(st)
	return st
}

// prepare sends a Parse ahead, whose answer the client does not see unless it is an error.
func (c *Client) prepare(st *stmt.Statement) {
	s := c.busy
	c.addStatement(st)
	c.tally.serverParses++
	s.pipe.Sent(wire.OpParse, wire.ForPooler, &nameChange{statement: st})
	c.out = wire.AppendParse(c.outgoing(), st.Name, st.Tail)
}

// addStatement notes that the server is about to prepare st, and makes room for it there: what was not used for longest is closed.
func (c *Client) addStatement(st *stmt.Statement) {
	c.busy.stmts.Add(st)
	c.evict()
}

// evict closes what the server has beyond the limit, as far as this use of it has no need of it.
func (c *Client) evict() {
	for old, ok := c.busy.stmts.Evict(); ok; old, ok = c.busy.stmts.Evict() {
		c.closeStatement(old)
	}
}

// closeStatement tells the server to forget a statement, without the client's noticing.
func (c *Client) closeStatement(st *stmt.Statement) {
	c.busy.pipe.Sent(wire.OpClose, wire.ForPooler, &nameChange{statement: st})
	c.out = wire.AppendClose(c.outgoing(), 'S', st.Name)
}

// needsUnnamed makes the server's unnamed statement the client's: it may be another client's, or gone.
func (c *Client) needsUnnamed() {
	s := c.busy
	want := unnamed{}
	if c.unnamed.exists {
		want = unnamed{c.id, c.unnamed.serial}
	}
	if s.unnamed == want || s.pipe.SkipsToSync() {
		return
	}
	if c.unnamed.exists {
		s.pipe.Sent(wire.OpParse, wire.ForPooler, &c.unnamed)
		c.out = wire.AppendParse(c.outgoing(), "", c.unnamed.tail)
	} else {
		s.pipe.Sent(wire.OpClose, wire.ForPooler, nil)
		c.out = wire.AppendClose(c.outgoing(), 'S', "")
	}
	s.unnamed = want
}

func (c *Client) relayDescribe(body []byte, size int) bool {
	s := c.busy
	if len(body) < 2 {
		c.broken("invalid Describe message")
		return false
	}
	if body[0] != 'S' {
		s.pipe.Sent(wire.OpDescribePortal, wire.ForClient, nil)
		c.pass(size)
		return true
	}
	name, _, ok := wire.CString(body[1:])
	if !ok {
		c.broken("invalid Describe message")
		return false
	}
	st := c.needs(name)
	s.pipe.Sent(wire.OpDescribeStatement, wire.ForClient, nil)
	if st == nil {
		c.pass(size)
		return true
	}
	c.out = wire.AppendDescribe(c.outgoing(), 'S', st.Name)
	c.in.r += size
	return true
}

// relayClose: a name is the client's own affair, and the server keeps the statement for others. A portal is the server's.
func (c *Client) relayClose(body []byte, size int) bool {
	s := c.busy
	if len(body) < 2 {
		c.broken("invalid Close message")
		return false
	}
	name, _, ok := wire.CString(body[1:])
	if !ok {
		c.broken("invalid Close message")
		return false
	}
	if body[0] == 'S' && len(name) > 0 {
		if st, ok := c.names.Get(name); ok {
			c.in.r += size
			if !s.pipe.SkipsToSync() {
				c.pooler.statements.Keep(st)
				c.names.Delete(string(name))
				c.namesInDoubt = true
				s.pipe.Sent(wire.OpClose, wire.ForNobody, &nameChange{string(name), st})
			}
			return true
		}
	}
	if s.pipe.Sent(wire.OpClose, wire.ForClient, nil) && body[0] == 'S' && len(name) == 0 {
		c.unnamed.exists = false
		s.unnamed = unnamed{}
	}
	c.pass(size)
	return true
}
