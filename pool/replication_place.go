package pool

import (
	"context"
	"fmt"
	"slices"
	"time"

	"poolerd/wire"
)

// Replication clients share pool_size with the others, as in PgBouncer, though their servers go from hand to hand never. One that finds its pool full waits, first come first served among all who
// wait, and a server that is idle, or comes free before anyone's turn who has waited longer, is closed for it.

// seeker is a replication client that waits for a place in its pool.
type seeker struct{ since time.Time }

// occupied counts the places of the pool that are taken: by servers, those being opened, and replication's. The lock is held.
func (p *Pool) occupied() int { return p.busy + len(p.free) + p.opening + len(p.replicas) }

// promised counts the places that seekers will have before the first client in the queue. The lock is held.
func (p *Pool) promised() int {
	first := p.queue.first
	n := 0
	for _, s := range p.seekers {
		if first == nil || s.since.Before(first.since) {
			n++
		}
	}
	return n
}

// lacking counts the places that are promised, and neither there nor being made. The lock is held.
func (p *Pool) lacking() int { return p.promised() - max(0, p.conf.Size-p.occupied()) - p.yielding }

// yield marks a server that is to be discarded for a seeker. The lock is held.
func (p *Pool) yield(s *Server) {
	p.yielding++
	s.yields = true
}

// yieldFree takes the free servers that go for seekers, to be discarded when the lock, which is held, has been given back.
func (p *Pool) yieldFree() (going []*Server) {
	for p.lacking() > 0 && len(p.free) > 0 {
		going = append(going, p.yieldOldest())
	}
	return going
}

// yieldOldest takes the free server that was used longest ago, of which there is one. The lock is held.
func (p *Pool) yieldOldest() *Server {
	s := p.takeOldest()
	p.yield(s)
	return s
}

// awaitPlace waits until pool_size and the limits of the database and of the user leave room for one more server, and the pool is not paused: for query_wait_timeout at most, and as long as the
// login may take.
func (p *Pool) awaitPlace(c *Client) *wire.Error {
	conf := p.pooler.config()
	late := wire.Fatalf(wire.CodeProtocolViolation, reasonQueueWait)
	late.Detail = fmt.Sprintf("no server for replication for %v (PAUSE, pool_size, max_db_connections or max_user_connections)", conf.QueryWaitTimeout)
	limit := conf.QueryWaitTimeout
	if left := conf.ClientLoginTimeout - time.Since(c.began); conf.ClientLoginTimeout > 0 && (limit == 0 || left < limit) {
		limit = max(left, 1)
		late = wire.Fatalf(wire.CodeCannotConnectNow, reasonLoginAbandoned)
	}
	ctx, stop := p.pooler.life, context.CancelFunc(func() {})
	if limit > 0 {
		ctx, stop = context.WithTimeout(ctx, limit)
	}
	defer stop()
	me := &seeker{since: time.Now()}
	p.mu.Lock()
	p.seekers = append(p.seekers, me)
	p.mu.Unlock()
	doomed := false
	if p.pooler.await(ctx, func() bool {
		doomed = c.doom.Load() != nil
		return doomed || p.takePlace(c, me)
	}) && !doomed {
		return nil
	}
	p.giveUp(me)
	switch d := c.doom.Load(); {
	case d != nil && d.err != nil:
		return d.err
	case d != nil || p.pooler.life.Err() != nil:
		return errShutdown()
	}
	return late
}

// takePlace takes a place for the replication server of c, if it is me's turn and there is one. Else an idle server is closed for it, of this pool by preference.
func (p *Pool) takePlace(c *Client, me *seeker) bool {
	p.mu.Lock()
	if p.closed || p.hold != holdNothing {
		p.mu.Unlock()
		return false
	}
	var going []*Server
	taken := false
	turn := slices.Index(p.seekers, me)
	switch {
	case turn >= p.conf.Size-p.occupied() || p.queue.first != nil && p.queue.first.since.Before(me.since):
		going = p.yieldFree()
	case p.pooler.shares.take(p, p.conf, true) == noLimit:
		taken = true
		p.seekers = slices.Delete(p.seekers, turn, turn+1)
		p.replicas[c] = p.generation
	case p.yielding > 0: // its end makes room under the other limits too
	case len(p.free) > 0:
		going = []*Server{p.yieldOldest()}
	default:
		p.pooler.tasks.Go(p.makeRoom)
	}
	p.mu.Unlock()
	for _, s := range going {
		s.discard(reasonEvicted)
	}
	return taken
}

// giveUp ends a seeker's wait. What was kept for it may be had by others.
func (p *Pool) giveUp(me *seeker) {
	p.pooler.shares.sated(p)
	p.mu.Lock()
	p.seekers = slices.DeleteFunc(p.seekers, func(s *seeker) bool { return s == me })
	p.open(time.Now())
	p.mu.Unlock()
	p.pooler.changed.ring()
}

// leavePlace gives the place of a replication server back.
func (p *Pool) leavePlace(c *Client) {
	p.mu.Lock()
	delete(p.replicas, c)
	p.mu.Unlock()
	p.pooler.giveShare(p.key)
	p.retry()
	p.pooler.changed.ring()
}
