package pool

import (
	"poolerd/pool/stmt"
	"poolerd/wire"
	"poolerd/wire/lex"
)

// The messages that name prepared statements. A client's names are its own: the server's name stands in what is sent on, and a statement that the server lacks
// is prepared ahead of its use.

func (c *Client) relayParse(body []byte, size int) bool {
	name, tail, ok := wire.CString(body)
	if !ok || !validTail(tail) {
		c.broken("invalid Parse message")
		return false
	}
	s := c.busy
	c.lookAround(text(tail))
	if len(name) == 0 {
		sql, other := "", false
		if c.names.Len() > 0 && lex.Mark(text(tail))&lex.MarkPrepare != 0 {
			sql, other = c.exchangeNames(text(tail))
		}
		c.mayBeSkipped()
		if s.pipe.Sent(wire.OpParse, wire.ForClient, &c.unnamed) {
			c.unnamed.set(tail)
			s.unnamed = unnamed{client: c.id, serial: c.unnamed.serial}
		}
		if other {
			c.out = wire.AppendParse(c.outgoing(), "", retail(tail, sql))
			c.in.r += size
			return true
		}
		c.pass(size)
		return true
	}
	if c.pooler.config().MaxPreparedStatements == 0 {
		s.pipe.Sent(wire.OpParse, wire.ForClient, nil)
		c.pass(size)
		return true
	}
	if c.has(name) {
		c.logMisuse("prepared statement '%.64s' was already prepared", name)
		c.provoke(wire.Errorf(wire.CodeDuplicatePreparedStatement, `prepared statement "%s" already exists`, name))
		c.in.r += size
		return true
	}
	c.tally.parses++
	sent := tail
	if c.names.Len() > 0 && lex.Mark(text(tail))&lex.MarkPrepare != 0 {
		if sql, ok := c.exchangeNames(text(tail)); ok {
			sent = retail(tail, sql)
		}
	}
	st := c.pooler.statements.Intern(sent, c.meaningOf(text(tail)))
	defer c.pooler.statements.Drop(st)
	if &sent[0] != &tail[0] {
		c.say(st, tail)
	}
	op := &nameChange{string(name), st}
	if s.stmts.Has(st) && (s.pipe.Status() != wire.TxFailed || ends(st.Kind)) { // else the server refuses it, whatever its name
		if s.pipe.SkipsToSync() {
			c.in.r += size
			return true
		}
		c.pooler.statements.Keep(st)
		c.names.Put(op.name, st)
		c.namesInDoubt, c.named = true, true
		s.pipe.Sent(wire.OpParse, wire.ForNobody, op)
		c.in.r += size
		return true
	}
	if s.stmts.Has(st) { // in a failed transaction the server decides which texts it takes; Close it always takes
		s.stmts.Remove(st)
		c.closeStatement(st)
	}
	c.namesInDoubt, c.named = true, true
	if !s.pipe.SkipsToSync() {
		c.addStatement(st)
	}
	c.tally.serverParses++
	if s.pipe.Sent(wire.OpParse, wire.ForClient, op) {
		c.pooler.statements.Keep(st)
		c.names.Put(op.name, st)
	}
	c.out = wire.AppendParse(c.outgoing(), st.Name, sent)
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
	if len(name) > 0 && c.pooler.config().MaxPreparedStatements > 0 {
		c.tally.binds++
	}
	if st, ok := c.names.Get(name); ok && st.Looks {
		c.lookAround(st.Text())
	}
	st, wrong := c.needs(name)
	if wrong != nil && size <= c.in.len() {
		c.provoke(wrong)
		c.in.r += size
		return true
	}
	var marks lex.Marks
	switch {
	case st != nil:
		c.bound, c.boundText, marks = st.Kind, st.Tail, st.Marks
		if said, ok := c.said[st]; ok {
			c.boundText = said
		}
	case len(name) == 0:
		c.bound, c.boundText, marks = c.unnamed.kind, c.unnamed.tail, c.unnamed.marks
	default:
		c.bound, c.boundText = lex.Other, nil
	}
	c.boundStatement = nil
	if st != nil && len(portal) == 0 {
		c.boundStatement, c.boundName = st, append(c.boundName[:0], name...)
	}
	if marks = c.marksOf(marks, c.boundText[:len(text(c.boundText))]); marks != 0 {
		if err := c.suspect(marks, c.bound, text(c.boundText)); err != nil && size <= c.in.len() {
			c.provoke(err)
			c.in.r += size
			return true
		}
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
// the client has not given, which the server will refuse in its own words. The error is what its use is to fail with: it is not what the client
// was told any longer, or cannot be prepared.
func (c *Client) needs(name []byte) (st *stmt.Statement, wrong *wire.Error) {
	s := c.busy
	if len(name) == 0 {
		c.needsUnnamed()
		return nil, nil
	}
	n, ok := c.names.Lookup(name)
	if !ok {
		if _, bySQL := c.prepared[string(name)]; !bySQL && c.pooler.config().MaxPreparedStatements > 0 {
			c.logMisuse("prepared statement did not exist: '%.64s'", name)
		}
		return nil, nil
	}
	st = n.Statement
	if m := c.meaning(); st.Meaning != m && !private(st.Meaning) {
		st = c.translate(name, st, m)
	}
	if s.pipe.SkipsToSync() {
		return st, nil
	}
	c.knows = n.Shape.Columns != 0 && n.Epoch == s.plans
	if n.Shape.Parameters == 0 && n.Shape.Columns != 0 && c.asksAgain() {
		n.Shape = stmt.Shape{}
	}
	c.believes = n.Shape != stmt.Shape{}
	shape, has := s.stmts.Find(st)
	if !has && n.Shape != (stmt.Shape{}) && n.Epoch != s.plans {
		done, refused := c.prepareFirst(s, st)
		if refused != nil {
			return st, refused
		}
		if shape, has = s.stmts.Find(st); done && shape.Fits(n.Shape) {
			c.names.Believe(string(name), n.Shape, s.plans)
		}
	}
	if has && !shape.Fits(n.Shape) {
		return st, errStale()
	}
	if has {
		return st, nil
	}
	c.tally.serverParses++
	c.prepare(st, n.Shape)
	return st, nil
}

// prepare sends a Parse ahead, whose answer the client does not see unless it is an error. believed is what the client was told of the statement's shape.
func (c *Client) prepare(st *stmt.Statement, believed stmt.Shape) {
	s := c.busy
	c.addStatement(st)
	s.pipe.Sent(wire.OpParse, wire.ForPooler, &nameChange{statement: st})
	c.out = wire.AppendParse(c.outgoing(), st.Name, st.Tail)
	if believed != (stmt.Shape{}) {
		c.askShape(st, believed)
	}
}

// askShape asks for the shape of a statement that is being prepared.
func (c *Client) askShape(st *stmt.Statement, believed stmt.Shape) {
	c.busy.pipe.Sent(wire.OpDescribeStatement, wire.ForPooler, &description{statement: st, believed: believed})
	c.out = wire.AppendDescribe(c.outgoing(), 'S', st.Name)
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

// mayBeSkipped is called ahead of a message that gives the server another unnamed statement, or takes it away. Behind others of its flight it may be skipped: then the server has the one
// that it had, which may be another client's, and that is known before anything behind the flight is sent.
func (c *Client) mayBeSkipped() {
	c.namesInDoubt = c.namesInDoubt || c.busy.pipe.Open()
}

// needsUnnamed makes the server's unnamed statement the client's: it may be another client's, or gone.
func (c *Client) needsUnnamed() {
	s := c.busy
	want := unnamed{}
	if c.unnamed.exists {
		want = unnamed{client: c.id, serial: c.unnamed.serial}
	}
	if s.unnamed == want || s.pipe.SkipsToSync() {
		return
	}
	if c.unnamed.exists {
		tail := c.unnamed.tail
		c.lookAround(text(tail))
		if c.unnamed.marks&lex.MarkPrepare != 0 {
			if sql, ok := c.exchangeNames(text(tail)); ok {
				tail = retail(tail, sql)
			}
		}
		s.pipe.Sent(wire.OpParse, wire.ForPooler, &c.unnamed)
		c.out = wire.AppendParse(c.outgoing(), "", tail)
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
		var tag any
		if len(body) == 2 {
			tag = c.describePortal()
		}
		s.pipe.Sent(wire.OpDescribePortal, wire.ForClient, tag)
		c.pass(size)
		return true
	}
	name, _, ok := wire.CString(body[1:])
	if !ok {
		c.broken("invalid Describe message")
		return false
	}
	st, wrong := c.needs(name)
	switch {
	case wrong != nil:
		c.provoke(wrong)
		c.in.r += size
		return true
	case st == nil:
		s.pipe.Sent(wire.OpDescribeStatement, wire.ForClient, nil)
		c.pass(size)
		return true
	}
	s.pipe.Sent(wire.OpDescribeStatement, wire.ForClient, &description{statement: st, name: string(name)})
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
				c.namesInDoubt, c.named = true, true
				s.pipe.Sent(wire.OpClose, wire.ForNobody, &nameChange{string(name), st})
			}
			return true
		}
	}
	if body[0] == 'S' && len(name) == 0 {
		c.mayBeSkipped()
	}
	sent := s.pipe.Sent(wire.OpClose, wire.ForClient, nil)
	if _, bySQL := c.prepared[string(name)]; bySQL && sent && body[0] == 'S' {
		delete(c.prepared, string(name))
		c.marks |= lex.MarkEnds
	}
	if sent && body[0] == 'S' && len(name) == 0 {
		c.unnamed.exists = false
		s.unnamed = unnamed{}
	}
	c.pass(size)
	return true
}
