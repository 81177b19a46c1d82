package model

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// SLO is a limit of latency that a share of transactions must keep: 0.99 and 20 ms is "p99=20ms".
type SLO struct {
	// Quantile is above 0 and below 1. Points and predictions know p50, p95 and p99: a quantile between is judged by the next higher, one above 0.99 by p99.
	Quantile float64
	Limit    time.Duration
}

// String is as on the command line: "p99=20ms".
func (s SLO) String() string {
	return "p" + strconv.FormatFloat(math.Round(s.Quantile*1e6)/1e4, 'f', -1, 64) + "=" + s.Limit.String()
}

func (s SLO) check() error {
	if !(s.Quantile > 0 && s.Quantile < 1) {
		return fmt.Errorf("quantile %v of the latency's limit is not between 0 and 1", s.Quantile)
	}
	if s.Limit <= 0 {
		return fmt.Errorf("latency limit %v is not above 0", s.Limit)
	}
	return nil
}

// of is the quantile that s speaks of, or the next higher that is known; 0: not known.
func (s SLO) of(p50, p95, p99 time.Duration) time.Duration {
	switch {
	case s.Quantile <= 0.5 && p50 > 0:
		return p50
	case s.Quantile <= 0.95 && p95 > 0:
		return p95
	}
	return p99
}

// name is of the quantile that of returns.
func (s SLO) name() string {
	switch {
	case s.Quantile <= 0.5:
		return "p50"
	case s.Quantile <= 0.95:
		return "p95"
	}
	return "p99"
}

// kept tells whether a measured point keeps s.
func (s SLO) kept(p Point) bool {
	t := s.of(p.P50, p.P95, p.P99)
	return t > 0 && t <= s.Limit
}
