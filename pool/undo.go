package pool

import (
	"slices"

	"poolerd/pool/stmt"
	"poolerd/wire"
)

// What was assumed when a message was sent, and is undone where the server has failed at it or skipped it.

// failedAt undoes what was assumed of an operation that failed, and of those that the server skips because of it.
func (c *Client) failedAt(s *Server, of wire.Owed, body []byte, done bool) (dropped bool, err error) {
	r := &s.replies
	r.failed = true
	if of.For == wire.ForPooler && of.Op == wire.OpQuery {
		e, perr := wire.ParseError(body)
		if perr == nil {
			r.fatal = &e // the client's statement runs without its parameters: what it does is not to be trusted
		}
		return true, errPrelude
	}
	skipped := s.pipe.Skipped()
	if parsesUnnamed(of) || slices.ContainsFunc(skipped, changesUnnamed) {
		c.doubtUnnamed(s, of, skipped)
	}
	for i := len(skipped) - 1; i >= 0; i-- {
		c.undo(s, skipped[i])
	}
	if done {
		c.undo(s, of)
	}
	if of.Op == wire.OpParse && string(wire.ErrorCode(body)) == string(wire.CodeDuplicatePreparedStatement) {
		// The server has what we believe it has not. The client has done nothing wrong, and PostgREST would end itself on this code.
		s.suspect.Store(true)
		r.instead = wire.Errorf(wire.CodeInternalError, "the server's prepared statements are not those that the pooler knows of: the server is closed, try again")
		return true, nil
	}
	if st := statementOf(of); st != nil && done {
		code := wire.Code(wire.ErrorCode(body))
		s.doubtStatement(st, code)
		if c.refusedStale(s, of, code) {
			return true, nil
		}
	}
	if e, ok := of.Tag.(*wire.Error); ok && (done || of.Op == wire.OpQuery) {
		r.instead = e
		return true, nil
	}
	if d := c.doom.Load(); d != nil && string(wire.ErrorCode(body)) == string(wire.CodeQueryCanceled) {
		c.toldWhy = true // what was cancelled is its query, so that it can be told this
		if d.err != nil {
			r.instead = d.err
			c.logError(d.err)
		}
		c.logClosing(d.reason)
		return true, nil
	}
	return false, nil
}

// statementOf is the statement that an operation uses.
func statementOf(o wire.Owed) *stmt.Statement {
	switch tag := o.Tag.(type) {
	case *stmt.Statement:
		return tag
	case *description:
		return tag.statement
	}
	return nil
}

// doubtStatement: a Bind failed because of the prepared statement itself. It is prepared again before its next use.
func (s *Server) doubtStatement(st *stmt.Statement, code wire.Code) {
	switch code {
	case wire.CodeFeatureNotSupported: // "cached plan must not change result type": after a DDL no server's statements are to be trusted
		s.pool.plans.Add(1)
	case wire.CodeUndefinedPreparedStatement:
		s.stmts.Remove(st)
	}
}

// undo: the server has not carried out o.
func (c *Client) undo(s *Server, o wire.Owed) {
	if n, ok := o.Tag.(*nameChange); ok {
		c.undoName(s, o, n)
	}
}

// doubtUnnamed: a Parse of the unnamed statement has failed, or something was skipped that was to replace it or, as a Query does, to take it away. The one from before, which may be another
// client's, is still there; unless what stands behind the next Sync replaces it again. The client itself may have to parse its own again, where that was to be taken away.
func (c *Client) doubtUnnamed(s *Server, failed wire.Owed, skipped []wire.Owed) {
	if slices.ContainsFunc(s.pipe.Owed(), parsesUnnamed) {
		return
	}
	s.unnamed = unnamed{doubt: true}
	if c.parsesUnnamed(failed) || slices.ContainsFunc(skipped, c.parsesUnnamed) {
		c.unnamed.exists = false
	}
}

// changesUnnamed tells whether an operation replaces the unnamed statement, or may take it away.
func changesUnnamed(o wire.Owed) bool {
	return o.Op == wire.OpQuery || o.Op == wire.OpClose || parsesUnnamed(o)
}

// parsesUnnamed tells whether an operation is a Parse of the unnamed statement.
func parsesUnnamed(o wire.Owed) bool {
	_, ok := o.Tag.(*unnamedStatement)
	return ok
}

// parsesUnnamed tells whether it is one that the client has sent.
func (c *Client) parsesUnnamed(o wire.Owed) bool { return o.For == wire.ForClient && parsesUnnamed(o) }

func (c *Client) undoName(s *Server, o wire.Owed, n *nameChange) {
	switch {
	case o.Op == wire.OpParse && o.For == wire.ForNobody:
		c.names.Delete(n.name)
	case o.Op == wire.OpParse:
		s.stmts.Remove(n.statement)
		if o.For == wire.ForClient {
			c.names.Delete(n.name)
		}
	case o.For == wire.ForPooler: // the Close of an evicted statement
		if !s.stmts.Has(n.statement) {
			s.stmts.Add(n.statement)
		}
	default: // the client's Close
		if _, taken := c.names.Get([]byte(n.name)); taken {
			c.pooler.statements.Drop(n.statement)
		} else {
			c.names.Put(n.name, n.statement)
		}
	}
}
