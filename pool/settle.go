package pool

import (
	"errors"
	"time"

	"poolerd/wire"
)

// Cleaning up behind a client that leaves while it has a server.

// settle cleans up behind a client that leaves while it has a server: the query is cancelled, the transaction rolled back, session state reset. A server that
// cannot be brought to a clean state in a second is closed.
func (c *Client) settle() {
	s := c.busy
	if s == nil {
		if c.begin != nil {
			c.forgetBegin()
		}
		return
	}
	partial := c.body > 0 || len(s.replies.unsent) > 0 || s.replies.err != nil
	why := c.left
	if !s.pipe.Settled() {
		why = reasonClientInQuery
	} else if s.pipe.Status() != wire.TxIdle {
		why = reasonClientInTx
	}
	if s.pipe.Expecting() && !partial {
		c.cancelOn(s)
	}
	c.detach()
	s.cancels.Wait()
	for _, o := range s.pipe.Owed() {
		if o.For == wire.ForNobody {
			dropTag(c, o)
		}
	}
	c.pool.finish(c, time.Now())
	if !partial && !s.suspect.Load() && s.clean(c) {
		c.pool.release(s, time.Now())
		return
	}
	s.discard(why)
}

// clean brings a server that its client has left to a state in which anyone may have it. False means that it cannot be had.
func (s *Server) clean(c *Client) bool {
	if s.replies.fatal != nil || !s.replies.boundary() || s.pipe.CopyIn() || s.pipe.SkipsToSync() || s.pipe.Open() || s.pipe.Doubtful() {
		return false
	}
	if s.pipe.Expecting() {
		if s.conn.SetDeadline(time.Now().Add(settleLimit)) != nil {
			return false
		}
		err := s.drain(nil)
		if err != nil && !errors.As(err, &errRefused{}) {
			return false
		}
		if err != nil && s.pipe.Settled() && s.pipe.Status() == wire.TxIdle && s.run("DEALLOCATE ALL", settleLimit) != nil {
			return false // which of the Parses behind the error were skipped is not known
		}
		if err != nil && s.pipe.Status() != wire.TxIdle {
			return false
		}
		if s.conn.SetDeadline(noDeadline) != nil {
			return false
		}
	}
	if !s.pipe.Settled() {
		return false
	}
	if s.pipe.Status() != wire.TxIdle && s.run("ROLLBACK", settleLimit) != nil {
		return false
	}
	if (c.mode == modeSession || s.pins != 0 || c.marks != 0) && !s.reset() {
		return false
	}
	return s.pipe.Idle()
}

// reset carries out server_reset_query. False means that state may be left on the server that nobody may inherit.
func (s *Server) reset() bool {
	if sql := s.pool.pooler.config().ServerResetQuery; sql != "" && s.run(sql, queryLimit) != nil {
		return false
	}
	return s.pins == 0
}
