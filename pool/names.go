package pool

import (
	"strconv"

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
	c.tally.parses++
	if len(name) == 0 {
		sql, other := "", false
		if c.names.Len() > 0 {
			sql, other = c.exchangeName(lex.Classify(text(tail)), text(tail))
		}
		if s.pipe.Sent(wire.OpParse, wire.ForClient, &c.unnamed) {
			c.unnamed.set(tail)
			s.unnamed = unnamed{c.id, c.unnamed.serial}
		}
		if other {
			c.out = wire.AppendParse(c.outgoing(), "", wire.ParseTail(sql))
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
	if _, taken := c.names.Get(name); taken {
		c.provoke(wire.Errorf(wire.CodeDuplicatePreparedStatement, `prepared statement "%s" already exists`, name))
		c.in.r += size
		return true
	}
	st := c.pooler.statements.Intern(tail, c.meaning())
	defer c.pooler.statements.Drop(st)
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
	var marks lex.Marks
	switch {
	case st != nil:
		c.bound, c.boundText, marks = st.Kind, st.Tail, st.Marks
	case len(name) == 0:
		c.bound, c.boundText, marks = c.unnamed.kind, c.unnamed.tail, c.unnamed.marks
	default:
		c.bound = lex.Other
	}
	if marks != 0 {
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
	if m := c.meaning(); st.Meaning != m {
		st = c.translate(name, st, m)
	}
	if s.stmts.Has(st) || s.pipe.SkipsToSync() {
		return st
	}
	c.prepare(st)
	return st
}

// exchangeName writes the server's name into SQL's EXECUTE and DEALLOCATE of a statement to which the client has given its name by Parse, and makes sure that the server has it.
func (c *Client) exchangeName(kind lex.Kind, sql []byte) (other string, ok bool) {
	if kind != lex.Execute && kind != lex.Deallocate || c.names.Len() == 0 {
		return "", false
	}
	list, ok := lex.Effects(sql)
	if !ok || len(list) != 1 || list[0].Kind != kind {
		return "", false
	}
	if _, known := c.names.Get([]byte(list[0].Name)); !known {
		return "", false
	}
	tokens, _ := lex.Tokens(nil, sql)
	at := 1
	if kind == lex.Deallocate && len(tokens) > 2 && tokens[2].Kind != lex.Symbol {
		at = 2 // DEALLOCATE PREPARE name
	}
	if len(tokens) <= at {
		return "", false
	}
	st := c.needs([]byte(list[0].Name))
	return string(sql[:tokens[at].From]) + st.Name + string(sql[tokens[at].To:]), true
}

// taken is PostgreSQL's error about SQL's PREPARE of a name that the client has given to a statement by Parse; nil when it is free.
func (c *Client) taken(sql []byte) *wire.Error {
	list, ok := lex.Effects(sql)
	if !ok || len(list) == 0 {
		return nil
	}
	if _, known := c.names.Get([]byte(list[0].Name)); !known {
		return nil
	}
	return wire.Errorf(wire.CodeDuplicatePreparedStatement, `prepared statement "%s" already exists`, list[0].Name)
}

// translate makes name stand for the same text where its names mean something else: the search_path or the role has changed since it was prepared, and PostgreSQL
// would look its names up again.
func (c *Client) translate(name []byte, st *stmt.Statement, meaning string) *stmt.Statement {
	other := c.pooler.statements.Intern(st.Tail, meaning)
	c.names.Delete(string(name))
	c.names.Put(string(name), other)
	return other
}

// meaning is what the names in a text depend on where it is sent now.
func (c *Client) meaning() string {
	switch {
	case c.pathInDoubt: // nobody else's statement, nor used again
		c.doubts++
		return "?" + strconv.FormatUint(c.id, 36) + "." + strconv.FormatUint(c.doubts, 36)
	case c.within != nil:
		return c.within.Meaning()
	}
	return c.vars.Meaning()
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
		tail := c.unnamed.tail
		if sql, ok := c.exchangeName(c.unnamed.kind, text(tail)); ok {
			tail = wire.ParseTail(sql)
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
	if st == nil {
		s.pipe.Sent(wire.OpDescribeStatement, wire.ForClient, nil)
		c.pass(size)
		return true
	}
	s.pipe.Sent(wire.OpDescribeStatement, wire.ForClient, st)
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
	if s.pipe.Sent(wire.OpClose, wire.ForClient, nil) && body[0] == 'S' && len(name) == 0 {
		c.unnamed.exists = false
		s.unnamed = unnamed{}
	}
	c.pass(size)
	return true
}
