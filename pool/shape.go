package pool

import (
	"encoding/binary"
	"hash/maphash"
	"time"

	"poolerd/pool/stmt"
	"poolerd/wire"
)

// The shape of a prepared statement is the types of its parameters and columns. A driver that has asked for it (Describe) encodes and decodes by it for good, and PostgreSQL
// keeps to it: once a DDL has changed the columns it refuses the statement ("cached plan must not change result type", 0A000), and the driver prepares anew. Statements that the pooler
// prepares anew after a DDL would have the new shape without a word. So each server's shape of a statement is asked for when it is prepared, and compared with what the
// client was told.

// shapes makes equal shapes equal numbers, in this process.
var shapes = maphash.MakeSeed() // never changed

// description collects the answer to a Describe of a statement. It is the tag of the operation.
type description struct {
	statement *stmt.Statement
	name      string     // the client's
	believed  stmt.Shape // what a client that is about to use the statement was told; 0: nothing
	hash      maphash.Hash
	broken    bool // a message did not come as a whole: the shape is not known
}

func (c *Client) describe(st *stmt.Statement, name string, believed stmt.Shape) *description {
	d := &description{statement: st, name: name, believed: believed}
	d.hash.SetSeed(shapes)
	return d
}

// add takes a ParameterDescription, RowDescription or NoData.
func (d *description) add(typ byte, body []byte, whole bool) {
	d.broken = d.broken || !whole
	_ = d.hash.WriteByte(typ)
	if typ != wire.ServerRowDescription {
		_, _ = d.hash.Write(body)
		return
	}
	for rest := body[min(2, len(body)):]; len(rest) > 0; {
		name, field, ok := wire.CString(rest)
		if !ok || len(field) < 18 {
			d.broken = true
			return
		}
		_, _ = d.hash.Write(name)
		_, _ = d.hash.Write(field[6:10])  // type; before it the table and the column, which may be others without harm
		_, _ = d.hash.Write(field[12:16]) // type modifier
		rest = field[18:]
	}
	_, _ = d.hash.Write(binary.BigEndian.AppendUint16(nil, uint16(len(body))))
}

// shape is what was described; 0 when that is not known.
func (d *description) shape() stmt.Shape {
	if d.broken {
		return 0
	}
	return stmt.Shape(d.hash.Sum64() | 1)
}

// described takes what a server has told of a statement. It reports false when a client is about to use it that was told something else.
func (c *Client) described(s *Server, d *description, whose wire.For) bool {
	shape := d.shape()
	s.stmts.Learn(d.statement, shape)
	if whose == wire.ForClient {
		c.names.Believe(d.name, shape, s.plans)
	}
	return shape == 0 || d.believed == 0 || shape == d.believed
}

func errStale() *wire.Error {
	return wire.Errorf(wire.CodeFeatureNotSupported, "cached plan must not change result type")
}

// prepareFirst prepares a statement before anything of the client's is sent: there may have been a DDL since the client was told its shape, and what follows would be committed. It
// reports false when that cannot be done now.
func (c *Client) prepareFirst(s *Server, st *stmt.Statement) (ok bool) {
	if !s.pipe.Settled() || s.pipe.Status() != wire.TxIdle {
		for _, o := range s.pipe.Owed() {
			if o.For != wire.ForPooler || o.Op != wire.OpQuery {
				return false
			}
		}
	}
	if s.pipe.Status() != wire.TxIdle || c.opened || len(c.span) > 0 {
		return false
	}
	c.addStatement(st)
	d := c.describe(st, "", 0)
	s.pipe.Sent(wire.OpParse, wire.ForPooler, &nameChange{statement: st})
	s.pipe.Sent(wire.OpDescribeStatement, wire.ForPooler, d)
	s.pipe.Sent(wire.OpSync, wire.ForPooler, nil)
	c.out = wire.AppendParse(c.outgoing(), st.Name, st.Tail)
	c.out = wire.AppendEmpty(wire.AppendDescribe(c.out, 'S', st.Name), wire.ClientSync)
	if s.conn.SetDeadline(time.Now().Add(queryLimit)) != nil {
		return false
	}
	_, err := s.conn.Write(c.out)
	c.out = c.out[:0]
	if err == nil {
		err = s.drain(nil)
	}
	if s.conn.SetDeadline(noDeadline) != nil || err != nil {
		s.stmts.Remove(st) // the client's own message meets the same error
		return false
	}
	s.stmts.Learn(st, d.shape())
	return true
}
