package report

import (
	"math"
	"slices"
)

// Spread is a figure over rounds. N is how many rounds had it; with 0 the figure was not measured.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	N      int     `json:"n"`
}

func spreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	return Spread{Median: median(sorted), Low: sorted[0], High: sorted[len(sorted)-1], N: len(sorted)}
}

// median of values that are sorted and not none.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return sorted[n/2-1]/2 + sorted[n/2]/2
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// variance is the unbiased one: values must be two at least.
func variance(values []float64) float64 {
	m, sum := mean(values), 0.0
	for _, v := range values {
		sum += (v - m) * (v - m)
	}
	return sum / float64(len(values)-1)
}

// standardError of the mean of a run's intervals, as a part of it; 0 where they are too few to tell.
func standardError(intervals []float64) float64 {
	if len(intervals) < 4 {
		return 0
	}
	m := mean(intervals)
	if m <= 0 {
		return 0
	}
	return math.Sqrt(variance(intervals)/float64(len(intervals))) / m
}
