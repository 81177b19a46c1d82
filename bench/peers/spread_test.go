package main

import "testing"

func TestSpread(t *testing.T) {
	for name, tc := range map[string]struct {
		values []float64
		want   string
	}{
		"none": {nil, "-"},
		"one":  {[]float64{2}, "2.0 (2.0..2.0)"},
		"odd":  {[]float64{9, 1, 2}, "2.0 (1.0..9.0)"},
		"even": {[]float64{4, 1, 2, 3}, "2.5 (1.0..4.0)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := spreadOf(tc.values).format(1); got != tc.want {
				t.Fatalf("spread of %v = %s; want %s", tc.values, got, tc.want)
			}
		})
	}
}

// TestPairing divides only within a round: rounds that one peer lacks are left
// out, and so is a division by zero.
func TestPairing(t *testing.T) {
	a := map[int]float64{0: 10, 1: 30, 2: 50, 4: 8}
	b := map[int]float64{0: 10, 1: 20, 3: 1, 4: 0}
	if got := spreadOf(ratios(a, b)).format(2); got != "1.25 (1.00..1.50)" {
		t.Fatalf("ratios: %s", got)
	}
	if got := spreadOf(differences(a, b)).format(0); got != "8 (0..10)" {
		t.Fatalf("differences: %s", got)
	}
}
