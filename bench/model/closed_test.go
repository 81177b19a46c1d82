package model

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > within*math.Abs(want) {
		t.Errorf("%s: got %v, want %v within %v%%", what, got, want, within*100)
	}
}

// machines is the mean of the classical machine-repair model with c repairers, by its closed form with binomials.
func machines(n, c int, think, service float64) (rate float64) {
	rho := service / think
	var sum, busy float64
	for k := 0; k <= n; k++ {
		lf := func(m int) float64 { v, _ := math.Lgamma(float64(m + 1)); return v }
		log := lf(n) - lf(n-k) + float64(k)*math.Log(rho)
		if k <= c {
			log -= lf(k)
		} else {
			log -= lf(c) + float64(k-c)*math.Log(float64(c))
		}
		p := math.Exp(log)
		sum += p
		busy += p * float64(min(k, c))
	}
	return busy / sum / service
}

func TestClosedIsTheMachineRepairModel(t *testing.T) {
	for _, c := range []struct {
		n, c           int
		think, service float64
	}{{1, 1, 1, 1}, {5, 1, 10, 1}, {20, 3, 2, 0.5}, {100, 8, 0.001, 0.01}, {150, 150, 3, 2}} {
		s := closed(c.n, c.think, func(n int) float64 { return float64(min(n, c.c)) / c.service })
		near(t, "throughput", s.rate, machines(c.n, c.c, c.think, c.service), 1e-9)
		rates := make([]float64, c.c)
		for i := range rates {
			rates[i] = float64(i+1) / c.service
		}
		near(t, "throughput without memory", closedRate(c.n, c.think, rates), s.rate, 1e-9)
	}
}

// TestClosedAgreesWithMVA holds it against Mean Value Analysis of one queueing station, by its own recursion.
func TestClosedAgreesWithMVA(t *testing.T) {
	const think, service = 0.3, 0.02
	queue := 0.0
	for n := 1; n <= 60; n++ {
		response := service * (1 + queue)
		rate := float64(n) / (response + think)
		queue = rate * response
		s := closed(n, think, func(int) float64 { return 1 / service })
		near(t, "throughput", s.rate, rate, 1e-9)
		near(t, "queue", s.mean(func(n int) float64 { return float64(n) }), queue, 1e-9)
	}
}

func TestClosedStaysFiniteWithManyClients(t *testing.T) {
	rates := []float64{10, 20, 40}
	for _, think := range []float64{0, 1e-8, 1, 1000, 1e6} {
		for _, n := range []int{1, 3, 1000, maxClients} {
			got := closedRate(n, think, rates)
			if !(got > 0 && got <= 40*(1+1e-12)) {
				t.Errorf("%d clients that think %v s: %v/s", n, think, got)
			}
		}
	}
	near(t, "a million clients that think long", closedRate(maxClients, 1e6, rates), float64(maxClients)/1e6, 0.01)
}

func stations() *rapid.Generator[Station] {
	return rapid.Custom(func(t *rapid.T) Station {
		return Station{
			Shape: ShapeCores, ServiceUS: rapid.Float64Range(10, 1e5).Draw(t, "service"),
			Cores: rapid.Float64Range(1, 64).Draw(t, "cores"), DelayUS: rapid.Float64Range(0, 1e5).Draw(t, "delay"),
		}
	})
}

// TestLawsOfTheNetwork are those that hold whatever the parameters: bounds of throughput, growth with servers, Little's law.
func TestLawsOfTheNetwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		station := stations().Draw(t, "station")
		m := &Model{Parameters: Parameters{
			Station: station, ThinkUS: rapid.Float64Range(0, 1e5).Draw(t, "think"), OverheadUS: rapid.Float64Range(0, 1e4).Draw(t, "overhead"), HoldCV: 1,
			PoolSizes: []int{1, 64}, Clients: []int{1, 200},
		}}
		size, clients := rapid.IntRange(1, 64).Draw(t, "size"), rapid.IntRange(1, 200).Draw(t, "clients")
		p := m.Predict(size, clients)
		alone := (station.ServiceUS + station.DelayUS) * 1e-6
		outside := (m.Parameters.ThinkUS + m.Parameters.OverheadUS) * 1e-6
		limit := min(float64(clients)/(alone+outside), float64(size)/alone, station.Cores/(station.ServiceUS*1e-6))
		if !(p.TPS > 0) || p.TPS > limit*(1+1e-9) {
			t.Fatalf("%v/s is not within 0 and %v", p.TPS, limit)
		}
		if more := m.Predict(size+1, clients); more.TPS < p.TPS*(1-1e-9) {
			t.Fatalf("%d servers carry %v/s, %d only %v", size, p.TPS, size+1, more.TPS)
		}
		if more := m.Predict(size, clients+1); more.TPS < p.TPS*(1-1e-9) {
			t.Fatalf("%d clients get %v/s, %d only %v", clients, p.TPS, clients+1, more.TPS)
		}
		if little := p.TPS * (p.Mean.Seconds() + m.Parameters.ThinkUS*1e-6); math.Abs(little-float64(clients)) > 1e-3*float64(clients) {
			t.Fatalf("Little's law: %v clients instead of %d", little, clients)
		}
		if p.P50 > p.P95 || p.P95 > p.P99 || p.Busy > float64(size)*(1+1e-9) || p.Utilisation > 1+1e-9 {
			t.Fatalf("%+v", p)
		}
	})
}

func TestContentionMakesThroughputFall(t *testing.T) {
	s := Station{Shape: ShapeCores, ServiceUS: 1000, Cores: 4, Kappa: 0.002}
	most, knee := capacity(s.inner(64))
	if knee < 3 || knee > 5 {
		t.Errorf("most is %v at %d, want it at the processors' number", most, knee)
	}
	if s.inner(64)[63] > most/2 {
		t.Errorf("64 at work carry %v of %v", s.inner(64)[63], most)
	}
}
