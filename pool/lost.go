package pool

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"poolerd/wire"
	"poolerd/wire/lex"
)

// A server that goes while a client has it: what it still owed is answered in its place.

// serverFailed: a statement of ours was not carried out on a server that the client keeps.
func (c *Client) serverFailed(err error) {
	refused := errRefused{}
	if errors.As(err, &refused) {
		c.leaveWith(reasonServerLost, refused.answer)
		return
	}
	c.leaveWith(reasonServerLost, wire.Fatalf(wire.CodeConnectionFailure, "server connection was lost"))
}

// serverLost answers what a server still owed when it went, and keeps the client. Its transaction is over, which it learns from an error; it has to end the
// block before anything else is done for it.
func (c *Client) serverLost(s *Server) {
	r := &s.replies
	err := c.lostError(s)
	owed := s.pipe.Owed()
	inTx := (s.pipe.Status() != wire.TxIdle || c.opened) && c.lastKind != lex.Commit && c.lastKind != lex.Rollback
	keeps := c.keeps() || s.pipe.Idle() && c.marks&leaving != 0 // it was told that its transaction is over, and nobody can be asked any more what that has left
	skips := s.pipe.SkipsToSync()
	midMessage := r.parted && r.body > 0 && !r.bodyDropped
	r.flush()
	c.countQuery()
	if inTx {
		c.block = blockFailed
	}
	c.opened = false
	c.forgetTransaction()
	if !keeps {
		c.freePin()
	}
	keeps = keeps || c.terminates && r.fatal != nil
	said := skips
	if !keeps && !midMessage && c.doom.Load() == nil {
		for _, o := range owed {
			if o.For == wire.ForPooler {
				continue
			}
			if !said {
				c.sayError(err)
				said = true
			}
			if o.Op != wire.OpQuery && o.Op != wire.OpSync && o.Op != wire.OpFunctionCall {
				continue
			}
			c.reply = wire.AppendReadyForQuery(c.reply, c.status())
			said = false
		}
		c.skipping = said
		if len(owed) == 0 && !skips {
			c.lost = err // nothing was asked: the client learns it when it asks
			if !inTx {
				c.lost = nil
			}
		}
	}
	c.pool.finish(c, time.Now())
	c.undoAll(s, owed)
	reason := reasonServerGone
	if r.fatal == nil && r.err != nil && !isEnd(r.err) {
		reason = reasonServerBroke
		c.pooler.log.Error().Err(r.err).Uint32("pid", s.pid).Str("database", c.database).Msg("server could not be used any longer")
	}
	c.detach().discard(reason)
	switch {
	case c.doom.Load() != nil:
		c.leaveDoomed()
	case midMessage:
		c.leave(reasonServerLost)
	case keeps:
		c.leaveWith(reasonServerLost, err)
	default:
		c.flushReply()
	}
}

// forgetTransaction: what it did to the session has not happened.
func (c *Client) forgetTransaction() {
	if c.joined {
		c.tellHub()
	}
	c.ledger.Clear()
	c.transaction = transaction{ledger: c.ledger}
}

// undoAll: whatever was owed has not happened.
func (c *Client) undoAll(s *Server, owed []wire.Owed) {
	for i := len(owed) - 1; i >= 0; i-- {
		if c.parsesUnnamed(owed[i]) {
			c.unnamed.exists = false
		}
		if owed[i].Op == wire.OpParse || owed[i].Op == wire.OpClose {
			c.undo(s, owed[i])
		}
	}
}

// lostError is what the client is told about the server it has lost.
func (c *Client) lostError(s *Server) *wire.Error {
	if f := s.replies.fatal; f != nil {
		e := *f
		e.Severity = "ERROR"
		return &e
	}
	if c.lastKind == lex.Commit && !s.pipe.Settled() {
		return wire.Errorf(wire.CodeTransactionUnknown, "server connection was lost during COMMIT: the transaction may or may not be committed")
	}
	return wire.Errorf(wire.CodeConnectionFailure, "server connection was lost")
}

// isEnd tells whether err is the end of a connection, and no surprise in what came over it.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed)
}
