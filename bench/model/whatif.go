package model

import (
	"fmt"
	"time"
)

// Change is what could be different. Zero values leave things as they are.
type Change struct {
	RTT           time.Duration
	ClientLatency time.Duration
	Instances     int
	Replicas      int
	DBPool        int
	PoolSize      int
	ServerCores   float64
	Rate          float64
}

// Comparison is a plan before and after a change.
type Comparison struct {
	Before, After Plan
	Rows          []Row
}

// Row is one line of a comparison.
type Row struct{ What, Before, After string }

// LargestRate is the highest rate that q's servers carry within its SLO (without one: with a fifth to spare); with the pool size that carries most where q names none.
// q's own Rate does not count, but for how many instances there are.
func (m *Model) LargestRate(q Question) (float64, error) {
	if q.Rate == 0 {
		q.Rate = 1
	}
	s, err := m.setting(q)
	if err != nil {
		return 0, err
	}
	if q.PoolSize > 0 {
		return s.largest(q.PoolSize, 1), nil
	}
	return s.largest(s.useful(), 1), nil
}

// WhatIf compares the plan for q with the one after a change. Where q has no rate, it is the largest that q's servers carry.
func (m *Model) WhatIf(q Question, c Change) (Comparison, error) {
	if q.Rate == 0 {
		rate, err := m.LargestRate(q)
		if err != nil {
			return Comparison{}, err
		}
		if rate == 0 {
			return Comparison{}, fmt.Errorf("no rate keeps %s as it is: ask with another limit", q.SLO)
		}
		q.Rate = rate * 0.999 // the very edge falls either way
	}
	before, err := m.Plan(q)
	if err != nil {
		return Comparison{}, err
	}
	changed := c.apply(q)
	after, err := m.Plan(changed)
	if err != nil {
		return Comparison{}, err
	}
	out := Comparison{Before: before, After: after}
	row := func(what, before, after string) { out.Rows = append(out.Rows, Row{what, before, after}) }
	p := m.Parameters
	row("round trip to the server", roundTrip(p, q), roundTrip(p, changed))
	row("a transaction holds a server for", held(p, q), held(p, changed))
	row("rate", figure(q.Rate)+"/s", figure(changed.Rate)+"/s")
	row("pool_size of each poolerd", before.sizeText(), after.sizeText())
	row("instances of poolerd", whole(float64(before.Instances)), whole(float64(after.Instances)))
	row("server connections", whole(float64(before.ServerConnections)), whole(float64(after.ServerConnections)))
	if q.Replicas > 0 || changed.Replicas > 0 {
		row("connections of PostgREST", postgrests(q), postgrests(changed))
	}
	row("servers held", percent(before.Utilisation), percent(after.Utilisation))
	row("mean wait for a server", before.span(before.Queue), after.span(after.Queue))
	row("p50", before.span(before.P50), after.span(after.P50))
	row("p99", before.span(before.P99), after.span(after.P99))
	row("largest rate", figure(before.LargestRate)+"/s", figure(after.LargestRate)+"/s")
	row("carried", yes(before.Keeps), yes(after.Keeps))
	row("to be trusted", before.trustText(), after.trustText())
	return out, nil
}

// apply is q with the change.
func (c Change) apply(q Question) Question {
	set := func(to *int, value int) {
		if value != 0 {
			*to = value
		}
	}
	if c.RTT != 0 {
		q.RTT = c.RTT
	}
	if c.ClientLatency != 0 {
		q.ClientLatency = c.ClientLatency
	}
	set(&q.Instances, c.Instances)
	set(&q.Replicas, c.Replicas)
	set(&q.DBPool, c.DBPool)
	set(&q.PoolSize, c.PoolSize)
	if c.ServerCores != 0 {
		q.ServerCores = c.ServerCores
	}
	if c.Rate != 0 {
		q.Rate = c.Rate
	}
	return q
}

func roundTrip(p Parameters, q Question) string {
	switch {
	case q.RTT > 0:
		return span(q.RTT)
	case p.RTTUS > 0:
		return spanOf(p.RTTUS * 1e-6)
	}
	return "as measured"
}

func held(p Parameters, q Question) string {
	s := p.station(q)
	return spanOf((s.ServiceUS + s.DelayUS) * 1e-6)
}

func postgrests(q Question) string {
	if q.Replicas == 0 {
		return "not given"
	}
	return fmt.Sprintf("%d x %d", q.Replicas, q.DBPool)
}

func (p Plan) sizeText() string {
	if p.PoolSize == 0 {
		return "none will do"
	}
	return whole(float64(p.PoolSize))
}

// span is empty of meaning where the queue only grows.
func (p Plan) span(d time.Duration) string {
	if p.Utilisation >= 1 {
		return "grows without end"
	}
	return span(d)
}

func (p Plan) trustText() string {
	if p.Trusted {
		return "yes"
	}
	return "no: " + p.Why
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
