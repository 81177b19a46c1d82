package pool

import (
	"time"

	"poolerd/pool/stmt"
	"poolerd/wire"
)

// Healing: a server refuses a prepared statement that it has from before a DDL ("cached plan must not change result type", 0A000), or that a function has deallocated
// (26000). PostgreSQL says so at Bind or Describe, before anything of the statement is done. Where it is the first of its transaction nothing has happened at all, and
// the request of a client that does not rely on what it was told before is sent again, the statement prepared anew. The client does not notice. Elsewhere it gets the
// error that it would get without a pooler.

// attempt is the request under way, as far as it can be sent a second time.
type attempt struct {
	from  int             // where it begins in the client's buffer
	whole bool            // it began a transaction, and the buffer holds all of it
	begin *stmt.Statement // the deferred BEGIN that went ahead of it
	again bool            // this is the second time
	stale bool            // the server has refused what it had prepared: no reply reaches the client
}

// starts notes that a request begins at the start of the buffer.
func (c *Client) starts(fresh bool) {
	c.attempt.from = c.in.r
	c.attempt.whole = fresh && c.busy.pipe.Status() == wire.TxIdle && c.body == 0
}

// refusedStale decides about an error at a prepared statement: true when the request will be sent again. That is not done for a client that was told the statement's shape before
// and would take the new one for the old.
func (c *Client) refusedStale(s *Server, of wire.Owed, code wire.Code) bool {
	r, a := &s.replies, &c.attempt
	toCome := s.pipe.Owed()
	told := of.Op != wire.OpDescribeStatement && c.believes
	a.stale = a.whole && (!told || code == wire.CodeUndefinedPreparedStatement) && !a.again && !r.flushed && !r.executed && !c.named && c.body == 0 &&
		len(toCome) == 1 && toCome[0].Op == wire.OpSync && // nothing behind it is carried out
		(code == wire.CodeFeatureNotSupported || code == wire.CodeUndefinedPreparedStatement)
	return a.stale
}

// retry sends the request again. The server has answered it to the end, and nothing of that has reached the client.
func (c *Client) retry(s *Server) {
	a := c.attempt
	s.replies.last().free()
	c.attempt = attempt{again: true}
	s.replies.failed, c.opened = false, false
	c.reply = c.reply[:0]
	c.in.r = a.from
	if a.begin != nil {
		c.block, c.begin = blockDeferred, a.begin
	}
	if s.pipe.Status() != wire.TxIdle && s.run("ROLLBACK", queryLimit) != nil || s.current(queryLimit) != nil {
		c.pool.finish(c, time.Now())
		keeps := c.keeps()
		c.detach().discard(reasonServerGone)
		lost := wire.Errorf(wire.CodeConnectionFailure, "server connection was lost")
		if keeps {
			c.leaveWith(reasonServerLost, lost)
			return
		}
		c.fail(lost)
		return
	}
	if c.block == blockDeferred {
		c.sendBegin()
	}
	c.relay(true)
}

// forgetAttempt ends the attempt: the request has been answered, or cannot be sent again any more.
func (c *Client) forgetAttempt() {
	if c.attempt.begin != nil {
		c.pooler.statements.Drop(c.attempt.begin)
	}
	c.attempt = attempt{}
}
