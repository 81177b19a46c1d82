package pool

import (
	"cmp"
	"errors"
	"hash/maphash"
	"slices"
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

// description collects the answer to a Describe. It is the tag of the operation.
type description struct {
	statement *stmt.Statement
	name      string     // the client's
	believed  stmt.Shape // what a client that is about to use the statement was told
	shape     stmt.Shape
}

// add takes a ParameterDescription, RowDescription or NoData. One that has not come as a whole tells nothing.
func (d *description) add(typ byte, body []byte, whole bool) {
	switch {
	case !whole || !d.statement.Firm:
	case typ == wire.ServerParameterDescription:
		d.shape.Parameters = maphash.Bytes(shapes, body) | 1
	default:
		d.shape.Columns = columns(body)
	}
}

// columns is a number for the names and types in a RowDescription, or for NoData; 0 when it cannot be read. The columns' tables may be others without harm.
func columns(body []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(shapes)
	for rest := body[min(2, len(body)):]; len(rest) > 0; {
		name, field, ok := wire.CString(rest)
		if !ok || len(field) < 18 {
			return 0
		}
		_, _ = h.Write(name)
		_, _ = h.Write(field[6:10])  // type
		_, _ = h.Write(field[12:16]) // type modifier
		rest = field[18:]
	}
	return h.Sum64() | 1
}

// described takes what a server has told of a statement. It reports false when a client is about to use it that was told something else.
func (c *Client) described(s *Server, d *description, whose wire.For) bool {
	s.stmts.Learn(d.statement, d.shape)
	if whose == wire.ForClient {
		c.names.Believe(d.name, d.shape, s.plans)
	}
	return d.believed.Fits(d.shape)
}

// asksAgain tells whether behind the Bind at the start of the buffer the client asks for the columns: as libpq does each time, which so knows of others in time.
func (c *Client) asksAgain() bool {
	b := c.in.bytes()
	if len(b) < wire.HeaderLen || b[0] != wire.ClientBind {
		return false
	}
	_, size, ok := wire.Header(b)
	if !ok || len(b) < size+wire.HeaderLen {
		return false
	}
	typ, next, ok := wire.Header(b[size:])
	return ok && typ == wire.ClientDescribe && next <= len(b)-size && next == wire.HeaderLen+2 && b[size+wire.HeaderLen] == 'P'
}

// describePortal gives the tag of a Describe of the unnamed portal: nil where what it tells is known.
func (c *Client) describePortal() any {
	if c.boundStatement == nil || !c.boundStatement.Firm || c.knows {
		return nil
	}
	return &description{statement: c.boundStatement, name: string(c.boundName)}
}

func errStale() *wire.Error {
	err := wire.Errorf(wire.CodeFeatureNotSupported, "cached plan must not change result type")
	err.Routine = "RevalidateCachedQuery"
	return err
}

// prepareFirst prepares a statement before anything of the client's is sent: there may have been a DDL since the client was told its shape, and what follows might be
// carried out and be committed. done is false where something of the client's is under way. The error is the server's, about the statement or the deferred BEGIN: the
// client's own message is to fail with it.
func (c *Client) prepareFirst(s *Server, st *stmt.Statement) (done bool, _ *wire.Error) {
	if len(c.span) > 0 || slices.ContainsFunc(s.pipe.Owed(), func(o wire.Owed) bool { return o.For != wire.ForPooler }) || s.pipe.Open() && !c.opened || s.pipe.CopyIn() {
		return false, nil
	}
	c.addStatement(st)
	d := &description{statement: st}
	s.pipe.Sent(wire.OpParse, wire.ForPooler, &nameChange{statement: st})
	s.pipe.Sent(wire.OpDescribeStatement, wire.ForPooler, d)
	s.pipe.Sent(wire.OpSync, wire.ForPooler, nil)
	c.out = wire.AppendParse(c.outgoing(), st.Name, st.Tail)
	c.out = wire.AppendEmpty(wire.AppendDescribe(c.out, 'S', st.Name), wire.ClientSync)
	err := s.conn.SetDeadline(time.Now().Add(queryLimit))
	if err == nil {
		_, err = s.conn.Write(c.out)
	}
	c.out = c.out[:0]
	if err == nil {
		err = s.drain(nil)
	}
	err = cmp.Or(err, s.conn.SetDeadline(noDeadline))
	if err == nil {
		s.stmts.Learn(st, d.shape)
		return true, nil
	}
	s.stmts.Remove(st)
	if refused := (errRefused{}); errors.As(err, &refused) && refused.op != wire.OpQuery { // else its parameters were refused: nothing may run there
		return true, refused.answer
	}
	s.replies.err = err // the exchange that follows ends at once
	return true, wire.Errorf(wire.CodeConnectionFailure, "server connection was lost")
}
