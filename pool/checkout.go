package pool

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"poolerd/pool/config"
	"poolerd/pool/vars"
	"poolerd/wire"
	"poolerd/wire/lex"
)

// Taking a server for a transaction, giving it back, and what happens when that does not go as it should. A server goes back to its pool only when the pure
// Pipeline says that it is idle and owes nothing; in every other case it is discarded.

const (
	modeTransaction = config.ModeTransaction
	modeSession     = config.ModeSession
	modeStatement   = config.ModeStatement
)

const (
	queryLimit     = 5 * time.Second        // for a statement of our own
	settleLimit    = time.Second            // for cleaning up behind a client that is gone
	closeLimit     = time.Second            // for saying goodbye to a server
	farewellLimit  = time.Second            // for telling a client why it is closed
	interruptLimit = 500 * time.Millisecond // from a cancel request to taking the sockets away
	never          = 100 * 365 * 24 * time.Hour
	minHealthCheck = 100 * time.Millisecond
	maxHealthCheck = 5 * time.Second
)

var (
	past       = time.Unix(1, 0) // a deadline that has passed; never changed
	noDeadline time.Time
	errPrelude = errors.New("server refused the client's session parameters")
	errRetry   = errors.New("server could not be brought back to where the request began")
)

func errShutdown() *wire.Error {
	return wire.Fatalf(wire.CodeAdminShutdown, "terminating connection: the pooler is shutting down")
}

// checkout gets a server, and what has to go ahead of the client's own messages: its session parameters and its deferred BEGIN.
func (c *Client) checkout() *wire.Error {
	s, err := c.pool.acquire(c)
	if err != nil {
		return err
	}
	c.attach(s)
	s.stmts.Checkout()
	if err := c.resume(s); err != nil {
		s := c.detach()
		refused := errRefused{}
		if errors.As(err, &refused) && s.pipe.Idle() {
			c.pool.release(s, time.Now())
			return refused.answer
		}
		s.discard(reasonReset)
		return wire.Errorf(wire.CodeConnectionFailure, "server connection was lost before the statement was sent")
	}
	c.evict() // only now: resume may have to wait for the server, and what evict owes is not sent yet
	if c.block == blockDeferred {
		c.sendBegin()
	}
	return nil
}

// meet asks a server what the client's session parameters come to, and whether they are valid.
func (c *Client) meet() ([]vars.Reported, *wire.Error) {
	s, err := c.pool.acquire(c)
	if err != nil {
		return nil, err
	}
	defer c.setState(StateLogin)
	if err := s.adopt(c.vars, queryLimit); err != nil {
		refused := errRefused{}
		if errors.As(err, &refused) && s.pipe.Idle() {
			c.pool.release(s, time.Now())
			return nil, refused.answer
		}
		s.discard(reasonReset)
		return nil, wire.Errorf(wire.CodeConnectionFailure, "server connection was lost during the login")
	}
	reported := s.reported
	c.pool.release(s, time.Now())
	return reported, nil
}

// resume brings the server, which is idle, to the client's session parameters: in the same write as the client's statement where it is certain to
// succeed, else before it.
func (c *Client) resume(s *Server) error {
	if s.plans != c.pool.plans.Load() {
		if err := s.current(queryLimit); err != nil {
			return err
		}
	}
	if s.vars == c.vars {
		return nil
	}
	if !vars.Sure(s.vars, c.vars) {
		return s.adopt(c.vars, queryLimit)
	}
	s.pipe.Sent(wire.OpQuery, wire.ForPooler, nil)
	c.out = wire.AppendQuery(c.outgoing(), vars.Replay(s.vars, c.vars))
	s.vars, s.unnamed = c.vars, unnamed{}
	return nil
}

// sendBegin sends the BEGIN that was answered before. No Sync follows it: should it fail, the server skips what comes behind it, which is a transaction that
// the client would otherwise get without knowing.
func (c *Client) sendBegin() {
	s, st := c.busy, c.begin
	if !s.stmts.Has(st) {
		c.prepare(st)
	}
	s.pipe.Sent(wire.OpBind, wire.ForPooler, nil)
	s.pipe.Sent(wire.OpExecute, wire.ForPooler, nil)
	c.out = wire.AppendExecute(wire.AppendBind(c.outgoing(), "", st.Name), "")
	c.lastKind = lex.Begin
	c.attempt.begin, c.begin, c.block = st, nil, blockNone
	c.opened = true
}

// afterExchange decides what becomes of the server, and writes what is left to be written.
func (c *Client) afterExchange(s *Server) {
	r := &s.replies
	c.forgetAttempt()
	switch {
	case r.clientErr != nil:
		c.leave(reasonClientGone)
		return
	case r.err != nil || r.fatal != nil:
		c.serverLost(s)
		return
	}
	if s.pipe.Settled() {
		c.opened = false
		c.countQuery()
	}
	if !r.boundary() { // a reply that has come in part stays where it is
		if r.flush(); r.clientErr != nil {
			c.leave(reasonClientGone)
		}
		return
	}
	last := r.last()
	defer last.free()
	c.tally.sent += uint64(len(last.b))
	over := s.pipe.Idle() && c.body == 0
	b, err := c.takeStock(s, last.b, over)
	if err != nil {
		c.sayLast(last.b)
		c.stockFailed(s, err)
		return
	}
	switch {
	case c.ending != nil:
		c.sayLast(last.b)
		c.leaveWith(reasonPin, c.ending)
		return
	case over && !c.keeps():
		c.giveBack()
	case s.pipe.Doubtful() && s.pipe.Settled() && !c.keeps():
		if s.pipe.Status() != wire.TxIdle {
			c.block = blockFailed
		}
		s := c.detach()
		c.pool.finish(c, s, time.Now())
		s.discard(reasonDoubt)
	case c.mode == modeStatement && s.pipe.Settled() && s.pipe.Status() != wire.TxIdle:
		c.refuseBlock()
		return
	}
	if over && c.member != nil {
		b = ahead(b, c.notifications(s))
	}
	c.sayLast(b)
	if c.busy == nil && c.pooler.draining.Load() {
		c.end(reasonShutdown, errShutdown())
	}
}

// sayLast writes the last replies of an exchange.
func (c *Client) sayLast(b []byte) {
	if len(c.reply) > 0 { // what did not fit ahead of them
		c.flushReply()
	}
	if len(b) == 0 || c.left != "" {
		return
	}
	if err := c.write(b); err != nil {
		c.leave(reasonClientGone)
	}
}

func (c *Client) countQuery() {
	if !c.asked.IsZero() {
		c.tally.queryTime += time.Since(c.asked)
		c.asked = time.Time{}
	}
}

// takeStock finds out what a request has done to the session, where that has to be asked or told on: nearly always there is nothing to do. It gives the replies with what
// has to be added. An error means that the server is lost.
func (c *Client) takeStock(s *Server, replies []byte, over bool) ([]byte, error) {
	if c.resets && s.pipe.Settled() && !s.pipe.Open() && s.pipe.Status() != wire.TxFailed {
		told, err := c.readopt(s)
		if err != nil {
			return nil, err
		}
		replies = ahead(replies, told)
	}
	if over && c.ddl {
		c.changeSchema()
	}
	if !over || c.mode == modeSession {
		return replies, nil
	}
	if c.marks != 0 {
		if err := c.inspect(s); err != nil {
			return nil, err
		}
	}
	if len(c.channels) > 0 || c.joined || s.pins&pinListen != 0 || c.listens {
		if err := c.follow(s); err != nil {
			return nil, err
		}
	}
	return replies, nil
}

// stockFailed: the server has gone while it was asked what is left on it. A client that had state there has lost it, and is told.
func (c *Client) stockFailed(s *Server, err error) {
	c.pool.finish(c, s, time.Now())
	had := c.pins != 0 || c.pinSlot
	c.detach().discard(reasonServerGone)
	c.setPins(0)
	if had {
		c.leaveWith(reasonServerLost, wire.Fatalf(wire.CodeConnectionFailure, "server connection was lost, and with it the state of the session"))
	}
	c.pooler.log.Warn().Err(err).Uint32("pid", s.pid).Str("database", c.database).Msg("server was lost while its session state was looked at")
}

// giveBack gives an idle server back to its pool. A cancel request that is on its way to it is waited for, elsewhere: it may hit whatever runs next.
func (c *Client) giveBack() {
	c.learn(c.busy)
	s := c.detach()
	now := time.Now()
	p := c.pool
	p.finish(c, s, now)
	if (s.pins != 0 || p.pooler.config().ServerResetQueryAlways) && !s.reset() {
		s.discard(reasonReset)
		return
	}
	if s.pending.Load() > 0 || s.suspect.Load() {
		p.pooler.tasks.Go(func() {
			s.cancels.Wait()
			if s.suspect.Load() {
				s.discard(reasonCancel)
				return
			}
			p.release(s, time.Now())
		})
		return
	}
	p.release(s, now)
}

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
	keeps := c.keeps()
	skips := s.pipe.SkipsToSync()
	midMessage := r.parted && r.body > 0 && !r.bodyDropped
	r.flush()
	c.countQuery()
	if inTx {
		c.block = blockFailed
	}
	c.ledger.Clear()
	c.opened, c.marks, c.configs, c.anyConfig = false, 0, c.configs[:0], false
	if !keeps {
		c.freePin()
	}
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
	c.pool.finish(c, s, time.Now())
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

// undoAll: whatever was owed has not happened.
func (c *Client) undoAll(s *Server, owed []wire.Owed) {
	for i := len(owed) - 1; i >= 0; i-- {
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
	c.pool.finish(c, s, time.Now())
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

// isEnd tells whether err is the end of a connection, and no surprise in what came over it.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed)
}
