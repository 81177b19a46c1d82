package pool

import (
	"math"

	"poolerd/pool/stmt"
	"poolerd/wire"
	"poolerd/wire/lex"
)

// currval and lastval answer from what nextval did before in the same session. That cannot be carried to another server, and which statements call nextval cannot be seen: a column's
// default does. So a client that has asked once keeps its server from then on, and so does every client of the same application_name in the pool. Before that it gets by
// preference the server it used last. Where another client's values lie on the server they are thrown away first: currval then fails as PostgreSQL
// makes it fail in a new session (55000), and never answers with a stranger's value.

const sequences = lex.MarkSequence | lex.MarkSequenceRead | lex.MarkInsert

// useSequences is told of a text that may take values of sequences, or asks for the last.
func (c *Client) useSequences(m lex.Marks) {
	s := c.busy
	if m&lex.MarkSequenceRead != 0 {
		c.pool.readers.Store(c.application(), struct{}{})
		c.pool.read.Store(true)
		c.readsSequences = true
	}
	if !c.readsSequences && c.pool.read.Load() {
		_, c.readsSequences = c.pool.readers.Load(c.application())
	}
	if c.readsSequences {
		if s.sequences != c.id && !c.moved && !s.pipe.SkipsToSync() && s.pipe.Status() != wire.TxFailed {
			c.runAhead("DISCARD SEQUENCES")
			s.sequences = 0
		}
		if c.pins&pinSequence == 0 {
			c.marks |= lex.MarkSequence
		}
	}
	if s.sequences == 0 || s.sequences == c.id {
		s.sequences = c.id
	} else {
		s.sequences = several
	}
	c.moved = c.moved || m&(lex.MarkSequence|lex.MarkInsert) != 0
	c.sequenced = true
}

// several clients' values are on the server.
const several = math.MaxUint64

// application is the client's application_name, by which programs are told apart.
func (c *Client) application() string {
	item, _ := c.vars.Get("application_name")
	return item.Value
}

// runAhead carries out a statement of ours ahead of the client's message, without its noticing. Ahead of a Query it is a Query, too: since PostgreSQL 18 a Query behind
// an Execute without a Sync leaves the transaction open that the two of them share. Ahead of a Bind it must not be one, which would take the unnamed statement away.
func (c *Client) runAhead(sql string) {
	s := c.busy
	if c.in.b[c.in.r] == wire.ClientQuery && !s.pipe.Open() {
		s.pipe.Sent(wire.OpQuery, wire.ForPooler, nil)
		c.out = wire.AppendQuery(c.outgoing(), sql)
		s.unnamed = unnamed{} // as a simple Query does
		return
	}
	st := c.pooler.statements.Intern(wire.ParseTail(sql), "")
	defer c.pooler.statements.Drop(st)
	if !s.stmts.Has(st) {
		c.prepare(st, stmt.Shape{})
	}
	s.pipe.Sent(wire.OpBind, wire.ForPooler, nil)
	s.pipe.Sent(wire.OpExecute, wire.ForPooler, nil)
	s.executed = true
	c.out = wire.AppendExecute(wire.AppendBind(c.outgoing(), "", st.Name), "")
}
