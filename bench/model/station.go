package model

import (
	"fmt"
	"math"
)

// Shapes of the database's station.
const (
	ShapeCores = "cores" // processors shared by statements, with a penalty for contention
	ShapeUSL   = "usl"   // Gunther's law
)

// Station is the database as transactions meet it that have a server: how fast it works while n of them are in it, and how long they hold a server besides.
type Station struct {
	Shape string `json:"shape"` // ShapeCores or ShapeUSL

	// ServiceUS is the time of one transaction alone in the database: S in microseconds. For ShapeUSL 1/lambda.
	ServiceUS float64 `json:"service_us"`
	// Cores is how many transactions can be worked on at once (ShapeCores); not whole where others use the processors too.
	Cores float64 `json:"cores,omitempty"`
	// Sigma is the share of work that is serial (ShapeUSL), Kappa the cost of each pair of transactions to each other.
	Sigma float64 `json:"sigma,omitempty"`
	Kappa float64 `json:"kappa"`

	// DelayUS is how long a transaction holds a server while nobody computes for it: round trips, pauses of the client. Microseconds.
	DelayUS float64 `json:"delay_us"`
}

// rate is how many transactions a second the database ends while n are in it.
func (s Station) rate(n int) float64 {
	x := float64(n)
	pairs := s.Kappa * x * (x - 1)
	if s.Shape == ShapeUSL {
		return x / (s.ServiceUS * 1e-6 * (1 + s.Sigma*(x-1) + pairs))
	}
	return min(x, s.Cores) / (s.ServiceUS * 1e-6 * (1 + pairs))
}

// departing is the squared coefficient of variation of the times between ends of transactions while all of some servers are held and end full a second. While the database
// has time to spare, those are as regular as what holds the servers (hold is the variation of that); when it has none, as regular as its own work (service).
func (s Station) departing(hold, service, full float64) float64 {
	most := 0.0
	for n := 1; n <= 128; n++ {
		most = max(most, s.rate(n))
	}
	used := min(1, full/most)
	return min(4, hold*hold*(1-used*used)+service*service*used*used)
}

// inner are the throughputs of the inner network with 1 to size servers held: X_in(k) at index k-1. No server ever idles in it.
func (s Station) inner(size int) []float64 {
	rates := make([]float64, size)
	for n := range rates {
		rates[n] = s.rate(n + 1)
	}
	if s.DelayUS <= 0 {
		return rates
	}
	held := make([]float64, size)
	for k := range held {
		held[k] = closedRate(k+1, s.DelayUS*1e-6, rates)
	}
	return held
}

// capacity is the most that the database can do at any number of servers up to limit, and the least number that reaches 99% of it.
func capacity(inner []float64) (most float64, knee int) {
	for _, x := range inner {
		most = max(most, x)
	}
	for k, x := range inner {
		if x >= 0.99*most {
			return most, k + 1
		}
	}
	return most, len(inner)
}

func (s Station) check() error {
	switch {
	case s.Shape != ShapeCores && s.Shape != ShapeUSL:
		return fmt.Errorf("shape %q of the model's station is neither %q nor %q", s.Shape, ShapeCores, ShapeUSL)
	case !(s.ServiceUS > 0) || math.IsInf(s.ServiceUS, 1):
		return fmt.Errorf("service_us %v of the model's station is not a time above 0", s.ServiceUS)
	case s.Shape == ShapeCores && (!(s.Cores > 0) || math.IsInf(s.Cores, 1)):
		return fmt.Errorf("cores %v of the model's station is not a number above 0", s.Cores)
	case !amount(s.Sigma), !amount(s.Kappa), !amount(s.DelayUS):
		return fmt.Errorf("sigma %v, kappa %v or delay_us %v of the model's station is negative, infinite or not a number", s.Sigma, s.Kappa, s.DelayUS)
	}
	return nil
}
