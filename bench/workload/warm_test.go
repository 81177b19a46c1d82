package workload

import (
	"testing"

	"poolerd/wire"
)

// TestWarm: after the flight no transaction parses anything, and a new connection begins anew.
func TestWarm(t *testing.T) {
	w, err := Builtin("postgrest")
	if err != nil {
		t.Fatal(err)
	}
	s := w.NewSession(0, 1, Prepared, nil)
	f, some := s.Warm(nil)
	if !some || f.Ready != 3 || parses(t, f.Data) < 12 {
		t.Fatalf("%v, %d ReadyForQuery, %d Parse", some, f.Ready, parses(t, f.Data))
	}
	for range 200 {
		if n := parsesOfTransaction(t, s); n != 0 {
			t.Fatalf("%s parses %d statements on a warm connection", s.current.tx.Name, n)
		}
	}
	if _, some := s.Warm(nil); some {
		t.Error("a warm connection is warmed again")
	}
	s.Disconnected()
	if n := parsesOfTransaction(t, s); n == 0 {
		t.Error("nothing is parsed on a new connection")
	}
	for _, p := range []Protocol{Unprepared, Simple} {
		if _, some := w.NewSession(0, 1, p, nil).Warm(nil); some {
			t.Errorf("there is something to prepare in %s", p)
		}
	}
}

// parsesOfTransaction runs one without errors.
func parsesOfTransaction(t *testing.T, s *Session) (n int) {
	t.Helper()
	s.Begin()
	var last Outcome
	for {
		f, more := s.Next(nil, last)
		if !more {
			return n
		}
		n += parses(t, f.Data)
		last = Outcome{Status: 'T'}
		if n := len(s.current.tx.steps); s.current.at >= n {
			last.Status = 'I'
		}
	}
}

func parses(t *testing.T, flight []byte) (n int) {
	t.Helper()
	for len(flight) > 0 {
		typ, size, ok := wire.Header(flight)
		if !ok || size > len(flight) {
			t.Fatal("no whole message")
		}
		if typ == wire.ClientParse {
			n++
		}
		flight = flight[size:]
	}
	return n
}
