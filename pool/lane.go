package pool

import (
	"container/list"
	"net/netip"
	"time"
)

const (
	// laneTurns is how many have a turn in a lane at a time in which failures cost something: with the longest pause a guesser gets so many answers a second.
	laneTurns = 4
	// laneAtOnce is how many do in any other: the first volley of a guesser is no larger. Logins that succeed need a turn for a few milliseconds at most, with LDAP for as long as its server
	// takes.
	laneAtOnce = 64
)

// lane is where logins wait for the turn in which their proof is judged. It has no lock and no clock.
//
// While nobody fails it is first come, first served. Else who came last has the next turn, and by turns the one before him: a guesser who has many connections, and waits for their answers,
// has filled the lane, and comes again as fast as he is answered. Whoever else comes overtakes him, and is not left behind for good when one of his comes right afterwards. The first to
// come may never have their turn; by all that is known of them they are his.
type lane struct {
	failures int
	failed   time.Time // the last of them
	taken    int       // turns
	waiting  list.List // of *lanePlace, first come first
	second   bool      // the last turn was for the one before the last
}

// turns gives how many there may be at a time.
func (l *lane) turns(now time.Time) int {
	if l.failures > slowFree && now.Sub(l.failed) <= slowForget {
		return laneTurns
	}
	return laneAtOnce
}

// lanePlace is a login's in a lane, until it leaves.
type lanePlace struct {
	lane    *lane
	element *list.Element // in waiting
	granted chan struct{} // closed when it has a turn
}

// enter takes a place, which may have its turn at once.
func (l *lane) enter(now time.Time) *lanePlace {
	p := &lanePlace{lane: l, granted: make(chan struct{})}
	p.element = l.waiting.PushBack(p)
	l.grant(now)
	return p
}

// grant gives out the turns that there are.
func (l *lane) grant(now time.Time) {
	for l.taken < l.turns(now) && l.waiting.Len() > 0 {
		l.taken++
		close(l.waiting.Remove(l.next(now)).(*lanePlace).granted)
	}
}

// next gives the one of those who wait whose turn is next.
func (l *lane) next(now time.Time) *list.Element {
	if l.turns(now) == laneAtOnce {
		return l.waiting.Front()
	}
	last := l.waiting.Back()
	if l.second = !l.second; l.second && last.Prev() != nil {
		return last.Prev()
	}
	return last
}

// hasTurn tells whether it has its turn.
func (p *lanePlace) hasTurn() bool {
	select {
	case <-p.granted:
		return true
	default:
		return false
	}
}

// leave ends the wait, or the turn.
func (p *lanePlace) leave(now time.Time) {
	if !p.hasTurn() {
		p.lane.waiting.Remove(p.element)
		return
	}
	p.lane.taken--
	p.lane.grant(now)
}

// fail counts a failure, and gives the pause that it costs.
func (l *lane) fail(now time.Time) time.Duration {
	if now.Sub(l.failed) > slowForget {
		l.failures = 0
	}
	l.failures, l.failed = l.failures+1, now
	pause := time.Duration(0)
	for n := slowFree; n < l.failures && pause < slowMost; n++ {
		pause = min(max(2*pause, slowFirst), slowMost)
	}
	return pause
}

// laneKey is whose a lane is.
type laneKey struct {
	source netip.Prefix
	user   string // empty: everybody's from there
}

// lanes are those that were asked for last.
type lanes struct {
	byKey  map[laneKey]*list.Element
	recent *list.List // of *keyedLane, last asked for first
}

type keyedLane struct {
	key laneKey
	lane
}

func newLanes() lanes { return lanes{byKey: map[laneKey]*list.Element{}, recent: list.New()} }

// find gives a lane, nil when there is none.
func (s *lanes) find(key laneKey) *lane {
	e, ok := s.byKey[key]
	if !ok {
		return nil
	}
	s.recent.MoveToFront(e)
	return &e.Value.(*keyedLane).lane
}

// make gives a lane, which it makes where there is none. One that has to go for it is still used by those who are in it.
func (s *lanes) make(key laneKey) *lane {
	if l := s.find(key); l != nil {
		return l
	}
	if s.recent.Len() >= slowLanes {
		delete(s.byKey, s.recent.Remove(s.recent.Back()).(*keyedLane).key)
	}
	k := &keyedLane{key: key}
	s.byKey[key] = s.recent.PushFront(k)
	return &k.lane
}
