package sweep

import (
	"runtime"

	"poolerd/bench/model"
	"poolerd/bench/report"
)

// fit makes the model of a sweep, and tries it at each size with that size left out.
func (b *bench) fit() *report.Model {
	all := points(b.results.Runs[:b.swept])
	m, err := model.Fit(all, b.hints())
	if err != nil {
		return &report.Model{Lines: []string{"no model: " + err.Error()}}
	}
	out := &report.Model{Lines: m.Lines(), Parameters: m.Parameters}
	for _, c := range m.LeaveOneOut(all) {
		out.Predictions = append(out.Predictions, report.Prediction{
			PoolSize: c.PoolSize, Clients: c.Clients,
			MeasuredTPS: c.MeasuredTPS, TPS: c.TPS,
			MeasuredP99: us(c.MeasuredP99), P99: us(c.P99),
			Error: c.Error, Trusted: c.Trusted, Why: c.Why,
		})
	}
	return out
}

// hints are what is known beside the points: the delay that was put there, and how many round trips it is paid for.
func (b *bench) hints() model.Hints {
	h := model.Hints{RTT: b.o.ServerLatency, RoundTrips: b.trips, ClientLatency: b.o.ClientLatency}
	if b.o.private() {
		h.Cores = runtime.NumCPU()
	}
	return h
}
