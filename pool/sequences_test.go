package pool

import (
	"slices"
	"testing"

	"poolerd/wire"
)

// TestSequencesAheadOfAQuery: what throws strangers' values away ahead of a client's Query leaves no transaction open. PostgreSQL does from version 18 on
// when an Execute comes before a Query without a Sync between them.
func TestSequencesAheadOfAQuery(t *testing.T) {
	f := startFake(t)
	executed := false // the pool has one server
	f.hook = func(s *fakeSession, typ byte, _ []byte) bool {
		switch typ {
		case wire.ClientExecute:
			executed = true
		case wire.ClientSync:
			executed, s.status = false, wire.TxIdle
		case wire.ClientQuery:
			if executed {
				s.status = wire.TxActive
			}
		}
		return false
	}
	_, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	c.send(wire.AppendQuery(nil, "SELECT lastval()"))
	if got := c.replies(1); got != "CZI" {
		t.Errorf("a Query that asks for a sequence's value: %s", got)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.seen, "DISCARD SEQUENCES") {
		t.Errorf("strangers' values were not thrown away: %v", f.seen)
	}
}
