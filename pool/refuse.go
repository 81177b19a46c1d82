package pool

import (
	"poolerd/wire"
	"poolerd/wire/lex"
)

// refuse serves a client whose transaction was lost with its server, as PostgreSQL serves one in a failed transaction: until it has ended the block, nothing else
// is done for it.
func (c *Client) refuse() {
	b := c.in.bytes()
	if len(b) < wire.HeaderLen {
		return
	}
	typ, size, ok := clientHeader(b)
	if !ok {
		c.broken("invalid message length")
		return
	}
	if len(b) < size && !c.in.full() {
		return
	}
	body := b[wire.HeaderLen:min(size, len(b))]
	switch typ {
	case wire.ClientQuery:
		c.refuseQuery(body)
	case wire.ClientParse:
		c.refuseParse(body)
	case wire.ClientBind:
		c.refuseBind(body)
	case wire.ClientDescribe:
		c.refuseDescribe(body)
	case wire.ClientExecute:
		if c.bound != lex.Rollback {
			c.inFailedBlock()
			break
		}
		c.endFailedBlock()
	case wire.ClientClose:
		if name, _, ok := wire.CString(body[min(1, len(body)):]); ok && body[0] == 'S' {
			c.names.Delete(string(name))
		}
		c.reply = wire.AppendEmpty(c.reply, wire.ServerCloseComplete)
	case wire.ClientSync:
		c.reply = wire.AppendReadyForQuery(c.reply, c.status())
	case wire.ClientFunctionCall:
		c.inFailedBlock()
		c.skipping = false
		c.reply = wire.AppendReadyForQuery(c.reply, c.status())
	case wire.ClientTerminate:
		c.leave(reasonClientClosed)
	case wire.ClientFlush, wire.ClientCopyData, wire.ClientCopyDone, wire.ClientCopyFail:
	default:
		c.broken("invalid frontend message type %d", typ)
		return
	}
	c.drop(size)
}

// inFailedBlock answers with PostgreSQL's own words.
func (c *Client) inFailedBlock() {
	c.skipping = true
	if c.lost != nil {
		c.sayError(c.lost)
		c.lost = nil
		return
	}
	c.reply = errFailedBlock().Append(c.reply)
}

func errFailedBlock() *wire.Error {
	return wire.Errorf(wire.CodeInFailedTransaction, "current transaction is aborted, commands ignored until end of transaction block")
}

func (c *Client) endFailedBlock() {
	c.block, c.bound, c.lost = blockNone, lex.Other, nil
	c.reply = wire.AppendCommandComplete(c.reply, "ROLLBACK")
}

// ends tells whether a statement ends the block. COMMIT of a failed transaction is a ROLLBACK.
func ends(kind lex.Kind) bool { return kind == lex.Commit || kind == lex.Rollback }

func (c *Client) refuseQuery(body []byte) {
	sql, _, ok := wire.CString(body)
	switch kind := lex.Classify(sql); {
	case ok && ends(kind):
		c.endFailedBlock()
	case ok && kind == lex.Empty:
		c.reply = wire.AppendEmpty(c.reply, wire.ServerEmptyQueryResponse)
	default:
		c.inFailedBlock()
		c.skipping = false
	}
	c.reply = wire.AppendReadyForQuery(c.reply, c.status())
}

func (c *Client) refuseParse(body []byte) {
	name, tail, ok := wire.CString(body)
	if !ok || !validTail(tail) || !ends(lex.Classify(text(tail))) {
		c.inFailedBlock()
		return
	}
	if len(name) == 0 {
		c.unnamed.set(tail)
	} else {
		if _, taken := c.names.Get(name); taken {
			c.reply = wire.Errorf(wire.CodeDuplicatePreparedStatement, `prepared statement "%s" already exists`, name).Append(c.reply)
			c.skipping = true
			return
		}
		c.names.Put(string(name), c.pooler.statements.Intern(tail, ""))
	}
	c.reply = wire.AppendEmpty(c.reply, wire.ServerParseComplete)
}

func (c *Client) refuseBind(body []byte) {
	_, rest, _ := wire.CString(body)
	name, _, ok := wire.CString(rest)
	if _, kind := c.statement(name); !ok || !ends(kind) {
		c.inFailedBlock()
		return
	}
	c.bound = lex.Rollback
	c.reply = wire.AppendEmpty(c.reply, wire.ServerBindComplete)
}

// refuseDescribe: what ends the block may be described, having no rows.
func (c *Client) refuseDescribe(body []byte) {
	if len(body) >= 2 && body[0] == 'S' {
		name, _, _ := wire.CString(body[1:])
		if tail, kind := c.statement(name); ends(kind) {
			_, types, _ := wire.CString(tail)
			c.reply = wire.AppendParameterDescription(c.reply, types)
			c.reply = wire.AppendEmpty(c.reply, wire.ServerNoData)
			return
		}
	}
	if c.bound != lex.Rollback || len(body) != 2 || body[0] != 'P' {
		c.inFailedBlock()
		return
	}
	c.reply = wire.AppendEmpty(c.reply, wire.ServerNoData)
}

// statement gives what a name of the client's stands for, lex.Other for one that it has not given.
func (c *Client) statement(name []byte) (tail []byte, kind lex.Kind) {
	if st, ok := c.names.Get(name); ok {
		return st.Tail, st.Kind
	}
	if len(name) == 0 && c.unnamed.exists {
		return c.unnamed.tail, c.unnamed.kind
	}
	return nil, lex.Other
}
