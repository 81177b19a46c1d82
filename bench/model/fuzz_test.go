package model

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// FuzzParameters reads parameters as `poolerd bench plan` does, from a file that anyone may have written: they are refused, or all that is asked of them has an answer.
func FuzzParameters(f *testing.F) {
	good := Parameters{
		Station: Station{Shape: ShapeCores, ServiceUS: 500, Cores: 2, Kappa: 1e-4, DelayUS: 800}, HoldCV: 0.5, ServiceCV: 1, RoundTrips: 3, RTTUS: 100, Cores: 2, ServerCPUUS: 480, PoolerCPUUS: 30,
		PoolSizes: []int{1, 8}, Clients: []int{4, 64}, Inside: CrossError{3, 0.01, 0.02},
		Cells: []Cell{{PoolSize: 8, Clients: 64, TPS: 1.01, P99: 1.2}}, Parts: []Part{{Station: Station{Shape: ShapeUSL, ServiceUS: 700, Sigma: 0.1}}},
	}
	text, err := json.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, 8, 64, 1000.0, int64(time.Millisecond))
	f.Add([]byte(strings.Replace(string(text), `"cores"`, `"usl"`, 1)), 8, 64, 1000.0, int64(time.Millisecond))
	f.Add([]byte(strings.Replace(string(text), "500", "1e-300", 1)), 8, 64, 1e9, int64(1))
	f.Add([]byte(strings.Replace(string(text), "800", "1e300", 1)), 4096, 1<<20, 1e-9, int64(time.Minute))
	f.Fuzz(func(t *testing.T, text []byte, size, clients int, rate float64, rtt int64) {
		var p Parameters
		if json.Unmarshal(text, &p) != nil {
			return
		}
		m, err := New(p)
		if err != nil {
			return
		}
		if got := m.Predict(min(size, 200), clients); math.IsNaN(got.TPS) || got.TPS < 0 || got.Mean < 0 || got.P99 < 0 {
			t.Errorf("%+v", got)
		}
		m.Lines()
		q := Question{Rate: rate, RTT: time.Duration(rtt), SLO: &SLO{0.99, 20 * time.Millisecond}}
		plan, err := m.Plan(q)
		if err == nil && (math.IsNaN(plan.Utilisation) || math.IsNaN(plan.LargestRate) || strings.Contains(strings.Join(plan.Lines, " "), "NaN")) {
			t.Errorf("%+v", plan)
		}
		if _, err := m.WhatIf(q, Change{PoolSize: 4, RTT: time.Millisecond}); (err == nil) != (plan.Why != "") {
			t.Errorf("a plan, and yet no comparison: %v", err)
		}
	})
}
