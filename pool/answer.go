package pool

import (
	"time"

	"poolerd/pool/metrics"
	"poolerd/pool/stmt"
	"poolerd/wire"
	"poolerd/wire/lex"
)

// What the pooler answers without a server: a Parse that nothing follows, BEGIN, an empty transaction, SET of values that servers are known to accept,
// DEALLOCATE, Close, Sync. A flight is answered here as a whole or not at all, so the answer is planned first, on a copy of what it changes.

// plan is the answer to one flight.
type plan struct {
	c       *Client
	block   block
	begin   []byte // the tail of the deferred BEGIN, if it was given in this flight
	reply   []byte // the client's, with the answer behind it
	names   []nameChange
	unnamed []byte            // the tail of the Parse of this flight under the empty name
	portal  lex.Kind          // of the statement that the unnamed portal was bound to
	bound   []byte            // its tail
	held    []*stmt.Statement // references to give back
	parses  uint64            // of named statements
	binds   uint64            // of named statements
}

// nameChange is a name that was given to a statement, or with none taken away.
type nameChange struct {
	name      string
	statement *stmt.Statement
}

// answer answers a whole flight here, if it can.
func (c *Client) answer(f flight) bool {
	b := c.in.bytes()[:f.end]
	if f.messages == 1 {
		switch f.last {
		case wire.ClientSync:
			c.in.r += f.end
			c.reply = wire.AppendReadyForQuery(c.reply, c.status())
			c.countAnswer(0, 0)
			return true
		case wire.ClientQuery:
			return c.answerQuery(b[wire.HeaderLen:f.end])
		}
	}
	if f.last != wire.ClientSync || f.messages > mostPlanned {
		return false
	}
	p := plan{c: c, block: c.block, reply: c.reply}
	ok := p.messages(b)
	if ok {
		p.commit()
		c.in.r += f.end
	}
	c.pooler.statements.Drop(p.held...)
	return ok
}

// mostPlanned bounds the messages of a flight that is answered here.
const mostPlanned = 16

// answerQuery answers a simple Query here, if it can.
func (c *Client) answerQuery(body []byte) bool {
	sql, _, ok := wire.CString(body)
	if !ok {
		return false
	}
	kind := lex.Classify(sql)
	switch {
	case kind == lex.Begin && c.block == blockNone && c.defers():
		c.block, c.begin = blockDeferred, c.pooler.statements.Intern(wire.ParseTail(string(sql)), "")
		c.reply = wire.AppendCommandComplete(c.reply, lex.BeginTag(sql))
	case (kind == lex.Commit || kind == lex.Rollback) && c.block == blockDeferred:
		c.forgetBegin()
		c.reply = wire.AppendCommandComplete(c.reply, endTag(kind))
	case kind == lex.Deallocate && c.deallocate(sql):
		c.reply = wire.AppendCommandComplete(c.reply, "DEALLOCATE")
	case (kind == lex.Set || kind == lex.Reset) && c.block == blockNone && c.answerSettings(sql):
	default:
		return false
	}
	c.in.r += wire.HeaderLen + len(body)
	c.unnamed.exists = false // as a simple Query does
	c.reply = wire.AppendReadyForQuery(c.reply, c.status())
	c.countAnswer(0, 0)
	return true
}

// countAnswer counts a flight that was answered here, and the transaction that has ended with it, if one has.
func (c *Client) countAnswer(parses, binds uint64) {
	c.pool.count(func(t *metrics.Totals) {
		t.Queries++
		t.Parses += parses
		t.Binds += binds
		if c.block == blockNone {
			t.Transactions++
		}
		c.tally.addTo(t, time.Time{}) // it has no server, and so no transaction there
	})
	c.tally = tally{}
}

// defers tells whether BEGIN may wait: not where each statement is a transaction, nor where the client keeps its server anyway.
func (c *Client) defers() bool {
	return c.pooler.config().DeferBegin && c.mode == modeTransaction
}

func (c *Client) forgetBegin() {
	c.pooler.statements.Drop(c.begin)
	c.block, c.begin = blockNone, nil
}

func endTag(kind lex.Kind) string {
	if kind == lex.Commit {
		return "COMMIT"
	}
	return "ROLLBACK"
}

// deallocate takes a name away that the client gave to a statement by Parse.
func (c *Client) deallocate(sql []byte) bool {
	name, ok := lex.Name(sql)
	if !ok {
		return false
	}
	if _, ok := c.names.Get([]byte(name)); !ok {
		return false
	}
	c.names.Delete(name)
	return true
}

// messages plans the answer to the messages of a flight, the last of which is Sync.
func (p *plan) messages(b []byte) bool {
	for len(b) > 0 {
		typ, size, _ := wire.Header(b)
		body := b[wire.HeaderLen:size]
		b = b[size:]
		var ok bool
		switch typ {
		case wire.ClientParse:
			ok = p.parse(body)
		case wire.ClientBind:
			ok = p.bind(body)
		case wire.ClientDescribe:
			ok = p.describe(body)
		case wire.ClientExecute:
			ok = p.execute(body)
		case wire.ClientClose:
			ok = p.close(body)
		case wire.ClientSync:
			p.reply = wire.AppendReadyForQuery(p.reply, p.status())
			ok = true
		}
		if !ok {
			return false
		}
	}
	return true
}

func (p *plan) status() wire.TxStatus {
	if p.block == blockDeferred {
		return wire.TxActive
	}
	return wire.TxIdle
}

// parse: the text is sent to a server where the statement is first used, and so an error in it is reported there.
func (p *plan) parse(body []byte) bool {
	name, tail, ok := wire.CString(body)
	if !ok || !p.c.pooler.config().DeferParse || !validTail(tail) {
		return false
	}
	if len(name) > 0 && p.c.pooler.config().MaxPreparedStatements == 0 {
		return false
	}
	if len(name) > 0 {
		if _, taken := p.find(name); taken {
			return false // the server's error
		}
		if _, taken := p.c.prepared[string(name)]; taken {
			return false
		}
	}
	if p.c.names.Len()+len(p.names) > 0 && lex.Mark(text(tail))&lex.MarkPrepare != 0 {
		return false // it may name a statement of the client's
	}
	if len(name) == 0 {
		p.unnamed = tail
	} else {
		st := p.c.pooler.statements.Intern(tail, p.c.meaningOf(text(tail)))
		p.held = append(p.held, st)
		p.names = append(p.names, nameChange{string(name), st})
		p.parses++
	}
	p.reply = wire.AppendEmpty(p.reply, wire.ServerParseComplete)
	return true
}

// validTail: text, zero, and as many parameter types as announced.
func validTail(tail []byte) bool {
	_, types, ok := wire.CString(tail)
	return ok && len(types) >= 2 && len(types) == 2+4*(int(types[0])<<8|int(types[1]))
}

func (p *plan) find(name []byte) (*stmt.Statement, bool) {
	for i := len(p.names) - 1; i >= 0; i-- {
		if n := p.names[i]; n.name == string(name) {
			return n.statement, n.statement != nil
		}
	}
	return p.c.names.Get(name)
}

// bind: only of BEGIN, COMMIT and ROLLBACK without parameters to the unnamed portal.
func (p *plan) bind(body []byte) bool {
	portal, rest, ok := wire.CString(body)
	if !ok || len(portal) > 0 {
		return false
	}
	name, rest, ok := wire.CString(rest)
	if !ok || !emptyBind(rest) {
		return false
	}
	tail, kind := p.statement(name)
	switch {
	case kind == lex.Begin && p.block == blockNone && p.c.defers():
		p.portal = kind
	case (kind == lex.Commit || kind == lex.Rollback) && p.block == blockDeferred:
		p.portal = kind
	default:
		return false
	}
	p.bound = tail
	if len(name) > 0 {
		p.binds++
	}
	p.reply = wire.AppendEmpty(p.reply, wire.ServerBindComplete)
	return true
}

// statement gives what a name stands for, Other when that is nothing.
func (p *plan) statement(name []byte) (tail []byte, kind lex.Kind) {
	switch {
	case len(name) > 0:
		if st, ok := p.find(name); ok {
			return st.Tail, st.Kind
		}
	case p.unnamed != nil:
		return p.unnamed, lex.Classify(text(p.unnamed))
	case p.c.unnamed.exists:
		return p.c.unnamed.tail, p.c.unnamed.kind
	}
	return nil, lex.Other
}

// emptyBind: no parameters and at most one result format, as Bind's body says behind the names.
func emptyBind(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	formats := int(b[0])<<8 | int(b[1])
	b = b[2:]
	if formats > 1 || len(b) < 2*formats+4 {
		return false
	}
	b = b[2*formats:]
	if b[0] != 0 || b[1] != 0 {
		return false
	}
	results := int(b[2])<<8 | int(b[3])
	return results <= 1 && len(b) == 4+2*results
}

func (p *plan) describe(body []byte) bool {
	if len(body) != 2 || body[0] != 'P' || p.bound == nil { // the unnamed portal
		return false
	}
	p.reply = wire.AppendEmpty(p.reply, wire.ServerNoData)
	return true
}

func (p *plan) execute(body []byte) bool {
	if len(body) != 5 || body[0] != 0 || p.bound == nil { // the unnamed portal; all rows or some makes no difference
		return false
	}
	tag := endTag(p.portal)
	switch p.portal {
	case lex.Begin:
		p.block, p.begin = blockDeferred, p.bound
		tag = lex.BeginTag(text(p.bound))
	default:
		p.block, p.begin = blockNone, nil
	}
	p.reply = wire.AppendCommandComplete(p.reply, tag)
	p.bound = nil
	return true
}

func (p *plan) close(body []byte) bool {
	if len(body) < 2 || body[0] != 'S' {
		return false
	}
	name, _, ok := wire.CString(body[1:])
	if !ok || len(name) == 0 {
		return false
	}
	p.names = append(p.names, nameChange{name: string(name)})
	p.reply = wire.AppendEmpty(p.reply, wire.ServerCloseComplete)
	return true
}

// commit makes the plan true.
func (p *plan) commit() {
	c := p.c
	table := c.pooler.statements
	for _, n := range p.names {
		if n.statement == nil {
			c.names.Delete(n.name)
		} else {
			table.Keep(n.statement)
			c.names.Put(n.name, n.statement)
		}
	}
	if c.begin != nil && (p.begin != nil || p.block != blockDeferred) {
		c.forgetBegin()
	}
	if p.begin != nil {
		c.begin = table.Intern(p.begin, "")
	}
	c.block = p.block
	if p.unnamed != nil {
		c.unnamed.set(p.unnamed)
	}
	c.reply = p.reply
	c.countAnswer(p.parses, p.binds)
}

// set makes tail, which is copied, the client's unnamed statement.
func (u *unnamedStatement) set(tail []byte) {
	if cap(u.tail) > 4*len(tail) && cap(u.tail) > 4096 {
		u.tail = nil
	}
	u.exists, u.tail = true, append(u.tail[:0], tail...)
	u.serial++
	sql := text(tail)
	u.kind, u.marks = lex.Classify(sql), lex.Mark(sql)
}

// text is the text at the start of a Parse's body behind the name.
func text(tail []byte) []byte {
	sql, _, _ := wire.CString(tail)
	return sql
}
