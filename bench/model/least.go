package model

import "math"

// solve solves the small linear system a x = b by elimination with pivoting, after each row and column has been scaled by its diagonal; ok is false where a is
// singular. a and b are used up. a is symmetric, with a diagonal that is not negative.
func solve(a [][]float64, b []float64) (x []float64, ok bool) {
	n := len(b)
	root := make([]float64, n)
	for i := range a {
		if root[i] = math.Sqrt(a[i][i]); !(root[i] > 0) || math.IsInf(root[i], 1) {
			return nil, false
		}
	}
	for i := range a {
		b[i] /= root[i]
		for j := range a {
			a[i][j] /= root[i] * root[j]
		}
	}
	for i := range a {
		p := i
		for r := i + 1; r < n; r++ {
			if math.Abs(a[r][i]) > math.Abs(a[p][i]) {
				p = r
			}
		}
		if !(math.Abs(a[p][i]) > 1e-13) {
			return nil, false
		}
		a[i], a[p], b[i], b[p] = a[p], a[i], b[p], b[i]
		for r := i + 1; r < n; r++ {
			f := a[r][i] / a[i][i]
			for c := i; c < n; c++ {
				a[r][c] -= f * a[i][c]
			}
			b[r] -= f * b[i]
		}
	}
	x = make([]float64, n)
	for i := n - 1; i >= 0; i-- {
		x[i] = b[i]
		for c := i + 1; c < n; c++ {
			x[i] -= a[i][c] * x[c]
		}
		x[i] /= a[i][i]
	}
	for i := range x {
		x[i] /= root[i]
	}
	return x, true
}

// leastSquares moves x, within low and high, to where the sum of the squares of what f returns is (locally) least: Levenberg and Marquardt's method with a
// numerical derivative. f must return the same number of finite values each time.
func leastSquares(x, low, high []float64, f func(x []float64) []float64) (best []float64, sum float64) {
	best = clamp(x, low, high)
	r := f(best)
	sum = squares(r)
	damping := 1e-2
	for range 40 {
		slopes := jacobian(best, low, high, r, f)
		better := false
		for range 8 {
			step, ok := marquardt(slopes, r, damping)
			if ok {
				for i := range step {
					// Parameters are logarithms: a step of more than e^2 leaves the range where the derivative means anything.
					step[i] = best[i] + max(-2, min(2, step[i]))
				}
				next := clamp(step, low, high)
				if nr := f(next); squares(nr) < sum {
					gain := sum - squares(nr)
					best, r, sum = next, nr, squares(nr)
					damping = max(damping/5, 1e-9)
					better = gain > 1e-7*sum
					break
				}
			}
			damping *= 4
		}
		if !better {
			break
		}
	}
	return best, sum
}

// jacobian are the derivatives of f at x, one row a parameter.
func jacobian(x, low, high, r []float64, f func(x []float64) []float64) [][]float64 {
	slopes := make([][]float64, len(x))
	for i := range x {
		if low[i] == high[i] {
			slopes[i] = make([]float64, len(r)) // held: the step leaves it where it is
			continue
		}
		h := 1e-5
		if x[i]+h > high[i] {
			h = -h
		}
		moved := append([]float64(nil), x...)
		moved[i] += h
		slopes[i] = f(moved)
		for j := range slopes[i] {
			slopes[i][j] = (slopes[i][j] - r[j]) / h
		}
	}
	return slopes
}

// marquardt is the step for a damping.
func marquardt(slopes [][]float64, r []float64, damping float64) (step []float64, ok bool) {
	n := len(slopes)
	a, b := make([][]float64, n), make([]float64, n)
	for i := range a {
		a[i] = make([]float64, n)
		for j := range a {
			for k := range r {
				a[i][j] += slopes[i][k] * slopes[j][k]
			}
		}
		for k := range r {
			b[i] -= slopes[i][k] * r[k]
		}
		a[i][i] = a[i][i]*(1+damping) + 1e-9
	}
	return solve(a, b)
}

func clamp(x, low, high []float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = max(low[i], min(high[i], x[i]))
	}
	return out
}

func squares(xs []float64) (sum float64) {
	for _, x := range xs {
		sum += x * x
	}
	return sum
}
