package pool

import (
	"slices"
	"time"
)

// Eviction: under max_db_connections and max_user_connections an idle server of one pool is closed so that the clients of another, who wait, get one.

// makeRoom closes the server that has been idle for longest among those whose end gives p a place. The pool opens its own when that one is gone.
func (p *Pool) makeRoom() {
	shares := &p.pooler.shares
	limit, ok := shares.feed(p)
	if !ok {
		return
	}
	for {
		from := p.pooler.longestIdle(p, limit)
		if from == nil {
			shares.unfeed(p)
			return
		}
		from.mu.Lock()
		s := from.takeOldest()
		from.mu.Unlock()
		if s != nil {
			s.discard(reasonEvicted)
			return
		}
	}
}

// longestIdle finds the pool with the server that has been idle for longest, nil when there is none.
func (p *Pooler) longestIdle(hungry *Pool, why limit) *Pool {
	var from *Pool
	var since time.Time
	for _, pool := range p.allPools() {
		if pool == hungry || !why.frees(hungry.key, pool.key) {
			continue
		}
		pool.mu.Lock()
		if len(pool.free) > 0 && (from == nil || pool.free[0].used.Before(since)) {
			from, since = pool, pool.free[0].used
		}
		pool.mu.Unlock()
	}
	return from
}

// takeOldest takes the free server that was used longest ago, which is the first in either order of use; nil when there is none. The lock is held.
func (p *Pool) takeOldest() *Server {
	if len(p.free) == 0 {
		return nil
	}
	s := p.free[0]
	p.free = slices.Delete(p.free, 0, 1)
	p.busy++
	return s
}
