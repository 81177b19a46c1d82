package pool

import (
	"testing"

	"poolerd/pool/config"
)

func TestDemand(t *testing.T) {
	for _, test := range []struct {
		name string
		demand
		want purpose
	}{
		{"nobody waits", demand{size: 5}, forNothing},
		{"somebody waits", demand{size: 5, servers: 4, waiting: 1}, forClient},
		{"a server is on its way", demand{size: 5, servers: 2, opening: 1, waiting: 1}, forNothing},
		{"one is on its way for two", demand{size: 5, servers: 2, opening: 1, waiting: 2}, forClient},
		{"full", demand{size: 5, servers: 5, waiting: 3}, forNothing},
		{"full, not long enough", demand{size: 5, reserve: 2, servers: 5, waiting: 3}, forNothing},
		{"full, long enough", demand{size: 5, reserve: 2, servers: 5, waiting: 3, overdue: true}, forReserve},
		{"reserve used up", demand{size: 5, reserve: 2, servers: 7, waiting: 3, overdue: true}, forNothing},
		{"no reserve", demand{size: 5, servers: 5, waiting: 3, overdue: true}, forNothing},
		{"least", demand{size: 5, least: 3, servers: 2, wanted: true}, forMinimum},
		{"least reached", demand{size: 5, least: 3, servers: 3, wanted: true}, forNothing},
		{"least of nobody", demand{size: 5, least: 3, servers: 2}, forNothing},
		{"least over size", demand{size: 2, least: 3, servers: 2, wanted: true}, forNothing},
		{"a client goes before the least", demand{size: 5, least: 3, servers: 2, waiting: 1, wanted: true}, forClient},
	} {
		if got := test.next(); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestShares(t *testing.T) {
	pool := func(database, user string) *Pool { return &Pool{key: Key{database, user}} }
	a, b, other := pool("d", "a"), pool("d", "b"), pool("e", "a")
	conf := config.Pool{MaxDBConnections: 2, MaxUserConnections: 2}
	s := newShares()
	take := func(p *Pool, want limit) {
		t.Helper()
		if got := s.take(p, conf, true); got != want {
			t.Errorf("%v: limit %d, want %d", p.key, got, want)
		}
	}
	take(a, noLimit)
	take(a, noLimit)
	take(b, databaseLimit)
	take(other, userLimit)
	if s.hungry.Load() != 2 {
		t.Errorf("%d pools wait, want 2", s.hungry.Load())
	}
	for i, want := range []bool{true, true, false} {
		if got := s.claimed(a); got != want {
			t.Errorf("server %d of a goes for one that waits: %v, want %v", i, got, want)
		}
	}
	if next, promised := s.give(a.key); len(next) != 2 || next[0] != b || next[1] != other || promised != b {
		t.Errorf("next are %v, promised to %v", next, promised)
	}
	take(b, noLimit)
	if s.claimed(b) {
		t.Error("the end of a server of b is of no use to a's user elsewhere")
	}
	take(other, noLimit)
	if s.hungry.Load() != 0 || s.claimed(a) {
		t.Error("nobody waits any more")
	}
	take(b, databaseLimit)
	s.sated(b)
	if s.claimed(a) {
		t.Error("b's clients have gone")
	}
	for _, p := range []*Pool{a, b, other} {
		s.give(p.key)
	}
	if d, u := s.of("d", "a"); d != 0 || u != 0 || len(s.database)+len(s.user) != 0 {
		t.Errorf("left over: %v, %v", s.database, s.user)
	}
}
