package load

import (
	"math"
	"testing"
	"time"
)

func TestSchedule(t *testing.T) {
	const rate, n = 1000.0, 100_000
	for _, tt := range []struct {
		arrivals  Arrivals
		mean, dev float64 // of the gaps, in parts of the mean
	}{{Even, 1, 0}, {Poisson, 1, 1}} {
		a, b := newSchedule(tt.arrivals, rate, 7), newSchedule(tt.arrivals, rate, 7)
		var last time.Duration
		sum, squares := 0.0, 0.0
		for range n {
			at := a.next()
			if again := b.next(); again != at {
				t.Fatalf("the same seed gave %v and %v", at, again)
			}
			gap := (at - last).Seconds() * rate
			sum, squares, last = sum+gap, squares+gap*gap, at
		}
		mean := sum / n
		if dev := math.Sqrt(max(squares/n-mean*mean, 0)); math.Abs(mean-tt.mean) > 0.02 || math.Abs(dev-tt.dev) > 0.02 {
			t.Errorf("arrivals %d: gaps of %v ± %v, want %v ± %v", tt.arrivals, mean, dev, tt.mean, tt.dev)
		}
	}
	if newSchedule(Poisson, rate, 1).next() == newSchedule(Poisson, rate, 2).next() {
		t.Error("two seeds, one schedule")
	}
}
