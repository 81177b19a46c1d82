package pool

import (
	"bytes"
	"slices"

	"poolerd/pool/stmt"
	"poolerd/pool/vars"
	"poolerd/wire"
	"poolerd/wire/lex"
)

// What a server's replies say about the client's session: the parameters it set, the statements it prepared, and what of it cannot be carried to another
// server, which keeps the client on the server it has.

// effect is what a statement does to the session once it has succeeded. It is the tag of a Query or an Execute.
type effect struct {
	settings []lex.Setting // of its SETs and RESETs, in the order of their tags
}

// effectOf tells what a statement will have done: nil for nearly every statement. A text of several statements may have SETs among them.
func (c *Client) effectOf(kind lex.Kind, sql []byte) any {
	c.lastKind = kind
	switch kind {
	case lex.SetLocal, lex.Set, lex.Reset:
	default:
		if at := bytes.IndexByte(sql, ';'); at < 0 || at == len(sql)-1 {
			return nil
		}
	}
	if list, ok := lex.Sets(sql); ok && len(list) > 0 {
		return &effect{settings: list}
	}
	return nil
}

// boundEffect is effectOf for the statement bound last.
func (c *Client) boundEffect() any {
	c.lastKind = c.bound
	switch c.bound {
	case lex.SetLocal, lex.Set, lex.Reset:
		return c.effectOf(c.bound, text(c.boundText))
	}
	return nil
}

// completed takes the tag of a CommandComplete.
func (c *Client) completed(s *Server, tag []byte, of wire.Owed) {
	r := &s.replies
	if r.rolledBack { // with more behind it, ROLLBACK may have taken back some of the SETs before it, or all
		r.setsUnsure = r.setsUnsure || len(c.sets) > 0
		r.rolledBack = false
	}
	switch string(tag) {
	case "ROLLBACK\x00":
		r.rolledBack = true
	case "COMMIT\x00":
		r.commits = true
	case "SET\x00", "RESET\x00":
		e, ok := of.Tag.(*effect)
		if !ok || len(e.settings) == 0 {
			c.pinNext = "SET"
			break
		}
		c.sets = append(c.sets, e.settings[0])
		e.settings = e.settings[1:]
	case "DISCARD ALL\x00":
		c.discarded(s)
	case "DEALLOCATE ALL\x00":
		c.names.Clear()
		s.resetBy(string(tag))
	case "LISTEN\x00":
		c.pinNext = "LISTEN"
	case "PREPARE\x00", "LOAD\x00": // which ROLLBACK does not undo
		c.keepServer(string(tag[:len(tag)-1]))
	}
}

// keepServer keeps the client on its server from now on: what it has done there cannot be carried to another.
func (c *Client) keepServer(why string) {
	if c.pin == "" {
		c.mu.Lock()
		c.pin = why
		c.mu.Unlock()
	}
	c.busy.tainted = why
}

// discarded: DISCARD ALL leaves a session as it was after the login.
func (c *Client) discarded(s *Server) {
	c.names.Clear()
	c.unnamed.exists = false
	s.resetBy("DISCARD ALL\x00")
	c.vars, c.sets = c.base, nil
	c.mu.Lock()
	c.pin = ""
	c.mu.Unlock()
}

// ready takes a ReadyForQuery that the client asked for: what was set in a transaction that is committed holds.
func (c *Client) ready(s *Server, of wire.Owed, status wire.TxStatus) {
	if of.For != wire.ForClient {
		return
	}
	r := &s.replies
	if len(c.sets) > 0 && (r.setsUnsure ||
		r.rolledBack && status != wire.TxIdle || // ROLLBACK TO SAVEPOINT
		r.failed && r.commits) { // COMMIT and an error in one text
		c.keepServer("SET of unknown fate")
		c.sets = c.sets[:0]
	}
	if status == wire.TxIdle {
		c.committed(s, !r.failed && !r.rolledBack)
	}
	r.failed, r.rolledBack, r.commits, r.setsUnsure = false, false, false, false
}

// committed makes what was set in the transaction the client's, or forgets it.
func (c *Client) committed(s *Server, yes bool) {
	if yes && len(c.sets) > 0 {
		c.apply(s, c.sets)
	}
	if yes && c.pinNext != "" {
		c.keepServer(c.pinNext)
	}
	c.sets, c.pinNext = c.sets[:0], ""
}

// apply makes settings that the server has carried out the client's.
func (c *Client) apply(s *Server, settings []lex.Setting) {
	c.vars = with(c.vars, settings, c.base)
	s.vars = with(s.vars, settings, c.pool.space.Empty()) // which knows nothing of the client's startup packet
	s.vars.Learn(s.reported)
	s.changed = false
}

// with gives a Set after settings. RESET leads back to base.
func with(set *vars.Set, settings []lex.Setting, base *vars.Set) *vars.Set {
	for _, one := range settings {
		switch {
		case one.Local:
		case one.Default:
			set = set.Without(one.Name, base)
		default:
			set = set.With(vars.Item{Name: one.Name, Value: one.Value, Raw: true})
		}
	}
	return set
}

// answerSettings answers SETs here when a server is known to accept what they lead to.
func (c *Client) answerSettings(sql []byte) bool {
	settings, ok := lex.Settings(sql)
	if !ok || slices.ContainsFunc(settings, func(s lex.Setting) bool { return s.Local }) {
		return false
	}
	set := with(c.vars, settings, c.base)
	now, ok := set.Reported()
	if !ok {
		return false
	}
	before, ok := c.vars.Reported()
	if !ok || !vars.Sure(c.vars, set) {
		return false
	}
	for _, s := range settings {
		tag := "SET"
		if s.Default && s.Reset {
			tag = "RESET"
		}
		c.reply = wire.AppendCommandComplete(c.reply, tag)
	}
	for _, v := range now {
		if !slices.Contains(before, v) {
			c.reply = wire.AppendParameterStatus(c.reply, v.Name, v.Value)
		}
	}
	c.vars = set
	return true
}

// learn takes over what the server reports and no statement explains, set by a function for example. It is called between transactions.
func (c *Client) learn(s *Server) {
	if !s.changed {
		return
	}
	s.changed = false
	if s.vars != c.vars {
		return // a RESET has led to the server's default: the client's value comes back with its next transaction
	}
	expected, ok := c.vars.Reported()
	if !ok {
		return
	}
	set := c.vars
	for _, v := range s.reported {
		if item := (vars.Item{Name: lower(v.Name), Value: v.Value}); vars.Settable(item.Name) && !slices.Contains(expected, v) {
			set = set.With(item)
		}
	}
	if set != c.vars {
		c.vars, s.vars = set, set
		set.Learn(s.reported)
	}
}

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
	if st, ok := of.Tag.(*stmt.Statement); ok && done {
		s.doubtStatement(st, wire.Code(wire.ErrorCode(body)))
	}
	if e, ok := of.Tag.(*wire.Error); ok && done {
		r.instead = e
		return true, nil
	}
	return false, nil
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
	switch tag := o.Tag.(type) {
	case *unnamedStatement:
		s.unnamed = unnamed{}
		if o.For == wire.ForClient {
			c.unnamed.exists = false
		}
	case *nameChange:
		c.undoName(s, o, tag)
	}
}

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
