package pool

import (
	"cmp"
	"errors"
	"time"

	"poolerd/pool/config"
	"poolerd/pool/stmt"
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
	cancelPatience = 2 * time.Second        // for a cancel request whose client is to be told that its time is over
	never          = 100 * 365 * 24 * time.Hour
)

var (
	past       = time.Unix(1, 0) // a deadline that has passed; never changed
	noDeadline time.Time
	errPrelude = errors.New("server refused the client's session parameters")
)

func errShutdown() *wire.Error {
	return wire.Fatalf(wire.CodeAdminShutdown, reasonShutdown)
}

// checkout gets a server, and what has to go ahead of the client's own messages: its session parameters and its deferred BEGIN.
func (c *Client) checkout() *wire.Error {
	s, err := c.pool.acquire(c)
	if err != nil {
		return err
	}
	c.attach(s)
	if c.pool.suspended.Load() { // since it was looked for a server
		c.freeze()
	}
	if d := c.doom.Load(); d != nil { // whoever ended it has found it neither waiting nor with a server
		c.pool.release(c.detach(), time.Now())
		return cmp.Or(d.err, errShutdown())
	}
	s.stmts.Checkout(c.pooler.config().MaxPreparedStatements)
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
	c.waiter.patient = true
	s, err := c.pool.acquire(c)
	c.waiter.patient = false
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
	s.fresh = s.uses.Load() == 0 // who has only been asked has not served: server_lifetime = 0 does not mean it yet
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
	if s.console || !vars.Sure(s.vars, c.vars) {
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
		c.prepare(st, stmt.Shape{})
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
		c.counted = s.pipe.Open()
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
	suspected := over && (c.marks&leaving != 0 || c.listens)
	b, err := c.takeStock(s, last.b, over)
	if err != nil {
		c.sayLast(last.b)
		c.stockFailed(s, suspected, err)
		return
	}
	switch {
	case c.ending != nil:
		c.sayLast(last.b)
		c.leaveWith(reasonPin, c.ending)
		return
	case over && !c.keeps():
		c.giveBack()
	case over:
		c.pool.finish(c, time.Now())
	case s.pipe.Doubtful() && s.pipe.Settled() && !c.keeps():
		if s.pipe.Status() != wire.TxIdle {
			c.block = blockFailed
		}
		s := c.detach()
		c.pool.finish(c, time.Now())
		s.discard(reasonDoubt)
	case c.mode == modeStatement && s.pipe.Settled() && s.pipe.Status() != wire.TxIdle:
		c.refuseBlock()
		return
	}
	if over && c.member != nil {
		b = ahead(b, c.notifications(s))
	}
	c.sayLast(b)
	if e := c.pool.ending.Load(); e != nil && c.busy == nil && c.block == blockNone {
		c.end(e.reason, e.err)
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

// giveBack gives an idle server back to its pool. A cancel request that is on its way to it is waited for, elsewhere: it may hit whatever runs next.
func (c *Client) giveBack() {
	c.learn(c.busy)
	s := c.detach()
	now := time.Now()
	p := c.pool
	p.finish(c, now)
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
