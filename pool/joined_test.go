package pool

import (
	"testing"

	"poolerd/wire"
)

// TestJoinedTransaction: a Query behind messages that wait for a Sync may leave a transaction on its server that PostgreSQL 18 does not tell of, so nobody else
// gets that server. What a deferred BEGIN puts ahead of a Query is no such thing.
func TestJoinedTransaction(t *testing.T) {
	execute := wire.AppendExecute(wire.AppendBind(wire.AppendParse(nil, "", wire.ParseTail("SELECT 1")), "", ""), "")
	call := []byte{wire.ClientFunctionCall, 0, 0, 0, 14, 0, 0, 2, 203, 0, 0, 0, 0, 0, 0}
	for _, c := range []struct {
		name    string
		flight  []byte
		replies string
		servers int64
	}{
		{"a Query behind an Execute", wire.AppendQuery(execute, "SELECT 2"), "12CCZI", 2},
		{"a FunctionCall behind an Execute", append(execute[:len(execute):len(execute)], call...), "12CVZI", 2},
		{"a Query behind a Sync", wire.AppendQuery(wire.AppendEmpty(execute[:len(execute):len(execute)], wire.ClientSync), "SELECT 2"), "12CZICZI", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := startFake(t)
			f.hook = func(s *fakeSession, typ byte, _ []byte) bool {
				if typ == wire.ClientFunctionCall {
					s.out = append(s.out, wire.ServerFunctionCallResponse, 0, 0, 0, 8, 255, 255, 255, 255)
					s.ready()
					return true
				}
				return false
			}
			_, addr := startPooler(t, f.url(), nil)
			one, other := logIn(t, addr), logIn(t, addr)
			one.send(wire.AppendQuery(nil, "BEGIN"))
			one.replies(1)
			one.send(wire.AppendQuery(wire.AppendQuery(nil, "SELECT 1"), "COMMIT"))
			one.replies(2)
			one.send(c.flight)
			syncs := 1
			if c.servers == 1 {
				syncs = 2
			}
			if got := one.replies(syncs); got != c.replies {
				t.Errorf("the client hears %s, want %s", got, c.replies)
			}
			if got := other.query("SELECT 3"); got != "CZI" {
				t.Errorf("another client hears %s", got)
			}
			if n := f.logins.Load(); n != c.servers {
				t.Errorf("%d servers, want %d", n, c.servers)
			}
		})
	}
}
