package model

import "math"

// extremes are the fits that the points only just allow, with one parameter held higher or lower than it fits best and all others free (profile likelihood, at about 95%
// confidence). They tell what the points leave open: above all how strong the contention is that sets in beyond the largest size measured.
func (f *fitting) extremes(shape string, best []float64) (parts []Part) {
	low, high := f.limits(shape)
	largest := 1
	for _, p := range f.points {
		largest = max(largest, min(p.PoolSize, p.Clients))
	}
	_, least := f.descend(shape, best, f.points)
	// Where the model misses by more than the noise, it allows as much more.
	free := max(1, len(f.points)-len(best))
	allowed := least + 4*max(1, least/float64(free))

	hold := func(at int, value float64, from []float64) ([]float64, bool) {
		start := append([]float64(nil), from...)
		start[at] = value
		lo, hi := append([]float64(nil), low...), append([]float64(nil), high...)
		lo[at], hi[at] = value, value
		v, sum := leastSquares(start, lo, hi, f.residuals(shape, f.points))
		return v, sum <= allowed
	}
	push := func(at int, from, step float64) {
		last, value := best, from
		for range 12 {
			next := max(low[at], min(high[at], value+step))
			v, ok := hold(at, next, last)
			if !ok {
				// The limit lies between: three halvings are near enough.
				if step = step / 2; math.Abs(step) < 0.1 {
					break
				}
				continue
			}
			last, value = v, next
			if next == low[at] || next == high[at] {
				break
			}
		}
		if value != from {
			parts = append(parts, f.part(shape, last))
		}
	}
	// Below a hundredth of a part at the largest size, contention cannot be told from none.
	push(atKappa, max(best[atKappa], math.Log(0.01/float64(largest*largest))), 0.7)
	if v, ok := hold(atKappa, low[atKappa], best); ok {
		parts = append(parts, f.part(shape, v))
	} else {
		push(atKappa, best[atKappa], -0.4)
	}
	push(atOwn, best[atOwn], 0.4)
	push(atOwn, best[atOwn], -0.4)
	return parts
}
