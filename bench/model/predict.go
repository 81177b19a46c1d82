package model

import (
	"fmt"
	"math"
	"time"
)

// Prediction is what the model says of a cell: a pool size under a closed loop of clients.
type Prediction struct {
	PoolSize, Clients int

	TPS       float64 // transactions a second
	Low, High float64 // between which TPS lies, with about 95% confidence

	Mean, P50, P95, P99 time.Duration
	Queue               time.Duration // mean wait for a server
	Waiting             float64       // clients in the queue, on average
	Busy                float64       // servers held, on average
	Utilisation         float64       // Busy over PoolSize, 0 to 1

	Trusted bool
	Why     string // why it is not trusted, or what the trust rests on
}

// Predict says what a pool of so many servers carries with so many clients, each of which asks again as soon as it has its answer. Sizes that are not at least 1, or beyond
// all reason, give the zero Prediction, not trusted.
func (m *Model) Predict(size, clients int) Prediction {
	out := Prediction{PoolSize: size, Clients: clients}
	if size < 1 || size > maxPool || clients < 1 || clients > maxClients {
		out.Why = fmt.Sprintf("pool sizes are 1 to %d, clients 1 to %d", maxPool, maxClients)
		return out
	}
	p := m.Parameters
	inner := p.Station.inner(min(size, clients))
	state := closed(clients, (p.ThinkUS+p.OverheadUS)*1e-6, func(n int) float64 { return inner[min(n, len(inner))-1] })
	near := func(ratio func(Cell) float64) float64 { return nearby(p.Cells, size, clients, 0.1, ratio) }

	out.TPS = state.rate * nearby(p.Cells, size, clients, 1, Cell.tps)
	out.Busy = state.mean(func(n int) float64 { return float64(min(n, size)) })
	out.Waiting = state.mean(func(n int) float64 { return float64(max(0, n-size)) })
	out.Utilisation = out.Busy / float64(size)
	out.Queue = duration(out.Waiting / out.TPS) // Little's law
	// The mean follows from throughput by Little's law, whatever the shape of the distribution.
	out.Mean = duration(float64(clients)/out.TPS - p.ThinkUS*1e-6)
	l := m.closedLatency(size, clients)
	out.P50 = duration(l.quantile(0.5) * near(func(c Cell) float64 { return c.P50 }))
	out.P95 = max(out.P50, duration(l.quantile(0.95)*near(func(c Cell) float64 { return c.P95 })))
	out.P99 = max(out.P95, duration(l.quantile(0.99)*near(func(c Cell) float64 { return c.P99 })))

	doubt := m.doubt(size, clients)
	out.Low, out.High = out.TPS*math.Exp(-2*doubt), out.TPS*math.Exp(2*doubt)
	out.Trusted, out.Why = m.trust(size, clients, doubt)
	return out
}
