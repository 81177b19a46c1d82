package model

import (
	"fmt"
	"math"
	"testing"
)

func TestGammaAbove(t *testing.T) {
	near(t, "exponential", gammaAbove(2, 4, 3), math.Exp(-1.5), 1e-9)
	// Erlang with 3 phases of rate 1: exp(-t) (1 + t + t²/2).
	near(t, "Erlang", gammaAbove(3, 3, 4), math.Exp(-4)*(1+4+8), 1e-9)
	near(t, "many phases are all but normal", gammaAbove(1000, 1000, 1000+1.6449*math.Sqrt(1000)), 0.05, 0.05)
	if gammaAbove(1, 0, 0.9) != 1 || gammaAbove(1, 0, 1.1) != 0 || gammaAbove(1, 1, -1) != 1 {
		t.Error("without variance it is a step")
	}
}

func TestQuantilesOfKnownLatencies(t *testing.T) {
	exponential := latency{terms: []term{{weight: 1, mean: 0.01, variance: 0.0001}}}
	near(t, "p99 of an exponential", exponential.quantile(0.99), 0.01*math.Log(100), 1e-3)
	shifted := latency{fixed: 0.5, terms: []term{{weight: 1, mean: 0.01, variance: 0.0001}}}
	near(t, "p50 behind a fixed part", shifted.quantile(0.5), 0.5+0.01*math.Ln2, 1e-3)
	near(t, "mean", shifted.mean(), 0.51, 1e-12)
}

func TestGroupingKeepsMeanAndSpread(t *testing.T) {
	var terms []term
	for i := range 500 {
		terms = append(terms, term{weight: 1.0 / 500, mean: float64(i + 1), variance: 2})
	}
	l, g := latency{terms: terms}, latency{terms: grouped(terms, 24)}
	if len(g.terms) > 24 {
		t.Errorf("%d groups", len(g.terms))
	}
	near(t, "mean", g.mean(), l.mean(), 1e-9)
	near(t, "p90", g.quantile(0.9), l.quantile(0.9), 0.02)
}

// TestQuantilesOfExponentialServers holds the mixture against a simulation of its own assumptions: servers that work alone, bursts that are exponential.
func TestQuantilesOfExponentialServers(t *testing.T) {
	w := world{cores: 4, service: 1e-3, trips: 1, think: 8e-3, overhead: 0.1e-3}
	for _, clients := range []int{4, 30, 60, 200} {
		o := w.run(4, clients, 40000, 11)
		s := Station{Shape: ShapeCores, ServiceUS: 1000, Cores: 4}
		l := closedLatency(4, clients, w.think, w.overhead, s.inner(min(4, clients)), 1, 1)
		near(t, "mean", l.mean(), o.mean(), 0.04)
		near(t, "p50", l.quantile(0.5), o.quantile(0.5), 0.05)
		near(t, "p99", l.quantile(0.99), o.quantile(0.99), 0.05)
	}
}

// TestQuantilesAgreeWithSimulation says how good the quantiles are at a pool size and a number of clients that were not measured: within 10% for p50 and mean, 15% for
// p95 and 20% for p99.
func TestQuantilesAgreeWithSimulation(t *testing.T) {
	for name, w := range worlds() {
		m, err := Fit(w.sweep([]int{1, 2, 4, 16, 32}, []int{8, 32, 128}, 0.005, 21), w.hints())
		if err != nil {
			t.Fatal(err)
		}
		for _, cell := range []struct{ size, clients int }{{8, 64}, {3, 64}, {24, 100}} {
			truth, got := w.point(cell.size, cell.clients, 0, 99), m.Predict(cell.size, cell.clients)
			where := fmt.Sprintf("%s, pool size %d, %d clients: ", name, cell.size, cell.clients)
			near(t, where+"mean", seconds(got.Mean), seconds(truth.Mean), 0.10)
			near(t, where+"p50", seconds(got.P50), seconds(truth.P50), 0.10)
			near(t, where+"p95", seconds(got.P95), seconds(truth.P95), 0.15)
			near(t, where+"p99", seconds(got.P99), seconds(truth.P99), 0.20)
			near(t, where+"queue", seconds(got.Queue), seconds(truth.Queue), 0.20)
		}
	}
}
