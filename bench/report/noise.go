package report

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// contrast is the logarithm of one ratio, and what its cell's rounds tell of its noise.
type contrast struct {
	estimate float64
	variance float64 // of one unit (a round, or a pair of rounds)
	df       int     // degrees of freedom of variance; 0: not known
	scale    float64 // the estimate's variance is the unit's times this
	floor    float64 // the estimate's variance is this at least: what the intervals within the runs tell
}

// interval of a ratio's logarithm.
type interval struct{ low, estimate, high float64 }

// resolution is the least relative noise of a round that is believed: clocks, counters of 10 ms and buckets of three digits allow no less.
const resolution = 0.002

// noise is what the contrasts of one figure, from all cells, tell together of how much it varies from round to round.
type noise struct {
	prior   float64 // variance of a unit that the cells agree on
	weight  float64 // how many degrees of freedom that is worth beside a cell's own; +Inf where the cells are alike
	total   float64 // degrees of freedom of all cells together: no estimate has more
	assumed bool    // no cell has two rounds: prior is the caller's
}

// noiseOf fits the contrasts' variances by a scaled inverse chi-square (G. K. Smyth, "Linear models and empirical Bayes methods for assessing differential
// expression in microarray experiments", 2004, section 6): the more the cells agree, the more each borrows from all.
func noiseOf(contrasts []contrast, assumed float64) noise {
	var known []contrast
	pooled, total := 0.0, 0.0
	for _, c := range contrasts {
		if c.df > 0 {
			known = append(known, c)
			pooled += c.variance * float64(c.df)
			total += float64(c.df)
		}
	}
	if len(known) == 0 {
		return noise{prior: max(assumed, resolution*resolution), weight: math.Inf(1), total: math.Inf(1), assumed: true}
	}
	n := noise{prior: max(pooled/total, resolution*resolution), total: total}
	if len(known) < 3 {
		return n // too few to see whether they agree
	}
	logs, expected := make([]float64, len(known)), 0.0
	for i, c := range known {
		half := float64(c.df) / 2
		logs[i] = math.Log(max(c.variance, resolution*resolution)) - mathext.Digamma(half) + math.Log(half)
		expected += trigamma(half) / float64(len(known))
	}
	beyond := variance(logs) - expected
	if beyond <= 0 {
		n.weight = math.Inf(1)
		return n
	}
	n.weight = 2 * inverseTrigamma(beyond)
	n.prior = max(math.Exp(mean(logs)+mathext.Digamma(n.weight/2)-math.Log(n.weight/2)), resolution*resolution)
	return n
}

// of returns the variance of a unit of c and its degrees of freedom.
func (n noise) of(c contrast) (variance, df float64) {
	own := float64(c.df)
	switch {
	case math.IsInf(n.weight, 1) || own+n.weight == 0:
		variance = n.prior
		df = n.total
	default:
		variance = (n.weight*n.prior + own*c.variance) / (n.weight + own)
		df = min(n.weight+own, n.total)
	}
	return max(variance, resolution*resolution), df
}

// each returns the interval of c that leaves the truth out with the chance alpha.
func (n noise) each(c contrast, alpha float64) interval {
	v, df := n.of(c)
	return around(c.estimate, max(v*c.scale, c.floor), df, alpha)
}

// overall returns the interval of the contrasts' mean. Its variance is what the rounds tell, or what the contrasts' own scatter tells where that is more.
func (n noise) overall(contrasts []contrast, alpha float64) interval {
	k := float64(len(contrasts))
	estimates := make([]float64, len(contrasts))
	sum, df := 0.0, math.Inf(1)
	for i, c := range contrasts {
		v, d := n.of(c)
		estimates[i] = c.estimate
		sum += max(v*c.scale, c.floor)
		df = min(df, d)
	}
	out := around(mean(estimates), sum/(k*k), df, alpha)
	if len(contrasts) < 2 {
		return out
	}
	scatter := around(mean(estimates), variance(estimates)/k, k-1, alpha)
	return interval{min(out.low, scatter.low), out.estimate, max(out.high, scatter.high)}
}

// around is the interval of Student's t; of the normal distribution with infinitely many degrees of freedom.
func around(estimate, variance, df, alpha float64) interval {
	quantile := distuv.UnitNormal.Quantile(1 - alpha/2)
	if !math.IsInf(df, 1) {
		quantile = distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(1 - alpha/2)
	}
	reach := quantile * math.Sqrt(variance)
	return interval{estimate - reach, estimate, estimate + reach}
}

// trigamma is the second derivative of the logarithm of the gamma function, Hurwitz's zeta(2, x).
func trigamma(x float64) float64 { return mathext.Zeta(2, x) }

// inverseTrigamma solves trigamma(y) = x by Newton's method on 1/trigamma, which is convex (Smyth 2004, appendix).
func inverseTrigamma(x float64) float64 {
	if x > 1e7 {
		return 1 / math.Sqrt(x)
	}
	if x < 1e-6 {
		return 1 / x
	}
	y := 0.5 + 1/x
	for range 50 {
		t := trigamma(y)
		step := t * (1 - t/x) / (-2 * mathext.Zeta(3, y))
		y += step
		if -step/y < 1e-8 {
			break
		}
	}
	return y
}
