package model

import (
	"fmt"
	"math"
	"slices"
)

// Sample is one measured throughput X at n: n clients, or n servers at saturation.
type Sample struct {
	N     float64 // at least 1
	X     float64 // a second, above 0
	Noise float64 // relative standard error of X; 0: not known
}

// USL is Gunther's Universal Scalability Law: X(n) = lambda n / (1 + sigma (n-1) + kappa n (n-1)). (Neil J. Gunther, Guerrilla Capacity Planning, 2007.)
type USL struct {
	Lambda float64 `json:"lambda_per_s"` // throughput of one alone
	Sigma  float64 `json:"sigma"`        // contention: the share of the work that is serial; 0 and up
	Kappa  float64 `json:"kappa"`        // coherence: what each pair costs each other; 0 and up
}

// At is X(n) for n of at least 1.
func (u USL) At(n float64) float64 {
	return u.Lambda * n / (1 + u.Sigma*(n-1) + u.Kappa*n*(n-1))
}

// Peak is where throughput is highest, N* = sqrt((1-sigma)/kappa), and what it is there. Without coherence it grows for ever: N* is +Inf, and X its limit, which is
// +Inf too where there is no contention either.
func (u USL) Peak() (n, x float64) {
	switch {
	case u.Kappa > 0:
		n = max(1, math.Sqrt(max(0, 1-u.Sigma)/u.Kappa))
		return n, u.At(n)
	case u.Sigma > 0:
		return math.Inf(1), u.Lambda / u.Sigma
	}
	return math.Inf(1), math.Inf(1)
}

// Quality says how well a law fits what it was fitted to.
type Quality struct {
	Points int
	// Error is the root of the mean square of (X(n) - X)/X over the samples, with the degrees of freedom that are left; 0 where none is.
	Error float64
	// Worst is the largest |X(n) - X|/X.
	Worst float64
	// R2 is the share of X's variance that the law explains: at most 1, negative where a constant would do better.
	R2 float64

	parts []USL // fitted without one of the samples each
}

// Interval is where X(n) lies with about 95% confidence, by the jackknife (Tukey 1958) over the samples and the scatter about the law.
func (q Quality) Interval(u USL, n float64) (low, high float64) {
	x := u.At(n)
	var logs []float64
	for _, part := range q.parts {
		logs = append(logs, math.Log(part.At(n)/x))
	}
	half := 2 * math.Hypot(jackknife(logs), q.Error)
	return x * math.Exp(-half), x * math.Exp(half)
}

// jackknife is the standard error that follows from how much an estimate moves when one of its parts is left out.
func jackknife(moves []float64) float64 {
	if len(moves) < 2 {
		return 0
	}
	var mean, sum float64
	for _, m := range moves {
		mean += m
	}
	mean /= float64(len(moves))
	for _, m := range moves {
		sum += (m - mean) * (m - mean)
	}
	return math.Sqrt(sum * float64(len(moves)-1) / float64(len(moves)))
}

// FitUSL fits the law to samples at three or more different n. It minimises the squares of the relative error of n/X, weighted by noise, which is linear in 1/lambda,
// sigma/lambda and kappa/lambda; none of the three becomes negative.
func FitUSL(samples []Sample) (USL, Quality, error) {
	if err := checkSamples(samples); err != nil {
		return USL{}, Quality{}, err
	}
	u := fitUSL(samples)
	q := Quality{Points: len(samples)}
	var sum, mean, total float64
	for _, s := range samples {
		e := (u.At(s.N) - s.X) / s.X
		q.Worst = max(q.Worst, math.Abs(e))
		sum += e * e
		mean += s.X / float64(len(samples))
	}
	var left float64
	for _, s := range samples {
		total += (s.X - mean) * (s.X - mean)
		left += (s.X - u.At(s.N)) * (s.X - u.At(s.N))
	}
	if free := len(samples) - 3; free > 0 {
		q.Error = math.Sqrt(sum / float64(free))
	}
	if q.R2 = 1; total > 0 {
		q.R2 = 1 - left/total
	}
	if distinct(samples) > 3 {
		for i := range samples {
			q.parts = append(q.parts, fitUSL(slices.Delete(slices.Clone(samples), i, i+1)))
		}
	}
	return u, q, nil
}

func checkSamples(samples []Sample) error {
	for _, s := range samples {
		if !(s.N >= 1) || !(s.N <= 1e9) || !(s.X > 0) || !(s.X <= 1e12) || !amount(s.Noise) {
			return fmt.Errorf("a throughput of %v at %v (noise %v) is not a measurement", s.X, s.N, s.Noise)
		}
	}
	if n := distinct(samples); n < 3 {
		return fmt.Errorf("the scalability law needs throughput at 3 or more different sizes, not %d: measure more sizes", n)
	}
	return nil
}

func distinct(samples []Sample) int {
	seen := map[float64]bool{}
	for _, s := range samples {
		seen[s.N] = true
	}
	return len(seen)
}

// fitUSL tries which of the coefficients are 0 and takes the best of the least squares in which none is negative: with three of them that is the exact
// solution of non-negative least squares (Lawson and Hanson 1974).
func fitUSL(samples []Sample) USL {
	var best USL
	least := math.Inf(1)
	for _, free := range [][]int{{0, 1, 2}, {0, 1}, {0, 2}, {0}} {
		c, ok := solveUSL(samples, free)
		if !ok {
			continue
		}
		u := USL{Lambda: 1 / c[0], Sigma: c[1] / c[0], Kappa: c[2] / c[0]}
		var sum float64
		for _, s := range samples {
			e := (1/u.At(s.N) - 1/s.X) * s.X / spread(s.Noise)
			sum += e * e
		}
		if sum < least*(1-1e-9) {
			best, least = u, sum
		}
	}
	return best
}

// solveUSL solves for the free ones of the three coefficients; ok is false where one is negative or the samples do not determine them.
func solveUSL(samples []Sample, free []int) (c [3]float64, ok bool) {
	size := len(free)
	a, b := make([][]float64, size), make([]float64, size)
	for i := range a {
		a[i] = make([]float64, size)
	}
	for _, s := range samples {
		// n/X = c0 + c1 (n-1) + c2 n (n-1), each side by X/n: what is left is relative.
		w := s.X / s.N / spread(s.Noise)
		terms := [3]float64{w, w * (s.N - 1), w * s.N * (s.N - 1)}
		for i, f := range free {
			for j, g := range free {
				a[i][j] += terms[f] * terms[g]
			}
			b[i] += terms[f] * w * s.N / s.X
		}
	}
	x, solved := solve(a, b)
	if !solved {
		return c, false
	}
	for i, f := range free {
		if c[f] = x[i]; c[f] < 0 || math.IsNaN(c[f]) {
			return c, false
		}
	}
	return c, c[0] > 0
}

// spread is the relative standard error that a measurement counts with: no cell is believed to better than 1%, and one of unknown noise to 3%.
func spread(noise float64) float64 {
	if noise == 0 {
		return 0.03
	}
	return math.Hypot(noise, 0.01)
}
