package model

import (
	"slices"
	"time"
)

// Check is a prediction of a cell by a model that was not fitted to the cell's pool size, beside what was measured there.
type Check struct {
	PoolSize, Clients  int
	MeasuredTPS, TPS   float64
	Low, High          float64
	MeasuredP99, P99   time.Duration
	MeasuredMean, Mean time.Duration
	Error              float64 // of TPS: (predicted - measured)/measured
	Trusted            bool
	Why                string
}

// LeaveOneOut fits the model anew without each of the pool sizes in turn, with the hints of m, and predicts the cells of that size, in the order of points. Cells whose
// size cannot be left out, since too little remains, come with a prediction of 0 that is not trusted, and the reason.
func (m *Model) LeaveOneOut(points []Point) []Check {
	good, err := usable(points)
	if err != nil {
		return nil
	}
	parts := map[int]*Model{}
	reasons := map[int]string{}
	var checks []Check
	for _, p := range good {
		part, done := parts[p.PoolSize]
		if !done {
			rest := slices.DeleteFunc(slices.Clone(good), func(q Point) bool { return q.PoolSize == p.PoolSize })
			if part, err = Fit(rest, m.Parameters.hints()); err != nil {
				reasons[p.PoolSize] = "without this size: " + err.Error()
			}
			parts[p.PoolSize] = part
		}
		c := Check{PoolSize: p.PoolSize, Clients: p.Clients, MeasuredTPS: p.TPS, MeasuredP99: p.P99, MeasuredMean: p.Mean, Why: reasons[p.PoolSize]}
		if part != nil {
			prediction := part.Predict(p.PoolSize, p.Clients)
			c.TPS, c.Low, c.High, c.P99, c.Mean = prediction.TPS, prediction.Low, prediction.High, prediction.P99, prediction.Mean
			c.Trusted, c.Why = prediction.Trusted, prediction.Why
			c.Error = (c.TPS - c.MeasuredTPS) / c.MeasuredTPS
		}
		checks = append(checks, c)
	}
	return checks
}
