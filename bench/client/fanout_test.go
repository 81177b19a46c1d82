package client

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"poolerd/bench/workload"
)

// announced is a spoken session that notifies.
type announced struct {
	*spoken
	n int
}

func (a *announced) Channel() string { return `a "channel"` }
func (a *announced) Payload() string { return fmt.Sprint(a.n) }

func (a *announced) Next(dst []byte, last workload.Outcome) (workload.Flight, bool) {
	if a.at == len(a.flights)-1 { // as a script: the number is counted up on the way
		a.n++
		a.flights[a.at] = query(fmt.Sprintf(`select pg_notify('a "channel"', '%d')`, a.n))
	}
	return a.spoken.Next(dst, last)
}

func newAnnounced() *announced { return &announced{spoken: say(query("select 1"), workload.Flight{})} }

// TestFanout: a transaction lasts until all listeners have heard of it, whatever became of the one before.
func TestFanout(t *testing.T) {
	s := newAnnounced()
	c := open(t, Options{URL: cluster(t).URL("postgres", "postgres") + "&application_name=fanout", Session: s, Listeners: 10})
	for i := range 50 {
		if d := c.Run(t.Context()); d.Code != "" {
			t.Fatalf("%d: %+v", i, d)
		}
	}
	if _, err := cluster(t).Psql(t.Context(), "postgres", "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'fanout'"); err != nil {
		t.Fatal(err)
	}
	lost := 0
	for range 3 {
		if d := c.Run(t.Context()); d.Code == "lost" {
			lost++
		} else if d.Code != "" {
			t.Errorf("%+v", d)
		}
	}
	if lost == 0 || lost == 3 {
		t.Errorf("%d of 3 transactions lost after all connections were", lost)
	}
}

// TestUndelivered: listeners that hear nothing are told of, in number.
func TestUndelivered(t *testing.T) {
	var mu sync.Mutex
	var listeners []*fakeSession
	f := startFake(t, false, func(s *fakeSession) {
		for {
			q, ok := s.flight()
			if !ok {
				return
			}
			mu.Lock()
			if strings.HasPrefix(q, "LISTEN") {
				listeners = append(listeners, s)
			}
			if _, payload, notify := strings.Cut(q, `', '`); notify {
				payload = strings.TrimSuffix(payload, "')")
				for _, l := range listeners[:2] {
					l.answer(notification(payload))
				}
			}
			mu.Unlock()
			if !s.answer(done) {
				return
			}
		}
	})
	c := open(t, Options{URL: f.url(), Session: newAnnounced(), Listeners: 5, hearing: 100 * time.Millisecond})
	for range 2 {
		d := c.Run(t.Context())
		if d.Code != "undelivered" || d.Text != "3 of 5 listeners heard nothing within 100ms" {
			t.Errorf("%+v", d)
		}
	}
}

func TestNotAnAnnouncer(t *testing.T) {
	if _, err := Open(t.Context(), Options{URL: refusing(t), Session: say(), Listeners: 1}); err == nil || !strings.Contains(err.Error(), "channel") {
		t.Errorf("%v", err)
	}
}
