package pool

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"poolerd/pool/config"
	"poolerd/pool/metrics"
	"poolerd/pool/vars"
	"poolerd/wire"
)

const (
	// restAfter is how long a server may lie free in our hands before it goes back to pgxpool, which closes it when it is idle for long.
	restAfter = time.Second
	// probeAfter is how long a server may have been free without being asked whether it still lives.
	probeAfter = 20 * time.Millisecond
	// openAtOnce bounds the connections that one pool opens at a time.
	openAtOnce = 4
)

// Key names a pool.
type Key struct{ Database, User string }

// Pool holds the servers of one database and user, and the clients that wait for one. A server passes from client to client here; pgxpool
// sees it only when it is opened, rests or is closed. The lock is held for a few instructions, never across I/O.
type Pool struct {
	key    Key
	pooler *Pooler

	forAuthQuery bool // of auth_user, where the database forces another user on its clients

	space   *vars.Space
	watched *watched      // what is known of the database
	readers sync.Map      // application names that ask for currval
	read    atomic.Bool   // there are any
	plans   atomic.Uint64 // grows when a server refused a prepared statement after a DDL

	mu         sync.Mutex
	touched    time.Time // when a client last asked for the pool
	pg         *pgxpool.Pool
	password   config.Secret
	offered    Credentials // by logins of its user
	generation int         // of pg: a reload may replace it
	conf       config.Pool
	free       []*Server // given back last at the end
	busy       int       // servers that clients have
	opening    int       // being opened, or taken back from pgxpool
	queue      queue
	outage     outage
	closed     bool
	servers    map[*Server]struct{} // all that are open, those that rest with pgxpool too
	totals     metrics.Totals
	before     metrics.Totals // at the start of the current stats_period
	last       metrics.Totals // of the last full one
	rolled     time.Time
	took       time.Duration // of the last full one
}

// limits is the part of the settings that servers are made with.
type limits struct{ maxStatements int }

func (p *Pool) limits() limits { return limits{p.pooler.config().MaxPreparedStatements} }

func (p *Pool) touch() {
	p.mu.Lock()
	p.touched = time.Now()
	p.mu.Unlock()
}

// unused tells whether nobody has had anything of the pool for long, and closes it then.
func (p *Pool) unused(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.totals.Clients > 0 {
		p.touched = now
	}
	p.closed = p.closed || p.queue.len+p.busy+p.opening+len(p.servers) == 0 && now.Sub(p.touched) > forgetAfter
	return p.closed
}

// settings gives the effective settings, which a reload changes.
func (p *Pool) settings() config.Pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conf
}

// acquire gives a server to c, which waits for one if it must. The error is for the client.
func (p *Pool) acquire(c *Client) (*Server, *wire.Error) {
	for {
		p.mu.Lock()
		s := p.take(c)
		if s == nil {
			break
		}
		p.mu.Unlock()
		if time.Since(s.used) > probeAfter && !s.alive() {
			s.discard(reasonServerGone)
			continue
		}
		return s, nil
	}
	now := time.Now()
	if err := p.refusal(now); err != nil {
		p.mu.Unlock()
		return nil, err
	}
	w := c.waiter
	w.since = now
	p.queue.push(w)
	p.open(now)
	p.mu.Unlock()
	c.setState(StateWaiting)
	if d := c.doom.Load(); d != nil { // it may have looked before we were waiting
		p.withdraw(w, d.err)
	}
	g := <-w.granted
	if g.server == nil && g.err == nil {
		g.err = errShutdown() // withdrawn without a word: the client has gone
	}
	return g.server, g.err
}

// take gives a free server when nobody waits: of the few used last one that has the client's session parameters, else the last. A client of sequences gets the one that
// it had before.
func (p *Pool) take(c *Client) *Server {
	n := len(p.free)
	if n == 0 || p.queue.len > 0 || p.closed {
		return nil
	}
	at := -1
	if c.sequenced {
		at = slices.IndexFunc(p.free, func(s *Server) bool { return s.sequences == c.id })
	}
	switch {
	case at >= 0:
	case p.pooler.config().ServerRoundRobin:
		at = 0
	default:
		at = n - 1
		for i := n - 1; i >= max(0, n-4); i-- {
			if p.free[i].vars == c.vars {
				at = i
				break
			}
		}
	}
	s := p.free[at]
	p.free = slices.Delete(p.free, at, at+1)
	p.busy++
	return s
}

// release takes a server that may serve anyone, and hands it to the client that has waited longest.
func (p *Pool) release(s *Server, now time.Time) {
	if !s.pipe.Idle() {
		p.pooler.log.Error().Uint32("pid", s.pid).Str("database", p.key.Database).Msg("a server that is not idle was to be given back: it is closed")
		s.discard(reasonDoubt)
		return
	}
	if p.pooler.released != nil {
		p.pooler.released(s)
	}
	p.mu.Lock()
	if p.closed || p.expired(s, now) {
		p.mu.Unlock()
		s.discard(reasonLifetime)
		return
	}
	s.used = now
	w := p.queue.pop()
	if w == nil {
		p.busy--
		p.free = append(p.free, s)
		p.mu.Unlock()
		return
	}
	p.totals.Waits++
	p.totals.WaitTime += now.Sub(w.since)
	p.mu.Unlock()
	w.granted <- grant{server: s}
}

func (p *Pool) expired(s *Server, now time.Time) bool {
	return s.generation != p.generation || now.Sub(s.created) > p.conf.ServerLifetime || p.busy+len(p.free) > p.conf.Size+p.conf.ReserveSize
}

// withdraw takes a waiting client out of the queue, which ends its wait with err. It reports false when the wait has already ended.
func (p *Pool) withdraw(w *waiter, err *wire.Error) bool {
	p.mu.Lock()
	was := p.queue.remove(w)
	p.mu.Unlock()
	if was {
		w.granted <- grant{err: err}
	}
	return was
}

// open starts opening servers for the clients that wait, as far as the limits allow. The lock is held.
func (p *Pool) open(now time.Time) {
	if p.closed {
		return
	}
	limit, most := p.conf.Size, openAtOnce
	if w := p.queue.first; w != nil && p.conf.ReserveTimeout > 0 && now.Sub(w.since) >= p.conf.ReserveTimeout {
		limit += p.conf.ReserveSize
	}
	if p.outage.on() {
		most = 1
	}
	want := max(p.queue.len, p.conf.MinSize-p.busy-len(p.free)-p.opening)
	for p.opening < min(most, want) && p.busy+len(p.free)+p.opening < limit && p.outage.due(now) {
		if !p.pooler.shares.take(p.key, p.conf) {
			break // the clock tries again
		}
		p.opening++
		p.pooler.tasks.Go(p.openOne)
	}
}

// openOne opens one server, or takes back one that rests, and gives it to the client that has waited longest.
func (p *Pool) openOne() {
	s, fresh, err := p.connect()
	if !fresh {
		p.pooler.shares.give(p.key)
	}
	now := time.Now()
	p.mu.Lock()
	p.opening--
	if err != nil {
		p.failed(err, now)
		return
	}
	p.outage.over()
	p.busy++
	p.mu.Unlock()
	p.release(s, now)
	p.mu.Lock()
	p.open(now)
	p.mu.Unlock()
}

// failed deals with a connection that could not be opened: the lock is held, and is given back.
func (p *Pool) failed(err *wire.Error, now time.Time) {
	again := p.outage.failed(err, now, p.pooler.config().ServerLoginRetry)
	var lost []*waiter
	if p.outage.hopeless(now) && (p.busy == 0 || p.outage.down()) {
		for w := p.queue.pop(); w != nil; w = p.queue.pop() {
			lost = append(lost, w)
		}
	}
	first := p.outage.failures == 1
	waiting := p.queue.len > 0
	p.mu.Unlock()
	if first {
		p.pooler.log.Warn().Str("database", p.key.Database).Str("user", p.key.User).Str("sqlstate", string(err.Code)).
			Str("reason", err.Message).Msg("server could not be reached; will try again")
	}
	for _, w := range lost {
		w.granted <- grant{err: err}
	}
	if waiting {
		p.pooler.after(again, p.retry)
	}
}

func (p *Pool) retry() {
	p.mu.Lock()
	p.open(time.Now())
	p.mu.Unlock()
}

// refusal tells a client at once that PostgreSQL is out of reach, while the pool pauses between attempts. The lock is held.
func (p *Pool) refusal(now time.Time) *wire.Error {
	if p.busy > 0 && !p.outage.down() || p.opening > 0 || p.outage.due(now) || !p.outage.hopeless(now) {
		return nil
	}
	return p.outage.err
}

// outageError is why no server can be opened, nil when that is not so.
func (p *Pool) outageError() *wire.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.outage.err
}

// tend does what is due by the clock: servers that have ended or rest go, the reserve opens, the smallest size is kept.
func (p *Pool) tend(now time.Time) {
	p.mu.Lock()
	var ended, rest []*Server
	p.free = slices.DeleteFunc(p.free, func(s *Server) bool {
		switch {
		case !s.alive() || p.expired(s, now):
			ended = append(ended, s)
		case now.Sub(s.used) > restAfter && len(p.free)+p.busy > p.conf.MinSize:
			rest = append(rest, s)
		default:
			return false
		}
		return true
	})
	p.busy += len(ended) + len(rest)
	p.open(now)
	p.mu.Unlock()
	for _, s := range ended {
		s.discard(reasonServerGone)
	}
	for _, s := range rest {
		s.rest()
	}
}

// rest gives a free server back to pgxpool, which keeps it for server_idle_timeout at most.
func (s *Server) rest() {
	lease := s.lease
	s.lease = nil
	lease.Release()
	s.pool.mu.Lock()
	s.pool.busy--
	s.pool.mu.Unlock()
}

// discard closes a server that its holder has, and tells the pool that there is room.
func (s *Server) discard(reason string) {
	p := s.pool
	s.pipe.Reset()
	s.stmts.Clear()
	_ = s.conn.SetDeadline(time.Time{})
	p.pooler.tasks.Go(func() { // closing waits for the network
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.lease.Conn().Close(ctx)
		s.lease.Release()
		now := time.Now()
		p.mu.Lock()
		p.busy--
		p.totals.Closed++
		p.open(now)
		p.mu.Unlock()
	})
	if p.pooler.config().LogDisconnections {
		p.pooler.log.Info().Str("database", p.key.Database).Str("user", p.key.User).Uint32("pid", s.pid).
			Str("reason", reason).Dur("age", time.Since(s.created)).Msg("server closed")
	}
}

// closeAll closes what is free, fails who waits, and closes what comes back.
func (p *Pool) closeAll(err *wire.Error) {
	p.mu.Lock()
	p.closed = true
	free := p.free
	p.free = nil
	p.busy += len(free)
	var lost []*waiter
	for w := p.queue.pop(); w != nil; w = p.queue.pop() {
		lost = append(lost, w)
	}
	p.mu.Unlock()
	for _, w := range lost {
		w.granted <- grant{err: err}
	}
	for _, s := range free {
		s.discard(reasonShutdown)
	}
}
