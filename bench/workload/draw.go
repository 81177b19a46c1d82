package workload

import (
	"math"
	"math/rand/v2"
)

// Bounds of the parameters of random_gaussian and random_zipfian (PostgreSQL's documentation, pgbench, "Random Functions").
const (
	minGaussian = 2.0
	minZipfian  = 1.001
	maxZipfian  = 1000.0
)

// draw is the random functions.
func (n *node) draw(s *scope, args *[3]value) (value, error) {
	low, high, err := n.ints(args[0], args[1])
	if err != nil {
		return value{}, err
	}
	switch size := high - low; {
	case low > high:
		return value{}, n.fault("empty range given to random: %d to %d", low, high)
	case size < 0 || size == math.MaxInt64:
		return value{}, n.fault("random range is too large: %d to %d", low, high)
	}
	count := high - low + 1
	if n.op == opRandom {
		return intValue(low + s.random.Int64N(count)), nil
	}
	parameter, err := n.toDouble(args[2])
	if err != nil {
		return value{}, err
	}
	switch n.op {
	case opGaussian:
		if !(parameter >= minGaussian) {
			return value{}, n.fault("gaussian parameter must be at least %f (not %f)", minGaussian, parameter)
		}
		return intValue(low + gaussian(s.random, count, parameter)), nil
	case opExponential:
		if !(parameter > 0) {
			return value{}, n.fault("exponential parameter must be greater than zero (not %f)", parameter)
		}
		return intValue(low + exponential(s.random, count, parameter)), nil
	}
	if !(parameter >= minZipfian && parameter <= maxZipfian) {
		return value{}, n.fault("zipfian parameter must be in range [%.3f, %.0f] (not %f)", minZipfian, maxZipfian, parameter)
	}
	return intValue(low + zipfian(s.random, count, parameter)), nil
}

// gaussian gives 0 to count-1, bell-shaped, cut off at parameter standard deviations.
func gaussian(r *rand.Rand, count int64, parameter float64) int64 {
	x := r.NormFloat64()
	for x < -parameter || x >= parameter {
		x = r.NormFloat64()
	}
	return portion(count, (x+parameter)/(2*parameter))
}

// exponential gives 0 to count-1, small ones most often, cut off where the density has fallen to exp(-parameter).
func exponential(r *rand.Rand, count int64, parameter float64) int64 {
	cut := math.Exp(-parameter)
	u := 1 - r.Float64() // above 0
	return portion(count, -math.Log(cut+(1-cut)*u)/parameter)
}

// portion is a part, from 0 to less than 1, of count. The product may be rounded up to count.
func portion(count int64, part float64) int64 {
	return min(int64(float64(count)*part), count-1)
}

// zipfian gives 0 to count-1, the k-th as often as k to the power of -s. By rejection: Devroye, "Non-Uniform Random Variate Generation", X.6.
func zipfian(r *rand.Rand, count int64, s float64) int64 {
	if count <= 1 {
		return 0
	}
	b := math.Pow(2, s-1)
	for {
		u, v := 1-r.Float64(), r.Float64()
		x := math.Floor(math.Pow(u, -1/(s-1)))
		t := math.Pow(1+1/x, s-1)
		if v*x*(t-1)/(b-1) <= t/b && x <= float64(count) {
			return int64(x) - 1
		}
	}
}
