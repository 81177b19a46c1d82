package pool

import (
	"bytes"
	"slices"

	"poolerd/pool/ledger"
	"poolerd/pool/stmt"
	"poolerd/pool/vars"
	"poolerd/wire"
	"poolerd/wire/lex"
)

// What a server's replies say about the client's session: the parameters it set, the statements it prepared, and what of it cannot be carried to another
// server, which keeps the client on the server it has.

// effect is what a text does to the session: the statements of interest in the order of their tags. It is the tag of a Query or an Execute.
type effect struct {
	list    []lex.Effect
	unknown bool // the text could not be split
}

// next gives the statement that a CommandComplete belongs to; ok is false where that is not known.
func (e *effect) next(tag string) (of lex.Effect, ok bool) {
	if e == nil || e.unknown {
		return of, false
	}
	for len(e.list) > 0 && e.list[0].Kind == lex.Execute { // of no statement of interest: PREPARE does not take those
		e.list = e.list[1:]
	}
	if len(e.list) == 0 {
		return of, false
	}
	of = e.list[0]
	e.list = e.list[1:]
	want := of.Tag()
	if want != tag && (want != "COMMIT" && want != "PREPARE TRANSACTION" || tag != "ROLLBACK") { // the end of a transaction that had failed
		e.unknown = true
		return of, false
	}
	return of, true
}

// effectOf tells what a statement will have done: nil for nearly every statement.
func (c *Client) effectOf(kind lex.Kind, sql []byte) any {
	c.lastKind = kind
	if kind == lex.Commit && !c.ledger.Empty() {
		c.joinAhead(c.ledger.Channels())
	}
	switch kind {
	case lex.SetLocal, lex.Set, lex.Reset, lex.Listen, lex.Unlisten, lex.Savepoint, lex.Release, lex.RollbackTo, lex.Prepare, lex.Deallocate:
	default:
		if at := bytes.IndexByte(sql, ';'); at < 0 || at == len(sql)-1 {
			return nil
		}
	}
	list, ok := lex.Effects(sql)
	if ok && len(list) == 0 {
		return nil
	}
	c.inDoubt = c.inDoubt || !ok || slices.ContainsFunc(list, c.changesNames)
	var listens []ledger.Channel
	for _, e := range list {
		switch e.Kind {
		case lex.Listen:
			listens = append(listens, ledger.Channel{Name: e.Name, Listen: true})
		case lex.Commit:
			listens = append(listens, c.ledger.Channels()...)
		}
	}
	if len(listens) > 0 && (c.busy.pipe.Status() == wire.TxIdle && !c.opened || len(list) > 1) {
		c.joinAhead(listens)
	}
	return &effect{list: list, unknown: !ok}
}

// changesNames tells whether what is sent behind the statement depends on it: names may mean something else.
func (c *Client) changesNames(e lex.Effect) bool {
	switch e.Kind {
	case lex.RollbackTo:
		return !c.ledger.Empty()
	case lex.DiscardAll, lex.Listen, lex.Unlisten: // the latter decide from whom a notification is heard
		return true
	}
	return e.Unknown || slices.ContainsFunc(e.Settings, func(s lex.Setting) bool { return vars.Decides(s.Name) })
}

// boundEffect is effectOf for the statement bound last.
func (c *Client) boundEffect() any {
	c.lastKind = c.bound
	switch c.bound {
	case lex.SetLocal, lex.Set, lex.Reset, lex.Listen, lex.Unlisten, lex.Savepoint, lex.Release, lex.RollbackTo, lex.Prepare, lex.Deallocate, lex.Commit:
		return c.effectOf(c.bound, text(c.boundText))
	}
	return nil
}

// completed takes the tag of a CommandComplete.
func (c *Client) completed(s *Server, body []byte, of wire.Owed) {
	switch string(body) { // without allocating: of nearly all there is nothing to say
	case "SET\x00", "RESET\x00", "LISTEN\x00", "UNLISTEN\x00", "SAVEPOINT\x00", "RELEASE\x00", "COMMIT\x00", "ROLLBACK\x00", "BEGIN\x00", "START TRANSACTION\x00",
		"PREPARE\x00", "DEALLOCATE\x00", "DEALLOCATE ALL\x00", "DISCARD ALL\x00", "LOAD\x00",
		"DISCARD TEMP\x00", "DISCARD PLANS\x00", "DISCARD SEQUENCES\x00",
		"PREPARE TRANSACTION\x00", "COMMIT PREPARED\x00", "ROLLBACK PREPARED\x00":
	default:
		return
	}
	tag := string(body[:len(body)-1])
	e, _ := of.Tag.(*effect)
	known, ok := e.next(tag)
	switch tag {
	case "SET", "RESET":
		c.set(known, ok)
	case "LISTEN":
		s.pins |= pinListen
		if ok {
			c.ledger.Listen(known.Name)
		} else {
			c.listens = true
		}
	case "UNLISTEN":
		c.ledger.Unlisten(known.Name)
	case "SAVEPOINT":
		c.ledger.Savepoint(known.Name)
	case "RELEASE":
		c.ledger.Release(known.Name)
	case "COMMIT", "PREPARE TRANSACTION":
		c.commit(s)
	case "ROLLBACK":
		c.rollback(known, ok, e)
	case "PREPARE":
		c.keepServer(pinPrepared)
		if c.prepared == nil {
			c.prepared = map[string]struct{}{}
		}
		c.prepared[known.Name] = struct{}{}
	case "LOAD":
		c.keepServer(pinSticky)
	case "DEALLOCATE":
		c.deallocated(s, known.Name)
	case "DEALLOCATE ALL":
		c.names.Clear()
		clear(c.prepared)
		s.resetBy("DEALLOCATE ALL\x00")
		c.marks |= lex.MarkEnds
	case "DISCARD ALL":
		c.discarded(s)
	case "DISCARD SEQUENCES":
		s.sequences = 0
	}
}

// set notes a SET. Where it could not be read, the server is asked afterwards.
func (c *Client) set(e lex.Effect, ok bool) {
	if !ok || e.Unknown {
		c.marks |= lex.MarkOpaque
		for _, one := range e.Settings {
			c.configs = append(c.configs, one.Name)
		}
		return
	}
	if slices.ContainsFunc(e.Settings, c.adds) {
		c.marks |= lex.MarkSetConfig
		c.configs = append(c.configs, "datestyle")
	}
	c.ledger.Set(e.Settings...)
	for _, one := range e.Settings {
		if _, ours := c.base.Get(one.Name); one.Default && !one.Local && (ours || one.Name == "" && c.base.Len() > 0) {
			c.resets = true
		}
	}
}

// adds tells whether a setting changes only a part of what is set already: DateStyle's has two parts.
func (c *Client) adds(one lex.Setting) bool {
	if one.Name != "datestyle" || one.Default || one.Local {
		return false
	}
	_, set := c.vars.Get("datestyle")
	return set || !c.ledger.Empty()
}

// rollback takes back what the transaction did, or what it did since a savepoint.
func (c *Client) rollback(known lex.Effect, ok bool, e *effect) {
	to := ok && known.Kind == lex.RollbackTo
	switch {
	case to && c.ledger.RollbackTo(known.Name), c.ledger.Empty():
	case ok && !to, e == nil:
		c.ledger.Clear()
	default: // back to a savepoint that was not seen
		c.ledgerUnsure()
	}
}

// ledgerUnsure: which of the SETs hold is not known. The server is asked when the transaction is over.
func (c *Client) ledgerUnsure() {
	c.marks |= lex.MarkOpaque
	for _, one := range c.ledger.Settings() {
		c.configs = append(c.configs, one.Name)
	}
	c.ledger.Clear()
}

// deallocated: a name is gone that the client gave by PREPARE, or by Parse.
func (c *Client) deallocated(s *Server, name string) {
	if st, ok := c.names.Get([]byte(name)); ok {
		s.stmts.Remove(st)
		c.names.Delete(name)
		return
	}
	delete(c.prepared, name)
	c.marks |= lex.MarkEnds
}

// discarded: DISCARD ALL leaves a session as it was after the login.
func (c *Client) discarded(s *Server) {
	c.names.Clear()
	clear(c.prepared)
	c.unnamed.exists = false
	s.resetBy("DISCARD ALL\x00")
	c.vars = c.base
	c.resets = c.base.Len() > 0
	c.ledger.Clear()
	c.ledger.Unlisten("")
	c.marks = 0
	c.setPins(c.pins &^ resettable)
}

// ready takes a ReadyForQuery that the client asked for: what was done in a transaction that is committed holds.
func (c *Client) ready(s *Server, of wire.Owed, status wire.TxStatus) {
	if of.For != wire.ForClient {
		return
	}
	r := &s.replies
	if status == wire.TxIdle {
		if r.failed {
			c.ledger.Clear()
		} else {
			c.commit(s)
		}
		c.adopted, c.path = false, ""
	}
	r.failed = false
	c.settleNames()
}

// settleNames finds what the rest of the transaction runs with.
func (c *Client) settleNames() {
	c.within, c.inDoubt = nil, false
	if c.ledger.Empty() {
		return
	}
	list := c.ledger.Settings()
	for i := range list {
		list[i].Local = false
	}
	c.within = with(c.vars, list, c.base, c.pool.space.Empty())
}

// commit makes what was done in the transaction the client's.
func (c *Client) commit(s *Server) {
	if settings := c.ledger.Settings(); len(settings) > 0 {
		c.apply(s, settings)
	}
	if c.mode != modeSession {
		c.channels = append(c.channels, c.ledger.Channels()...)
	}
	c.ledger.Clear()
}

// apply makes settings that the server has carried out the client's.
func (c *Client) apply(s *Server, settings []lex.Setting) {
	empty := c.pool.space.Empty()
	c.vars = with(c.vars, settings, c.base, empty)
	if c.adopted {
		s.vars = c.vars
	} else {
		s.vars = with(s.vars, settings, empty, empty) // which knows nothing of the client's startup packet
	}
	s.vars.Learn(s.reported)
	s.changed = false
}

// with gives a Set after settings. RESET leads back to base.
func with(set *vars.Set, settings []lex.Setting, base, empty *vars.Set) *vars.Set {
	for _, one := range settings {
		switch {
		case one.Local:
		case one.Default:
			set = set.Without(one.Name, base)
		default:
			set = set.With(vars.Item{Name: one.Name, Value: one.Value, Raw: true})
		}
		if one.Name == "session_authorization" && !one.Local { // which ends SET ROLE
			set = set.Without("role", empty)
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
	set := with(c.vars, settings, c.base, c.pool.space.Empty())
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
		code := wire.Code(wire.ErrorCode(body))
		s.doubtStatement(st, code)
		if c.refusedStale(s, code) {
			return true, nil
		}
	}
	if e, ok := of.Tag.(*wire.Error); ok && (done || of.Op == wire.OpQuery) {
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
