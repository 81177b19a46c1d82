package pool

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Who guesses passwords has to wait longer for each answer, and gets few at a time, however many connections he has.
//
// A right password is told at once, so that silence tells of a wrong one: it is the judging of proofs that has to be bounded. A proof waits for its turn in a lane. A lane in which nobody fails
// lets many be judged at once; one in which many have failed, a few, and each failure keeps its turn for a pause.
//
// All who come from an address share its lane. So that they do not suffer from a guesser among them, behind a balancer for one, a user who has logged in from there before has a second lane of
// his own there, in which nobody is in his way but who guesses the password of that very user, from that very address: he is judged in whichever lane it is his turn first. Those who
// fail are told in the shared lane's time whichever it was, so that the time does not tell who has a lane of his own.
//
// What remains: a first login from an address waits among the guesses there, and one of a user whose own password is guessed from there among those. Who came last is next (lane), so it
// overtakes a guesser who waits for his answers, in a fraction of a second. One who does not wait, and comes again a thousand times a second, keeps it waiting for seconds, or for good.
//
// There is nothing to set.
const (
	slowFree   = 3                     // failures of a lane that cost nothing: a person mistypes
	slowFirst  = 50 * time.Millisecond // pause of the next one; each pause is twice the one before
	slowMost   = time.Second           // the longest
	slowForget = time.Minute           // without a failure, after which a lane starts anew
	slowLook   = time.Second / 4       // how often it is seen whether clients that wait are still there
	slowLanes  = 4096                  // addresses, and users of addresses, that are remembered; the one that was asked for longest ago goes first
)

// slowdown has the lanes. It is safe for concurrent use. A nil slowdown holds nobody up: tests fail often.
type slowdown struct {
	mu     sync.Mutex
	shared lanes // an address each
	own    lanes // a user each, at an address that he has logged in from
}

func newSlowdown() *slowdown { return &slowdown{shared: newLanes(), own: newLanes()} }

// turn is a login's, from before its proof is judged. It ends with passed, failed or leave. A nil turn is one of a nil slowdown.
type turn struct {
	slow   *slowdown
	source netip.Prefix
	user   string
	gone   func() bool // tells whether the client is there no more
	shared *lanePlace
	own    *lanePlace // nil: the user has no lane of his own
}

// take waits until a proof of user's from source may be judged, until ctx ends at most, or the client has gone.
func (s *slowdown) take(ctx context.Context, source netip.Prefix, user string, gone func() bool) (*turn, error) {
	if s == nil {
		return nil, nil
	}
	t := &turn{slow: s, source: source, user: user, gone: gone}
	var own chan struct{}
	s.mu.Lock()
	t.shared = s.shared.make(laneKey{source: source}).enter(time.Now())
	if l := s.own.find(laneKey{source, user}); l != nil {
		t.own = l.enter(time.Now())
		own = t.own.granted
	}
	s.mu.Unlock()
	if err := t.await(ctx, own); err != nil {
		t.leave()
		return nil, err
	}
	return t, nil
}

// await waits for a turn in the shared lane, or until own is closed. A client that has gone is not waited for: it gets no proof judged, and takes no place in the lobby from others.
func (t *turn) await(ctx context.Context, own <-chan struct{}) error {
	select {
	case <-t.shared.granted:
		return nil
	case <-own:
		return nil
	default:
	}
	look := time.NewTicker(slowLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
			if t.gone() {
				return io.EOF
			}
			continue
		case <-t.shared.granted:
		case <-own:
		}
		if t.gone() {
			return io.EOF
		}
		return nil
	}
}

// passed ends the turn of a login that has proved its password.
func (t *turn) passed() {
	if t == nil {
		return
	}
	t.slow.mu.Lock()
	t.slow.own.make(laneKey{t.source, t.user})
	t.slow.mu.Unlock()
	t.leave()
}

// failed ends the turn of one that has not: it lasts for a pause, whether or not the login stays. It waits for the shared lane's turn, until ctx ends at most, and gives the pause before the
// login is told.
func (t *turn) failed(ctx context.Context) (pause time.Duration, _ error) {
	if t.own != nil {
		t.slow.fail(t.own)
	}
	if err := t.await(ctx, nil); err != nil {
		t.slow.leave(t.shared)
		return 0, err
	}
	return t.slow.fail(t.shared), nil
}

// leave ends a turn that has shown nothing.
func (t *turn) leave() {
	if t == nil {
		return
	}
	t.slow.leave(t.shared)
	if t.own != nil {
		t.slow.leave(t.own)
	}
}

func (s *slowdown) leave(p *lanePlace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.leave(time.Now())
}

// fail counts a failure in a lane, and gives the pause that it costs; if it has a turn there, that ends after it.
func (s *slowdown) fail(p *lanePlace) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := p.lane.fail(time.Now())
	if pause == 0 || !p.hasTurn() {
		p.leave(time.Now())
		return pause
	}
	time.AfterFunc(pause, func() { s.leave(p) })
	return pause
}

// refused holds up a login that has failed without a proof that could have been guessed: such a failure counts, and needs no turn.
func (s *slowdown) refused(ctx context.Context, source netip.Prefix) {
	if s == nil {
		return
	}
	s.mu.Lock()
	pause := s.shared.make(laneKey{source: source}).fail(time.Now())
	s.mu.Unlock()
	sleep(ctx, pause)
}

// sleep waits, until ctx ends at most.
func sleep(ctx context.Context, pause time.Duration) {
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
