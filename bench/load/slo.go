package load

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// SLO is a promise about latency: that a part of all transactions (Quantile, 0.99 for p99) takes Limit at most.
type SLO struct {
	Quantile float64
	Limit    time.Duration
}

// ParseSLO reads "p99=20ms": a percentile from p50 to p99.99, and a duration above 0.
func ParseSLO(text string) (SLO, error) {
	name, limit, found := strings.Cut(strings.TrimSpace(text), "=")
	if !found {
		return SLO{}, fmt.Errorf("SLO %q: must be a percentile, = and a duration, as in p99=20ms", text)
	}
	percent, ok := strings.CutPrefix(strings.TrimSpace(name), "p")
	p, err := strconv.ParseFloat(percent, 64)
	if !ok || err != nil || !(p >= 50 && p <= 99.99) {
		return SLO{}, fmt.Errorf("SLO %q: %q must be a percentile from p50 to p99.99", text, name)
	}
	d, err := time.ParseDuration(strings.TrimSpace(limit))
	if err != nil || d <= 0 || d > highestLimit {
		return SLO{}, fmt.Errorf("SLO %q: %q must be a duration above 0 and at most %v, as in 20ms", text, limit, highestLimit)
	}
	return SLO{Quantile: p / 100, Limit: d}, nil
}

// highestLimit is what can be measured.
const highestLimit = time.Duration(highest) * time.Microsecond

// String gives the form that ParseSLO reads.
func (s SLO) String() string {
	return "p" + strconv.FormatFloat(math.Round(s.Quantile*1e6)/1e4, 'f', -1, 64) + "=" + s.Limit.String()
}

// What a run must do besides keeping the latency.
const (
	leastServed  = 0.98  // of the scheduled transactions
	mostFailures = 0.001 // of all that ended
)

// Met tells whether a run kept the promise. One that ended early, left over 2% of what was scheduled undone, or had over 0.1% of unexpected failures did
// not, however fast the others were.
func (s SLO) Met(r *Result) bool {
	if r.Cut || r.Total.Count == 0 || s.of(r) > s.Limit {
		return false
	}
	return r.Served() >= leastServed && r.FailedPart() <= mostFailures
}

// of gives the quantile of a run's latency.
func (s SLO) of(r *Result) time.Duration {
	return time.Duration(r.Total.Latency.ValueAtPercentile(s.Quantile*100)) * time.Microsecond
}

// Served is the part of the scheduled transactions that succeeded, from 0 to 1; 1 in a closed loop, where nothing is scheduled.
func (r *Result) Served() float64 {
	if r.Scheduled == 0 {
		return 1
	}
	return float64(r.Total.Count) / float64(r.Scheduled)
}

// FailedPart is the part of the window's transactions that failed unexpectedly, from 0 to 1.
func (r *Result) FailedPart() float64 {
	failed := int64(0)
	for _, f := range r.Errors {
		if !f.Expected {
			failed += f.Count
		}
	}
	if failed == 0 {
		return 0
	}
	return float64(failed) / float64(failed+r.Total.Count)
}
