package load

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestCountsAreHdrHistogram: shared counters hold, value for value, what HdrHistogram's own would.
func TestCountsAreHdrHistogram(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	want, c := NewHistogram(), newCounts()
	for i := range 200_000 {
		v := random.Int64N(int64(1) << (1 + i%30)) // all octaves alike
		v = min(max(v, lowest), highest)
		if err := want.RecordValue(v); err != nil {
			t.Fatal(err)
		}
		c.add(time.Duration(v) * time.Microsecond)
	}
	counters := empty()
	if len(c.n) > len(counters) {
		t.Fatalf("%d counters, HdrHistogram has %d", len(c.n), len(counters))
	}
	if n := c.into(counters); n != 200_000 {
		t.Fatalf("%d counted", n)
	}
	if got := histogram(counters); !got.Equals(want) || got.TotalCount() != want.TotalCount() || got.Max() != want.Max() || got.ValueAtPercentile(99) != want.ValueAtPercentile(99) {
		t.Error("the histograms differ")
	}
}

func TestCountsClamp(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want int64
	}{
		{-time.Second, lowest},
		{0, lowest},
		{499 * time.Nanosecond, 1},
		{1499 * time.Nanosecond, 1},
		{1500 * time.Nanosecond, 2},
		{time.Hour, highest},
	} {
		c := newCounts()
		c.add(tt.d)
		counters := empty()
		c.into(counters)
		got, want := histogram(counters), NewHistogram()
		if err := want.RecordValue(tt.want); err != nil || !got.Equals(want) {
			t.Errorf("%v is counted as %d, want %d", tt.d, got.Max(), tt.want)
		}
	}
}
