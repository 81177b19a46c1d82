package pool

import (
	"context"
	"time"

	"poolerd/wire"
)

// openAtOnce bounds the connections that one pool opens at a time.
const openAtOnce = 4

// purpose is what a server is opened for.
type purpose uint8

const (
	forNothing purpose = iota
	forClient          // within pool_size
	forReserve         // a client that has waited for reserve_pool_timeout
	forMinimum         // min_pool_size
)

// demand is what decides whether a pool opens one more server.
type demand struct {
	size, reserve, least int  // pool_size, reserve_pool_size, min_pool_size
	servers              int  // in use, free and being opened
	opening              int  // of these, being opened
	waiting              int  // clients in the queue
	overdue              bool // the first of them has waited for reserve_pool_timeout
	wanted               bool // the least number is kept: the pool stays, and has clients or a database with a user of its own
}

// next gives what the next server is for.
func (d demand) next() purpose {
	switch {
	case d.waiting > d.opening && d.servers < d.size:
		return forClient
	case d.waiting > d.opening && d.servers < d.size+d.reserve && d.overdue:
		return forReserve
	case d.wanted && d.servers < min(d.least, d.size):
		return forMinimum
	}
	return forNothing
}

// demand gives the pool's. The lock is held.
func (p *Pool) demand(now time.Time) demand {
	d := demand{
		size: p.conf.Size, reserve: p.conf.ReserveSize, least: p.conf.MinSize, servers: p.occupied() + p.promised(), opening: p.opening, waiting: p.queue.len,
		wanted: p.ending.Load() == nil && (p.totals.Clients > 0 || p.conf.Database.User != ""),
	}
	if w := p.queue.first; w != nil && p.conf.ReserveTimeout > 0 {
		d.overdue = now.Sub(w.since) >= p.conf.ReserveTimeout
	}
	return d
}

// open starts opening servers for the clients that wait and for the least size, as far as the limits allow. The lock is held.
func (p *Pool) open(now time.Time) {
	if p.closed || p.hold != holdNothing {
		p.pooler.shares.sated(p) // no server of another pool goes for one that could not be opened
		return
	}
	most := openAtOnce
	if p.outage.on() {
		most = 1
	}
	if p.queue.len == 0 {
		p.pooler.shares.sated(p)
	}
	for p.opening < most && p.outage.due(now) {
		why := p.demand(now).next()
		if why == forNothing {
			break
		}
		if p.pooler.shares.take(p, p.conf, why != forMinimum) != noLimit {
			if why != forMinimum {
				p.pooler.tasks.Go(p.makeRoom)
			}
			break
		}
		p.launch(why)
	}
}

// launch begins to open a server, whose share has been taken. The lock is held.
func (p *Pool) launch(why purpose) {
	p.opening++
	attempt := p.attempts.begin(p.pooler.life)
	p.pooler.tasks.Go(func() { p.openOne(attempt, why) })
}

// openPromised opens the server for which another pool's was evicted, also when the client that it was for has been served meanwhile: else the limit would not be used.
func (p *Pool) openPromised() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	d := p.demand(now)
	if !p.closed && p.hold == holdNothing && d.servers < d.size && p.outage.due(now) && p.pooler.shares.take(p, p.conf, false) == noLimit {
		p.launch(forClient)
	}
}

// attempts are the connections being opened, which end together when the pool is paused. The zero value has none. The pool's lock guards it.
type attempts struct {
	ctx context.Context
	end context.CancelFunc
}

// begin gives the context of one more.
func (a *attempts) begin(life context.Context) context.Context {
	if a.ctx == nil {
		a.ctx, a.end = context.WithCancel(life)
	}
	return a.ctx
}

// abandon ends all of them.
func (a *attempts) abandon() {
	if a.end != nil {
		a.end()
	}
	*a = attempts{}
}

// openOne opens one server, and gives it to the client that has waited longest.
func (p *Pool) openOne(attempt context.Context, why purpose) {
	if why == forReserve {
		p.pooler.log.Warn().Str("database", p.key.Database).Str("user", p.key.User).Msg("taking connection from reserve_pool")
	}
	s, err := p.connect(attempt)
	if err != nil {
		p.pooler.giveShare(p.key)
	}
	defer p.pooler.changed.ring()
	now := time.Now()
	p.mu.Lock()
	p.opening--
	switch {
	case err != nil && attempt.Err() != nil && p.pooler.life.Err() == nil: // it was abandoned, which says nothing about PostgreSQL
		p.open(now)
		p.mu.Unlock()
		return
	case err != nil:
		p.failed(err, now)
		return
	}
	p.outage.over()
	p.busy++
	p.mu.Unlock()
	s.fresh = true
	p.release(s, now)
	p.mu.Lock()
	p.open(now)
	p.mu.Unlock()
}

// failed deals with a connection that could not be opened: the lock is held, and is given back.
func (p *Pool) failed(err *wire.Error, now time.Time) {
	again := p.outage.failed(err, now, p.pooler.config().ServerLoginRetry)
	var lost []*waiter
	if p.outage.hopeless(now) && (p.outage.down() || !p.mayComeFree()) {
		lost = p.queue.takeAll(!p.outage.final())
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
	if p.hold != holdNothing || !p.outage.down() && p.mayComeFree() || p.opening > 0 || p.outage.due(now) || !p.outage.hopeless(now) {
		return nil
	}
	return p.outage.cached()
}

// mayComeFree tells whether a server that a client has may serve another one after it. One that is to be closed then is not worth waiting for. The lock is held.
func (p *Pool) mayComeFree() bool {
	if p.busy == 0 {
		return false
	}
	for s := range p.servers {
		if !p.closeNeeded(s) {
			return true
		}
	}
	return false
}

// outageError is why no server can be opened, nil when that is not so.
func (p *Pool) outageError() *wire.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.outage.err
}
