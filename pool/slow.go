package pool

import (
	"container/list"
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Who guesses passwords has to wait longer for each answer. Only a login that fails waits, after its proof was read and before it is told: one that succeeds is never held up, however many
// others from the same address fail, so that a balancer or a host of many applications is not harmed by one of them. There is nothing to set.
const (
	slowFree    = 3                     // failures of an address that cost nothing: a person mistypes
	slowFirst   = 50 * time.Millisecond // pause of the next one; each pause is twice the one before
	slowMost    = time.Second           // the longest
	slowForget  = time.Minute           // without a failure, after which an address starts anew
	slowSources = 4096                  // addresses that are remembered; the one whose last failure is oldest goes first
)

// slowdown counts the failures of each address. It is safe for concurrent use.
type slowdown struct {
	mu      sync.Mutex
	sources map[netip.Prefix]*list.Element
	recent  *list.List // of *failures, last failed first
}

// failures are those of one address.
type failures struct {
	source netip.Prefix
	count  int
	last   time.Time
}

func newSlowdown() *slowdown {
	return &slowdown{sources: map[netip.Prefix]*list.Element{}, recent: list.New()}
}

// wait holds a failed login up, until ctx ends at most. A nil slowdown holds nobody up: tests fail often.
func (s *slowdown) wait(ctx context.Context, addr net.Addr) {
	if s == nil {
		return
	}
	pause := s.failed(sourceOf(addr), time.Now())
	if pause == 0 {
		return
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// failed counts a failure, and gives the pause that it costs.
func (s *slowdown) failed(addr netip.Addr, now time.Time) time.Duration {
	source := network(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.sources[source]
	if ok {
		s.recent.MoveToFront(e)
	} else {
		if s.recent.Len() >= slowSources {
			oldest := s.recent.Remove(s.recent.Back()).(*failures)
			delete(s.sources, oldest.source)
		}
		e = s.recent.PushFront(&failures{source: source})
		s.sources[source] = e
	}
	f := e.Value.(*failures)
	if now.Sub(f.last) > slowForget {
		f.count = 0
	}
	f.count, f.last = f.count+1, now
	pause := time.Duration(0)
	for n := slowFree; n < f.count && pause < slowMost; n++ {
		pause = min(max(2*pause, slowFirst), slowMost)
	}
	return pause
}

// network is what counts as one source: an address, of IPv6 the 64 bits that one subscriber has. All Unix sockets are one.
func network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// sourceOf gives the address at the other end; the zero Addr of a Unix socket.
func sourceOf(addr net.Addr) netip.Addr {
	if t, ok := addr.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
