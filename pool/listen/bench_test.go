package listen

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// crowd makes a Hub, without a server, whose Members all listen to the channel "x".
func crowd(tb testing.TB, n int) (*Hub, []*Member) {
	tb.Helper()
	h := New(Options{})
	tb.Cleanup(h.Close)
	members := make([]*Member, n)
	for i := range members {
		members[i] = h.Join(func() {}, nil)
		h.mu.Lock()
		c := h.roster.ask("x")
		c.told = true
		h.roster.add(&members[i].listener, c)
		h.roster.answered(c)
		h.mu.Unlock()
	}
	return h, members
}

func notification(tb testing.TB, channel, payload string) []byte {
	tb.Helper()
	message, err := (&pgproto3.NotificationResponse{PID: 1, Channel: channel, Payload: payload}).Encode(nil)
	must(tb, err)
	return message
}

// BenchmarkDeliver puts one notification into 10,000 mailboxes, each empty and woken, and takes it out of them.
func BenchmarkDeliver(b *testing.B) {
	const people = 10_000
	h, members := crowd(b, people)
	message := notification(b, "x", "a payload of some forty bytes, or there about")
	var put, take time.Duration
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		must(b, h.deliver(message))
		middle := time.Now()
		for _, m := range members {
			out = m.Take(out[:0], 0, 0)
		}
		put, take = put+middle.Sub(start), take+time.Since(middle)
	}
	b.ReportMetric(float64(put.Nanoseconds())/float64(b.N*people), "ns/put")
	b.ReportMetric(float64(take.Nanoseconds())/float64(b.N*people), "ns/take")
}

// TestDeliverAllocations: the bytes are shared. A notification costs its note, however many Members hear it.
func TestDeliverAllocations(t *testing.T) {
	h, members := crowd(t, 1000)
	message := notification(t, "x", "y")
	var out []byte
	round := func() {
		must(t, h.deliver(message))
		for _, m := range members {
			out = m.Take(out[:0], 0, 0)
		}
	}
	round() // the mailboxes' first places
	if got := testing.AllocsPerRun(20, round); got > 2 {
		t.Errorf("%v allocations for 1000 Members, want at most 2", got)
	}
}
