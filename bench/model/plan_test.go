package model

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fitted is a model of w, measured well.
func fitted(t *testing.T, w world, sizes ...int) *Model {
	t.Helper()
	points := w.sweep(sizes, []int{16, 64}, 0.005, 77)
	for i := range points {
		points[i].PoolerCores = points[i].TPS * 30e-6
	}
	m, err := Fit(points, w.hints())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPlanHoldsInSimulation plans for round trips five times as long as those measured, and for others, and then simulates what was planned: the SLO is kept, and with three quarters
// of the servers it is not.
func TestPlanHoldsInSimulation(t *testing.T) {
	for name, c := range map[string]struct {
		w    world
		rtt  time.Duration
		rate float64
		slo  time.Duration
	}{
		"as measured":  {world{cores: 4, service: 0.5e-3, trips: 3, rtt: 0.2e-3, overhead: 0.1e-3}, 0, 5000, 8 * time.Millisecond},
		"1 ms away":    {world{cores: 4, service: 0.5e-3, trips: 3, rtt: 0.2e-3, overhead: 0.1e-3}, time.Millisecond, 5000, 20 * time.Millisecond},
		"contention":   {world{cores: 4, service: 1e-3, trips: 3, rtt: 0.2e-3, kappa: 0.001}, time.Millisecond, 2000, 25 * time.Millisecond},
		"half as much": {world{cores: 2, service: 1e-3, trips: 4, rtt: 0.3e-3, overhead: 0.2e-3}, 600 * time.Microsecond, 1000, 30 * time.Millisecond},
	} {
		m := fitted(t, c.w, 1, 2, 4, 8, 16, 32)
		plan, err := m.Plan(Question{Rate: c.rate, RTT: c.rtt, SLO: &SLO{0.99, c.slo}})
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(plan.Lines, "\n")
		if !plan.Keeps || plan.PoolSize == 0 || plan.Instances != 1 {
			t.Errorf("%s: %s", name, text)
			continue
		}
		w := c.w
		w.rate = c.rate
		if c.rtt > 0 {
			w.rtt = c.rtt.Seconds()
		}
		o := w.run(plan.PoolSize, 0, 30000, 3)
		t.Logf("%s: pool size %d, p99 %v, simulated %.1f ms", name, plan.PoolSize, plan.P99, 1e3*o.quantile(0.99))
		if got := o.quantile(0.99); got > c.slo.Seconds()*1.02 {
			t.Errorf("%s: simulated p99 %v s\n%s", name, got, text)
		}
		if plan.PoolSize >= 4 {
			if got := w.run(plan.PoolSize*3/4, 0, 30000, 3).quantile(0.99); got < c.slo.Seconds() {
				t.Errorf("%s: three quarters of %d servers keep it as well, p99 %v s", name, plan.PoolSize, got)
			}
		}
		near(t, name+": p99", plan.P99.Seconds(), o.quantile(0.99), 0.30)
	}
}

func TestPlanSaysWhereItEnds(t *testing.T) {
	m := fitted(t, world{cores: 4, service: 0.5e-3, trips: 3, rtt: 0.2e-3, overhead: 0.1e-3}, 1, 2, 4, 8, 16, 32)
	slo, loose := &SLO{0.99, 20 * time.Millisecond}, &SLO{0.99, time.Second}
	edge, err := m.LargestRate(Question{SLO: loose})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		q       Question
		keeps   bool
		trusted bool
		words   []string
	}{
		"easy": {Question{Rate: 4000, SLO: slo}, true, true, []string{
			"pool_size ", "for each of 1 poolerd", "within p99=20ms", "PostgreSQL computes with 2 cores", "poolerd computes with 0.1 cores", "to be trusted: the database would be used as it was measured",
		}},
		"beyond the database": {Question{Rate: 20000, SLO: slo}, false, false, []string{
			"no pool size carries 20,000/s within p99=20ms", "PostgreSQL computes with 10 cores at that rate", "and has 4: it needs 15 cores", "not to be trusted: 20,000/s are above the",
		}},
		"a larger database": {Question{Rate: 10000, SLO: slo, ServerCores: 8}, true, true, []string{"PostgreSQL computes with 5 cores at that rate", "of 8"}},
		"a much larger one": {Question{Rate: 20000, SLO: slo, ServerCores: 32}, true, false, []string{"32 cores are more than twice those of the machine that was measured, 4"}},
		"instances":         {Question{Rate: 6000, SLO: slo, PoolerCores: 0.1}, true, true, []string{"for each of 3 poolerds", "3 instances with 1 core each will do"}},
		"too few instances": {Question{Rate: 6000, SLO: slo, PoolerCores: 0.1, Instances: 2}, false, true, []string{"are too few, it takes 3"}},
		"an SLO below the work itself": {Question{Rate: 100, SLO: &SLO{0.99, 100 * time.Microsecond}}, false, true, []string{
			"no pool size carries 100/s within p99=100µs",
		}},
		"few connections": {Question{Rate: 6000, SLO: slo, MaxConnections: 5}, false, true, []string{"do not fit into max_connections 5"}},
		"connections":     {Question{Rate: 4000, SLO: slo, MaxConnections: 100}, true, true, []string{"of max_connections 100, 3 of which are kept for superusers"}},
		"PostgREST":       {Question{Rate: 4000, SLO: slo, Replicas: 4, DBPool: 10}, true, true, []string{"4 replicas of PostgREST with db-pool 10 are 40 connections to poolerd, of which", "without a pooler PostgreSQL would hold all 40"}},
		"a small db-pool": {Question{Rate: 6000, SLO: slo, Replicas: 2, DBPool: 3}, false, true, []string{"too few, since so many servers do not carry that rate"}},
		"too small a pool": {Question{Rate: 6000, SLO: slo, PoolSize: 2}, false, true, []string{
			"pool_size 2 for each of 1 poolerd does not carry 6,000/s",
		}},
		"no limit":    {Question{Rate: 4000}, true, true, []string{"with a fifth to spare"}},
		"on the edge": {Question{Rate: edge * 0.998, SLO: loose}, true, false, []string{"not if throughput is lower by the prediction's own uncertainty"}},
	} {
		plan, err := m.Plan(c.q)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text := strings.Join(plan.Lines, "\n")
		if plan.Keeps != c.keeps || plan.Trusted != c.trusted {
			t.Errorf("%s: keeps %v, want %v; trusted %v, want %v:\n%s", name, plan.Keeps, c.keeps, plan.Trusted, c.trusted, text)
		}
		for _, want := range c.words {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
		}
	}
}

func TestPlanWithoutWhatWasNotMeasured(t *testing.T) {
	w := world{cores: 2, service: 1e-3, trips: 3, rtt: 0.2e-3}
	points := w.sweep([]int{1, 2, 4, 8, 16}, []int{16, 64}, 0.005, 7)
	for i := range points {
		points[i].ServerCores = 0
	}
	m, err := Fit(points, Hints{})
	if err != nil {
		t.Fatal(err)
	}
	for want, q := range map[string]Question{
		"how many round trips a transaction makes was not measured":    {Rate: 100, RTT: time.Millisecond},
		"how many cores the database had is not known":                 {Rate: 100, ServerCores: 4},
		"what poolerd computes for a transaction was not measured, so": {Rate: 100},
	} {
		plan, err := m.Plan(q)
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(plan.Lines, "\n"); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	m := fitted(t, world{cores: 2, service: 1e-3, trips: 1}, 1, 2, 4)
	for name, q := range map[string]Question{
		"no rate":             {},
		"negative":            {Rate: -1},
		"not a number":        {Rate: math.NaN()},
		"infinite":            {Rate: math.Inf(1)},
		"round trip":          {Rate: 1, RTT: -1},
		"an hour away":        {Rate: 1, RTT: time.Hour},
		"cores":               {Rate: 1, ServerCores: math.NaN()},
		"instances":           {Rate: 1, Instances: -1},
		"many instances":      {Rate: 1, Instances: 1 << 40},
		"half of a PostgREST": {Rate: 1, Replicas: 3},
		"an SLO":              {Rate: 1, SLO: &SLO{2, time.Second}},
	} {
		if _, err := m.Plan(q); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestWhatIf(t *testing.T) {
	m := fitted(t, world{cores: 4, service: 0.5e-3, trips: 3, rtt: 0.2e-3, overhead: 0.1e-3}, 1, 2, 4, 8, 16, 32)
	slo := &SLO{0.99, 20 * time.Millisecond}
	c, err := m.WhatIf(Question{Rate: 4000, SLO: slo}, Change{RTT: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if c.After.PoolSize < 3*c.Before.PoolSize || !c.After.Keeps {
		t.Errorf("a round trip ten times as long: pool size from %d to %d", c.Before.PoolSize, c.After.PoolSize)
	}
	find := func(what string) Row {
		for _, r := range c.Rows {
			if r.What == what {
				return r
			}
		}
		t.Fatalf("no row %q in %+v", what, c.Rows)
		return Row{}
	}
	if r := find("round trip to the server"); r.Before != "200 µs" || r.After != "2 ms" {
		t.Errorf("%+v", r)
	}
	if r := find("a transaction holds a server for"); !strings.HasPrefix(r.Before, "1.1 ms") || !strings.HasPrefix(r.After, "6.") {
		t.Errorf("%+v", r)
	}

	// The pool that was right before carries much less with long round trips.
	c, err = m.WhatIf(Question{Rate: 4000, SLO: slo, PoolSize: 8}, Change{RTT: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Before.Keeps || c.After.Keeps || find("carried").After != "no" || find("mean wait for a server").After != "grows without end" {
		t.Errorf("%+v", c.Rows)
	}

	// Without a rate: the largest.
	c, err = m.WhatIf(Question{SLO: slo, PoolSize: 8}, Change{PoolSize: 16, Replicas: 3, DBPool: 20})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Before.Keeps || find("connections of PostgREST").After != "3 x 20" || find("instances of poolerd").After != "1" {
		t.Errorf("%+v", c.Rows)
	}

	// More instances divide the servers: as many more connections.
	c, err = m.WhatIf(Question{Rate: 4000, SLO: slo, PoolSize: 8}, Change{Instances: 2})
	if err != nil {
		t.Fatal(err)
	}
	if c.Before.ServerConnections != 8 || c.After.ServerConnections != 16 {
		t.Errorf("%+v", c.Rows)
	}
}

// TestPlanLaws hold for any model: a plan that keeps its rate names a pool, more rate needs no fewer servers, and no figure is not a number.
func TestPlanLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		station := stations().Draw(t, "station")
		station.Cores = min(station.Cores, 8)
		station.DelayUS = min(station.DelayUS, 8*station.ServiceUS)
		m := &Model{Parameters: Parameters{
			Station: station, HoldCV: rapid.Float64Range(0, 3).Draw(t, "cv"), RoundTrips: 3, RTTUS: rapid.Float64Range(0, 1000).Draw(t, "rtt"),
			Cores: rapid.SampledFrom([]float64{0, 2, 8}).Draw(t, "cores"), ServerCPUUS: rapid.Float64Range(0, 1000).Draw(t, "cpu"), PoolerCPUUS: rapid.Float64Range(0, 50).Draw(t, "pooler"),
			PoolSizes: []int{1, 32}, Clients: []int{1, 64}, Inside: CrossError{Sizes: 3, RMS: 0.01, Worst: 0.02},
		}}
		capacity := station.Cores / station.ServiceUS * 1e6
		q := Question{
			Rate: rapid.Float64Range(0.01, 1.2).Draw(t, "part") * capacity, RTT: time.Duration(rapid.Int64Range(0, 5e6).Draw(t, "new rtt")),
			Instances: rapid.IntRange(1, 3).Draw(t, "instances"), PoolSize: rapid.SampledFrom([]int{0, 0, 1, 20}).Draw(t, "size"),
		}
		if rapid.Bool().Draw(t, "slo") {
			q.SLO = &SLO{0.99, time.Duration(rapid.Int64Range(1, 1e9).Draw(t, "limit"))}
		}
		plan, err := m.Plan(q)
		if err != nil {
			t.Fatal(err)
		}
		if plan.Keeps && plan.PoolSize == 0 || plan.Why == "" || strings.Contains(strings.Join(plan.Lines, " "), "NaN") || math.IsNaN(plan.LargestRate) || plan.Utilisation > 1+1e-9 {
			t.Fatalf("%+v", plan)
		}
		less := q
		less.Rate /= 2
		if half, err := m.Plan(less); err != nil || plan.Keeps && half.PoolSize > plan.PoolSize {
			t.Fatalf("half the rate needs %d servers, the whole %d (%v)", half.PoolSize, plan.PoolSize, err)
		}
		if _, err := m.WhatIf(q, Change{RTT: 3 * time.Millisecond, Instances: 2}); err != nil {
			t.Fatal(err)
		}
	})
}
