package pool

import (
	"slices"
	"time"
)

// obsolete tells why a server must not be used again, where the pool has so many in use and free; empty: it may be. The caller discards it then. The lock is held.
func (p *Pool) obsolete(s *Server, servers int, now time.Time) string {
	ends := p.ending.Load()
	switch {
	case p.closed:
		return reasonShutdown
	case p.hold == holdPaused:
		return reasonPause
	case ends != nil && p.queue.len == 0: // else somebody waits who may
		return ends.reason
	case p.closeNeeded(s):
		return reasonConfigChanged
	case servers+len(p.replicas)-p.surplus > p.conf.Size+p.conf.ReserveSize:
		p.surplus++
		s.surplus = true
		return reasonTooMany
	case !s.fresh && p.outlived(s, now):
		return reasonLifetime
	}
	s.fresh = false
	return ""
}

// closeNeeded tells whether the server goes as soon as its client gives it back: RECONNECT, settings that have changed, a name with other addresses or a user with another secret ask for
// another. The lock is held.
func (p *Pool) closeNeeded(s *Server) bool { return s.generation != p.generation || s.stale.Load() }

// outlived tells whether server_lifetime closes the server now: that is done one by one, lifetime divided by pool_size apart, so that not all have to be opened again at once. The lock is held.
func (p *Pool) outlived(s *Server, now time.Time) bool {
	life := p.conf.ServerLifetime
	if now.Sub(s.created) < life || now.Sub(p.lifeEnded) < life/time.Duration(max(p.conf.Size, 1)) {
		return false
	}
	p.lifeEnded = now
	return true
}

// aged tells why a free server is closed by the clock; empty: it stays. The lock is held.
func (p *Pool) aged(s *Server, servers int, now time.Time) string {
	if reason := p.obsolete(s, servers, now); reason != "" {
		return reason
	}
	idle := p.pooler.config().ServerIdleTimeout
	if idle > 0 && now.Sub(s.used) > idle && (p.conf.MinSize == 0 || servers > p.conf.MinSize) {
		return reasonIdleServer
	}
	return ""
}

// tend does what is due by the clock: servers that have ended or grown old go, the reserve opens, the least size is kept. ask: free servers are asked whether they still live.
func (p *Pool) tend(now time.Time, ask bool) {
	p.mu.Lock()
	if p.hold == holdSuspended { // nothing changes
		p.mu.Unlock()
		return
	}
	var ended []*Server
	var reasons []string
	servers := p.busy + len(p.free)
	p.free = slices.DeleteFunc(p.free, func(s *Server) bool {
		reason := p.aged(s, servers, now)
		if reason == "" && ask && !s.alive() {
			reason = reasonServerGone
		}
		if reason == "" {
			return false
		}
		if !s.surplus { // which obsolete counts
			servers--
		}
		ended, reasons = append(ended, s), append(reasons, reason)
		return true
	})
	p.busy += len(ended) // until they are closed
	p.open(now)
	p.mu.Unlock()
	for i, s := range ended {
		s.discard(reasons[i])
	}
}
