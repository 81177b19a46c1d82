package model

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Parameters are all that a fit found. They serialise to JSON, and New makes the same model of them again. Times are in microseconds.
type Parameters struct {
	Station Station `json:"station"`

	// OverheadUS is the part of a transaction's latency in which it neither holds a server nor wants one.
	OverheadUS float64 `json:"overhead_us"`
	// ThinkUS is what a client lets pass between two transactions.
	ThinkUS float64 `json:"think_us"`
	// HoldCV is the coefficient of variation (standard deviation over mean) of the time that a transaction holds a server.
	HoldCV float64 `json:"hold_cv"`
	// ServiceCV is the same of the time that the database works for a transaction.
	ServiceCV float64 `json:"service_cv"`

	RoundTrips      float64 `json:"round_trips"`       // to the server, while one is held, a transaction; 0: not known
	RTTUS           float64 `json:"rtt_us"`            // of each, when measured
	ClientLatencyUS float64 `json:"client_latency_us"` // pause of the client between the round trips

	Cores       float64 `json:"cores"`         // of the machine of the database; 0: not known
	ServerCPUUS float64 `json:"server_cpu_us"` // processor time of PostgreSQL, a transaction; 0: not known
	PoolerCPUUS float64 `json:"pooler_cpu_us"` // of the pooler; 0: not known

	PoolSizes []int   `json:"pool_sizes"` // measured, ascending
	Clients   []int   `json:"clients"`
	Noise     float64 `json:"noise"` // relative standard error of the measured throughputs, their median

	// FitError is the root mean square of (model - measured)/measured of throughput at the measured cells, before what is carried over from cells nearby.
	FitError float64 `json:"fit_error"`
	// Inside and Edge are the same of cells whose pool size was left out of the fit: sizes between others, and the smallest and the largest. Zero: could not be tried.
	Inside CrossError `json:"inside"`
	Edge   CrossError `json:"edge"`

	Cells []Cell `json:"cells"` // what the model misses where it was measured
	Parts []Part `json:"parts"` // other parameters that the measurements only just allow, for the intervals
}

// CrossError is how far off throughput is at pool sizes that the fit has not seen, relative.
type CrossError struct {
	Sizes int     `json:"sizes"` // how many were tried
	RMS   float64 `json:"rms"`
	Worst float64 `json:"worst"` // the root mean square at the worst size
}

// Cell is what a measured cell has more than the model says, as ratios: 1.05 is 5% more. Zero: not known.
type Cell struct {
	PoolSize int     `json:"pool_size"`
	Clients  int     `json:"clients"`
	Noise    float64 `json:"noise"`
	TPS      float64 `json:"tps"`
	Mean     float64 `json:"mean"`
	P50      float64 `json:"p50"`
	P95      float64 `json:"p95"`
	P99      float64 `json:"p99"`
}

// Part is a station and what is outside it: what a fit decides.
type Part struct {
	Station    Station `json:"station"`
	OverheadUS float64 `json:"overhead_us"`
}

// Hints are what is known beside the measurements. Zero values: not known.
type Hints struct {
	RTT           time.Duration // round trip between pooler and server
	RoundTrips    float64       // of a transaction to the server, while it holds one
	ClientLatency time.Duration // pause of the client between those round trips
	Think         time.Duration // of a client between transactions; only used where the points have no mean latency
	Cores         int           // of the database's machine
}

// knownDelay is about how long a transaction holds a server while nobody computes, in seconds; 0: not known.
func (h Hints) knownDelay() float64 {
	return h.RoundTrips*seconds(h.RTT) + max(0, h.RoundTrips-1)*seconds(h.ClientLatency)
}

func (h Hints) check() error {
	if h.RTT < 0 || h.ClientLatency < 0 || h.Think < 0 || h.Cores < 0 || !amount(h.RoundTrips) {
		return errors.New("a hint to the model is negative or not a number")
	}
	return nil
}

// hints are those that the parameters were fitted with.
func (p Parameters) hints() Hints {
	return Hints{
		RTT: duration(p.RTTUS * 1e-6), RoundTrips: p.RoundTrips, ClientLatency: duration(p.ClientLatencyUS * 1e-6),
		Think: duration(p.ThinkUS * 1e-6), Cores: int(p.Cores),
	}
}

// Model predicts. It does not change once made, and may be used by several goroutines.
type Model struct {
	Parameters Parameters
}

// New makes a model of parameters that were fitted before; it refuses such as no fit can have found.
func New(p Parameters) (*Model, error) {
	if err := p.Station.check(); err != nil {
		return nil, err
	}
	for _, part := range p.Parts {
		if err := part.Station.check(); err != nil {
			return nil, err
		}
		if !amount(part.OverheadUS) {
			return nil, errors.New("overhead_us of a part of the model is not a time")
		}
	}
	for _, x := range []float64{p.OverheadUS, p.ThinkUS, p.HoldCV, p.ServiceCV, p.RoundTrips, p.RTTUS, p.ClientLatencyUS, p.Cores, p.ServerCPUUS, p.PoolerCPUUS, p.Noise, p.FitError} {
		if !amount(x) {
			return nil, errors.New("the model's parameters hold a figure that is negative, infinite or not a number")
		}
	}
	if len(p.Parts) > 32 {
		return nil, fmt.Errorf("the model has %d parts, more than a fit makes", len(p.Parts))
	}
	for i, sizes := range [][]int{p.PoolSizes, p.Clients} {
		if len(sizes) == 0 || slices.Min(sizes) < 1 || slices.Max(sizes) > []int{maxPool, maxClients}[i] || !slices.IsSorted(sizes) {
			return nil, errors.New("the model's parameters do not say which pool sizes and clients were measured, ascending: fit it again with `poolerd bench`")
		}
	}
	for _, c := range p.Cells {
		if c.PoolSize < 1 || c.Clients < 1 || !amount(c.TPS) || !amount(c.Mean) || !amount(c.P50) || !amount(c.P95) || !amount(c.P99) || !amount(c.Noise) {
			return nil, fmt.Errorf("the cell of pool size %d and %d clients in the model's parameters is not a measurement", c.PoolSize, c.Clients)
		}
	}
	return &Model{Parameters: p}, nil
}
