package pool

import (
	"bytes"
	"slices"

	"poolerd/pool/ledger"
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
	if channels := c.ledger.Channels(); len(channels) > 0 && (kind == lex.Commit || kind == lex.Other && commits(sql)) {
		c.joinAhead(channels)
	}
	switch kind {
	case lex.SetLocal, lex.Set, lex.Reset, lex.Listen, lex.Unlisten, lex.Savepoint, lex.Release, lex.RollbackTo, lex.Prepare,
		lex.Deallocate, lex.DeallocateAll, lex.DiscardAll:
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
	c.forgets = c.forgets || slices.ContainsFunc(list, forgetsNames)
	var listens []ledger.Channel
	unlistens := false
	for _, e := range list {
		switch e.Kind {
		case lex.Listen:
			listens = append(listens, ledger.Channel{Name: e.Name, Listen: true})
		case lex.Unlisten:
			unlistens = true
		case lex.Commit:
			listens = append(listens, c.ledger.Channels()...)
		}
	}
	alone := c.busy.pipe.Status() == wire.TxIdle && !c.opened
	if len(listens) > 0 && (alone || len(list) > 1) {
		c.joinAhead(listens)
	}
	if unlistens && alone {
		c.hearFirst()
	}
	return &effect{list: list, unknown: !ok}
}

// changesNames tells whether what is sent behind the statement depends on it: names may mean something else.
func (c *Client) changesNames(e lex.Effect) bool {
	switch e.Kind {
	case lex.RollbackTo:
		return !c.ledger.Empty()
	case lex.Listen, lex.Unlisten: // these decide from whom a notification is heard
		return true
	}
	return forgetsNames(e) || e.Unknown || slices.ContainsFunc(e.Settings, func(s lex.Setting) bool { return vars.Decides(s.Name) })
}

// forgetsNames tells whether the statement takes names from prepared statements.
func forgetsNames(e lex.Effect) bool {
	return e.Kind == lex.Deallocate || e.Kind == lex.DeallocateAll || e.Kind == lex.DiscardAll
}

// commits tells whether a text holds a COMMIT, AND CHAIN for example.
func commits(sql []byte) bool {
	list, ok := lex.Effects(sql)
	return !ok || slices.ContainsFunc(list, func(e lex.Effect) bool { return e.Kind == lex.Commit })
}

// boundEffect is effectOf for the statement bound last.
func (c *Client) boundEffect() any {
	c.lastKind = c.bound
	switch c.bound {
	case lex.SetLocal, lex.Set, lex.Reset, lex.Listen, lex.Unlisten, lex.Savepoint, lex.Release, lex.RollbackTo, lex.Prepare, lex.Commit,
		lex.Deallocate, lex.DeallocateAll, lex.DiscardAll:
		return c.effectOf(c.bound, text(c.boundText))
	case lex.Other:
		if len(c.ledger.Channels()) > 0 {
			return c.effectOf(c.bound, text(c.boundText))
		}
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
		c.commit(s, false)
	case "ROLLBACK":
		c.rollback(known, ok, e)
	case "PREPARE":
		c.keepServer(pinPrepared)
		c.marks |= lex.MarkPrepare // it may be gone again when the transaction is over
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
	c.become(c.base)
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
			c.commit(s, true)
		}
		c.adopted, c.path = false, ""
	}
	r.failed = false
	c.settleNames()
}

// commit makes what was done in the transaction the client's.
func (c *Client) commit(s *Server, told bool) {
	if settings := c.ledger.Settings(); len(settings) > 0 {
		c.apply(s, settings, told)
	}
	if c.mode != modeSession {
		c.channels = append(c.channels, c.ledger.Channels()...)
	}
	c.ledger.Clear()
}
