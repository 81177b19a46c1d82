package model

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// erlangC is the probability of waiting in M/M/c, by the textbook's formula.
func erlangC(c int, offered float64) float64 {
	term, sum := 1.0, 0.0
	for k := range c {
		sum += term
		term *= offered / float64(k+1)
	}
	last := term / (1 - offered/float64(c))
	return last / (sum + last)
}

func multi(c int, mu float64) []float64 {
	rates := make([]float64, c)
	for i := range rates {
		rates[i] = float64(i+1) * mu
	}
	return rates
}

func TestOpenIsErlangC(t *testing.T) {
	for _, c := range []struct {
		servers   int
		mu, rates float64
	}{{1, 100, 50}, {2, 10, 15}, {8, 250, 1900}, {50, 1, 45}, {300, 2, 580}} {
		s, ok := open(c.rates, multi(c.servers, c.mu))
		if !ok {
			t.Fatalf("%+v is not stable", c)
		}
		want := erlangC(c.servers, c.rates/c.mu)
		near(t, "probability of waiting", s.waits, want, 1e-9)
		near(t, "in the queue", s.waiting, want*c.rates/(float64(c.servers)*c.mu-c.rates), 1e-9)
		near(t, "servers held", s.busy, c.rates/c.mu, 1e-9)
		near(t, "hold", s.hold, 1/c.mu, 1e-9)
	}
}

func TestOpenLatencyOfMM1(t *testing.T) {
	const mu, rate = 100, 80
	s, _ := open(rate, []float64{mu})
	l := s.latency(0, 1, 1)
	near(t, "mean", l.mean(), 1.0/(mu-rate), 1e-6)
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
		near(t, "quantile of M/M/1", l.quantile(q), -math.Log(1-q)/(mu-rate), 0.02)
	}
}

func TestOpenRefusesWhatNeverEnds(t *testing.T) {
	for _, rate := range []float64{0, -1, 100, 101, math.NaN(), math.Inf(1)} {
		if _, ok := open(rate, []float64{50, 100}); ok {
			t.Errorf("%v/s on servers that do 100/s is said to be stable", rate)
		}
	}
}

func TestLargestRateOfMM1(t *testing.T) {
	// p99 of M/M/1 is ln(100)/(mu - rate).
	near(t, "largest rate", largestRate([]float64{1000}, 0, 1, 1, 0.99, 0.02, 1), 1000-math.Log(100)/0.02, 0.01)
	if got := largestRate([]float64{1000}, 0.03, 1, 1, 0.99, 0.02, 1); got != 0 {
		t.Errorf("%v/s within less than the overhead", got)
	}
}

// TestOpenLatencyGrowsWithRate holds for any station of servers that get no slower together.
func TestOpenLatencyGrowsWithRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rates := stations().Draw(t, "station").inner(rapid.IntRange(1, 40).Draw(t, "servers"))
		full := rates[len(rates)-1]
		before := 0.0
		for _, part := range []float64{0.1, 0.5, 0.8, 0.95} {
			s, ok := open(part*full, rates)
			if !ok {
				t.Fatalf("%v of what it can do is too much", part)
			}
			l := s.latency(0, 1, 1)
			if math.Abs(l.mean()*part*full-(s.busy+s.waiting)) > 1e-6*(s.busy+s.waiting) {
				t.Fatalf("Little's law: %v in it, not %v", l.mean()*part*full, s.busy+s.waiting)
			}
			if got := l.quantile(0.99); got < before*(1-1e-3) {
				t.Fatalf("p99 falls from %v to %v", before, got)
			} else {
				before = got
			}
		}
	})
}

// TestOpenAgreesWithSimulation says how good open quantiles are where the parameters are known: mean within 12%, p99 within 15%.
func TestOpenAgreesWithSimulation(t *testing.T) {
	w := world{cores: 4, service: 0.8e-3, trips: 3, rtt: 1e-3, overhead: 0.1e-3}
	s := Station{Shape: ShapeCores, ServiceUS: 800, Cores: 4, DelayUS: 3000}
	for _, c := range []struct {
		size int
		part float64
	}{{4, 0.8}, {8, 0.7}, {16, 0.85}, {32, 0.8}} {
		rates := s.inner(c.size)
		w.rate = c.part * rates[c.size-1]
		o := w.run(c.size, 0, 40000, 5)
		state, _ := open(w.rate, rates)
		l := state.latency(w.overhead, 0.15, s.departing(0.15, math.Sqrt(1.0/3), rates[c.size-1]))
		near(t, "mean", l.mean(), o.mean(), 0.12)
		near(t, "p99", l.quantile(0.99), o.quantile(0.99), 0.15)
		near(t, "servers held", state.busy, o.busy, 0.06)
	}
}
