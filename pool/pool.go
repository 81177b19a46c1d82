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

// probeAfter is how long a server may have been free without being asked whether it still lives.
const probeAfter = 5 * time.Millisecond

// Key names a pool.
type Key struct{ Database, User string }

// Pool holds the servers of one database and user, and the clients that wait for one. A server passes from client to client here; pgxpool
// sees it only when it is opened and closed. The lock is held for a few instructions, never across I/O.
type Pool struct {
	key     Key
	auto    bool        // the database is one of the fallback entry's
	asks    atomic.Bool // it is auth_user's, where the database forces another user on its clients
	pooler  *Pooler
	space   *vars.Space
	watched *watched      // what is known of the database
	readers sync.Map      // application names that ask for currval
	read    atomic.Bool   // there are any
	plans   atomic.Uint64 // grows when a server refused a prepared statement after a DDL

	ending    atomic.Pointer[ending] // why its clients have to go; nil: they have not
	suspended atomic.Bool            // hold is holdSuspended: for those who would not ask for a server
	thawed    atomic.Int64           // when SUSPEND last ended, in nanoseconds since 1970: limits of time count from then

	mu         sync.Mutex
	touched    time.Time // when a client last asked for the pool
	visitors   int       // who has been given the pool, and not parted with it yet
	pg         *pgxpool.Pool
	password   config.Secret
	offered    Credentials // by logins of its user
	secrets    int         // how often that was another secret than before
	generation int         // of pg: RECONNECT and a reload replace it
	conf       config.Pool
	hold       hold
	attempts   attempts
	free       []*Server // given back last at the end
	busy       int       // servers that clients have
	opening    int       // being opened
	queue      queue     // clients that wait for a server
	frozen     queue     // clients that have one, and wait for the end of SUSPEND
	outage     outage
	host       int // of the database's, is tried next
	closed     bool
	lifeEnded  time.Time            // when server_lifetime last closed a server
	servers    map[*Server]struct{} // all that are open
	replicas   map[*Client]int      // clients with a server for replication, and the generation of that
	seekers    []*seeker            // replication clients that wait for a place, longest first
	yielding   int                  // servers that are being closed for them
	surplus    int                  // servers that are being closed because there are too many: they are not counted again when the next one comes free
	totals     metrics.Totals
	marks      marks // of totals
}

// ending is why the clients of a pool have to go as soon as they are in no transaction.
type ending struct {
	reason   string
	err      *wire.Error
	sessions bool // also those that keep their server between transactions
}

// settings gives the effective settings, which a reload changes.
func (p *Pool) settings() config.Pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conf
}

// acquire gives a server to c, which waits for one if it must. The error is for the client.
func (p *Pool) acquire(c *Client) (*Server, *wire.Error) {
	if e := p.ending.Load(); e != nil && c.block != blockDeferred {
		c.end(e.reason, e.err)
		return nil, e.err
	}
	for {
		p.mu.Lock()
		s := p.take(c)
		if s == nil {
			break
		}
		p.mu.Unlock()
		if !p.usable(s) {
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
	w.anew()
	p.queue.push(w)
	p.open(now)
	p.mu.Unlock()
	c.setState(StateWaiting)
	if d := c.doom.Load(); d != nil { // it may have looked before we were waiting
		p.withdraw(w, d.err)
	}
	g := c.awaitGrant()
	if g.server == nil && g.err == nil {
		g.err = errShutdown() // withdrawn without a word: the client has gone
	}
	return g.server, g.err
}

// take gives a free server when nobody waits: of the few used last one that has the client's session parameters, else the last. A client of sequences gets the one that
// it had before.
func (p *Pool) take(c *Client) *Server {
	n := len(p.free)
	if n == 0 || p.queue.len > 0 || p.closed || p.hold != holdNothing {
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
		p.pooler.log.Error().Uint64("server", s.id).Str("database", p.key.Database).Msg("a server that is not idle was to be given back: it is closed")
		s.discard(reasonDoubt)
		return
	}
	if s.joined {
		s.discard(reasonJoined)
		return
	}
	if p.pooler.released != nil {
		p.pooler.released(s)
	}
	p.mu.Lock()
	if reason := p.obsolete(s, p.busy+len(p.free), now); reason != "" {
		p.mu.Unlock()
		s.discard(reason)
		return
	}
	if len(p.seekers) > 0 && p.hold == holdNothing && p.lacking() > 0 {
		p.yield(s)
		p.mu.Unlock()
		s.discard(reasonEvicted)
		return
	}
	s.used = now
	var w *waiter
	if p.hold == holdNothing {
		w = p.queue.pop()
	}
	if w == nil {
		if p.pooler.shares.claimed(p) {
			p.mu.Unlock()
			s.discard(reasonEvicted)
			return
		}
		p.busy--
		p.free = append(p.free, s)
		p.mu.Unlock()
		return
	}
	p.account(w, now)
	p.mu.Unlock()
	w.granted <- grant{server: s}
}

// account adds a wait that ends with a server. The lock is held.
func (p *Pool) account(w *waiter, now time.Time) {
	p.totals.Waits++
	p.totals.WaitTime += now.Sub(w.since)
}

// withdraw takes a waiting client out of the queue, which ends its wait with err. One whose wait has ended already is left alone.
func (p *Pool) withdraw(w *waiter, err *wire.Error) {
	p.mu.Lock()
	was := p.queue.remove(w) || p.frozen.remove(w)
	sought := len(p.seekers) > 0
	p.mu.Unlock()
	if sought {
		p.pooler.changed.ring() // it may be their turn
	}
	if was {
		w.granted <- grant{err: err}
	}
}

// discard closes a server that its holder has, and tells the pool that there is room.
func (s *Server) discard(reason string) {
	p := s.pool
	s.pipe.Reset()
	s.stmts.Clear()
	_ = s.conn.SetDeadline(noDeadline)
	s.logClosing(reason)
	p.pooler.tasks.Go(func() { // closing waits for the network
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		_ = s.lease.Conn().Close(ctx)
		s.lease.Release()
		p.mu.Lock()
		delete(p.servers, s)
		p.busy--
		if s.yields {
			p.yielding--
		}
		if s.surplus {
			p.surplus--
		}
		p.totals.Closed++
		p.mu.Unlock()
		p.pooler.giveShare(p.key)
		p.retry()
		p.pooler.changed.ring()
	})
}

// giveShare gives the place of a server of a database and user back, and lets the pools open one that lacked it.
func (p *Pooler) giveShare(k Key) {
	next, promised := p.shares.give(k)
	if promised != nil {
		promised.openPromised()
	}
	for _, pool := range next {
		pool.retry()
	}
}

// closeAll closes what is free, fails who waits, and closes what comes back.
func (p *Pool) closeAll(err *wire.Error) {
	p.mu.Lock()
	p.closed = true
	free := p.takeFree()
	var lost []*waiter
	for _, q := range []*queue{&p.queue, &p.frozen} {
		for w := q.pop(); w != nil; w = q.pop() {
			lost = append(lost, w)
		}
	}
	p.mu.Unlock()
	for _, w := range lost {
		w.granted <- grant{err: err}
	}
	for _, s := range free {
		s.discard(reasonShutdown)
	}
}

// takeFree takes all free servers, to be discarded by the caller when it has given the lock back.
func (p *Pool) takeFree() []*Server {
	free := p.free
	p.free = nil
	p.busy += len(free)
	return free
}
