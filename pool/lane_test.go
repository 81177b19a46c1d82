package pool

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// TestLaneFailures: each failure costs more, up to a limit, and time heals.
func TestLaneFailures(t *testing.T) {
	var l lane
	now := time.Unix(1000, 0)
	var pauses []time.Duration
	for range 12 {
		pauses = append(pauses, l.fail(now))
	}
	for i, pause := range pauses {
		switch {
		case i < slowFree && pause != 0:
			t.Errorf("failure %d costs %v", i+1, pause)
		case i == slowFree && pause != slowFirst:
			t.Errorf("the first that costs is %v", pause)
		case i > slowFree && pause != min(2*pauses[i-1], slowMost):
			t.Errorf("failure %d costs %v after %v", i+1, pause, pauses[i-1])
		}
	}
	if last := pauses[len(pauses)-1]; last != slowMost {
		t.Errorf("the longest pause is %v", last)
	}
	if pause := l.fail(now.Add(slowForget + time.Second)); pause != 0 {
		t.Errorf("after a time without failures: %v", pause)
	}
}

// TestLaneTurns: after failures a few have a turn, who came last first, and who gives up takes none from others.
func TestLaneTurns(t *testing.T) {
	var l lane
	now := time.Unix(1000, 0)
	var places []*lanePlace
	enter := func(n int) {
		for range n {
			places = append(places, l.enter(now))
		}
	}
	wants := func(what string, turns ...int) {
		t.Helper()
		var have []int
		for i, p := range places {
			if p.hasTurn() {
				have = append(have, i)
			}
		}
		if !slices.Equal(have, turns) {
			t.Errorf("%s: turns of %v, want %v", what, have, turns)
		}
	}
	enter(laneAtOnce + 2)
	if !places[laneAtOnce-1].hasTurn() || places[laneAtOnce].hasTurn() {
		t.Error("a clean lane has other turns than it should")
	}
	places[0].leave(now)
	if !places[laneAtOnce].hasTurn() || places[laneAtOnce+1].hasTurn() {
		t.Error("the turn that has come free in a clean lane is not the first one's")
	}
	for _, p := range places[1:] {
		p.leave(now)
	}
	if l.taken != 0 {
		t.Fatalf("%d turns are left", l.taken)
	}
	for range slowFree + 1 {
		l.fail(now)
	}
	places = nil
	enter(laneTurns + 4)
	wants("after failures", 0, 1, 2, 3)
	l.second = true // the next is the last
	places[0].leave(now)
	wants("the last", 0, 1, 2, 3, 7)
	places[1].leave(now)
	wants("the one before the last", 0, 1, 2, 3, 5, 7)
	places[6].leave(now) // gives up
	places[2].leave(now)
	wants("the last that is left", 0, 1, 2, 3, 4, 5, 7)
	for _, i := range []int{3, 4, 5, 7} {
		places[i].leave(now)
	}
	if l.taken != 0 || l.waiting.Len() != 0 {
		t.Errorf("%d turns and %d who wait are left", l.taken, l.waiting.Len())
	}
	now = now.Add(slowForget + time.Second)
	places = nil
	enter(laneTurns + 1)
	wants("when the failures are forgotten", 0, 1, 2, 3, 4)
}

// TestLanes: there is a bound to those that are remembered, and the one that was not used for longest goes.
func TestLanes(t *testing.T) {
	s := newLanes()
	key := func(i int) laneKey {
		return laneKey{source: network(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))}
	}
	first := s.make(key(0))
	for i := range slowLanes {
		s.make(key(i))
		s.make(key(0))
	}
	s.make(key(slowLanes))
	if len(s.byKey) != slowLanes || s.recent.Len() != slowLanes {
		t.Errorf("%d and %d are remembered", len(s.byKey), s.recent.Len())
	}
	if s.find(key(0)) != first || s.find(key(1)) != nil || s.find(key(slowLanes)) == nil {
		t.Error("another one went")
	}
}

// TestNetwork: a subscriber's IPv6 addresses are one source.
func TestNetwork(t *testing.T) {
	of := func(addr string) netip.Prefix { return network(netip.MustParseAddr(addr)) }
	if of("2001:db8:0:1::1") != of("2001:db8:0:1::2") || of("2001:db8:0:1::1") == of("2001:db8:0:2::1") || of("192.0.2.1") == of("192.0.2.2") {
		t.Error("sources are told apart otherwise")
	}
	if network(netip.Addr{}) != (netip.Prefix{}) {
		t.Error("Unix sockets are not one source")
	}
}
