package main

import (
	"fmt"
	"slices"
)

// spread is a median with the extremes of what it was taken from.
type spread struct {
	median, min, max float64
	count            int
}

// spreadOf returns the spread of values, the zero spread for none. The median
// of an even count is the mean of the two in the middle.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{
		median: (sorted[(n-1)/2] + sorted[n/2]) / 2,
		min:    sorted[0], max: sorted[n-1],
		count: n,
	}
}

// ratios divides a by b round by round, where both rounds were measured and b
// is not 0.
func ratios(a, b map[int]float64) []float64 {
	var out []float64
	for round, x := range a {
		if y, found := b[round]; found && y != 0 {
			out = append(out, x/y)
		}
	}
	return out
}

// differences subtracts b from a round by round, where both were measured.
func differences(a, b map[int]float64) []float64 {
	var out []float64
	for round, x := range a {
		if y, found := b[round]; found {
			out = append(out, x-y)
		}
	}
	return out
}

// format prints the spread as "median (min..max)" with so many decimals, "-"
// when there is nothing to show.
func (s spread) format(decimals int) string {
	if s.count == 0 {
		return "-"
	}
	return fmt.Sprintf("%.*f (%.*f..%.*f)", decimals, s.median, decimals, s.min, decimals, s.max)
}

// formatMedian prints the median alone, "-" when there is nothing to show.
func (s spread) formatMedian(decimals int) string {
	if s.count == 0 {
		return "-"
	}
	return fmt.Sprintf("%.*f", decimals, s.median)
}
