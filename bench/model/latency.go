package model

import (
	"math"
	"time"

	"gonum.org/v1/gonum/mathext"
)

// latency is a mixture: with a probability each, a Gamma distributed time of a given mean and variance after a time of its own, all of them after a fixed part.
// Seconds.
type latency struct {
	fixed float64
	terms []term
}

type term struct{ weight, mean, variance, after float64 }

// closedLatency is the latency of a transaction in the closed network. By the arrival theorem (Sevcik and Mitrani 1981; Lavenberg and Reiser 1980) it finds at
// the station what N-1 clients show there on average. With n < K ahead it holds a server at once; else it waits for n-K+1 departures, whose rate is
// X_in(K): an Erlang distributed time where holds are exponential, and as much more regular as they are (the law of large numbers of renewals).
func closedLatency(size, clients int, think, overhead float64, inner []float64, cv, departing float64) latency {
	l := latency{fixed: overhead}
	k := min(size, clients)
	seen := closed(clients-1, think+overhead, func(n int) float64 { return inner[min(n, k)-1] })
	for n, p := range seen.share {
		if p < 1e-7 {
			continue
		}
		busy := min(n+1, k)
		hold := float64(busy) / inner[busy-1]
		t := term{weight: p, mean: hold, variance: cv * cv * hold * hold}
		if ahead := float64(n - size + 1); ahead > 0 {
			t.mean += ahead / inner[k-1]
			t.variance += ahead * departing / (inner[k-1] * inner[k-1])
		}
		l.terms = append(l.terms, t)
	}
	l.terms = grouped(l.terms, 24)
	return l
}

// grouped joins neighbouring terms (none of them has an "after") until at most about so many are left, keeping mean and variance of the whole.
func grouped(terms []term, most int) []term {
	if len(terms) <= most {
		return terms
	}
	each := (len(terms) + most - 1) / most
	var out []term
	for start := 0; start < len(terms); start += each {
		var g term
		var square float64
		for _, t := range terms[start:min(start+each, len(terms))] {
			g.weight += t.weight
			g.mean += t.weight * t.mean
			square += t.weight * (t.variance + t.mean*t.mean)
		}
		g.mean /= g.weight
		g.variance = max(0, square/g.weight-g.mean*g.mean)
		out = append(out, g)
	}
	return out
}

// above is the probability that the latency is above t.
func (l latency) above(t float64) (p float64) {
	var weights float64
	for _, term := range l.terms {
		p += term.weight * gammaAbove(term.mean, term.variance, t-l.fixed-term.after)
		weights += term.weight
	}
	return p / weights
}

// mean of the mixture.
func (l latency) mean() float64 {
	var sum, weights float64
	for _, t := range l.terms {
		sum += t.weight * (t.mean + t.after)
		weights += t.weight
	}
	return l.fixed + sum/weights
}

// quantile is the time that a share q of transactions stays below; 0 < q < 1.
func (l latency) quantile(q float64) float64 {
	low, high := 0.0, l.mean()
	for range 200 {
		if l.above(high) <= 1-q {
			break
		}
		low, high = high, 2*high
	}
	for range 60 {
		middle := (low + high) / 2
		if l.above(middle) > 1-q {
			low = middle
		} else {
			high = middle
		}
		if high-low < 1e-5*high {
			break
		}
	}
	return high
}

// gammaAbove is the probability that a Gamma distributed time of this mean and variance is above t.
func gammaAbove(mean, variance, t float64) float64 {
	switch {
	case t <= 0:
		return 1
	case !(mean > 0):
		return 0
	case variance <= 1e-12*mean*mean:
		if t < mean {
			return 1
		}
		return 0
	}
	shape := mean * mean / variance
	x := t / mean
	if shape > 200 {
		// Wilson and Hilferty 1931: the cube root of it is all but normal.
		z := (math.Cbrt(x) - (1 - 1/(9*shape))) * 3 * math.Sqrt(shape)
		return math.Erfc(z/math.Sqrt2) / 2
	}
	return mathext.GammaIncRegComp(shape, shape*x)
}

// fitLatency finds the variations that explain the measured quantiles best, one after the other until neither changes, and what is missed then.
func (m *Model) fitLatency(points []Point) {
	p := &m.Parameters
	some := representative(points)
	p.HoldCV, p.ServiceCV = 1, 1
	steps := []float64{0.1, 0.25, 0.4, 0.6, 0.8, 1, 1.25, 1.6, 2, 2.5, 3.2}
	for range 3 {
		before := *p
		for _, cv := range []*float64{&p.HoldCV, &p.ServiceCV} {
			best, least := *cv, m.missedQuantiles(some)
			for _, *cv = range steps {
				if sum := m.missedQuantiles(some); sum < least*(1-1e-6) {
					best, least = *cv, sum
				}
			}
			*cv = best
		}
		if p.HoldCV == before.HoldCV && p.ServiceCV == before.ServiceCV {
			break
		}
	}
	for i, point := range points {
		l := m.closedLatency(point.PoolSize, point.Clients)
		c := &p.Cells[i]
		c.Mean = ratio(point.Mean, l.mean())
		c.P50, c.P95, c.P99 = ratio(point.P50, l.quantile(0.5)), ratio(point.P95, l.quantile(0.95)), ratio(point.P99, l.quantile(0.99))
	}
}

// missedQuantiles is the sum of the squares of the logarithms of predicted over measured quantiles.
func (m *Model) missedQuantiles(points []Point) (sum float64) {
	for _, p := range points {
		l := m.closedLatency(p.PoolSize, p.Clients)
		for _, q := range []struct {
			at       float64
			measured time.Duration
		}{{0.5, p.P50}, {0.95, p.P95}, {0.99, p.P99}} {
			if q.measured > 0 {
				e := math.Log(l.quantile(q.at) / seconds(q.measured))
				sum += e * e
			}
		}
	}
	return sum
}

func ratio(measured time.Duration, predicted float64) float64 { return seconds(measured) / predicted }

// closedLatency is that of a cell by the model, nothing carried over.
func (m *Model) closedLatency(size, clients int) latency {
	p := m.Parameters
	inner := p.Station.inner(min(size, clients))
	return closedLatency(size, clients, p.ThinkUS*1e-6, p.OverheadUS*1e-6, inner, p.HoldCV, p.Station.departing(p.HoldCV, p.ServiceCV, inner[len(inner)-1]))
}

// representative are those points with the most and the fewest clients at each pool size: the variation shows in both, and many more would only cost time.
func representative(points []Point) (some []Point) {
	most, fewest := map[int]Point{}, map[int]Point{}
	for _, p := range points {
		if q, ok := most[p.PoolSize]; !ok || p.Clients > q.Clients {
			most[p.PoolSize] = p
		}
		if q, ok := fewest[p.PoolSize]; !ok || p.Clients < q.Clients {
			fewest[p.PoolSize] = p
		}
	}
	for _, p := range points {
		if p.Clients == most[p.PoolSize].Clients || p.Clients == fewest[p.PoolSize].Clients {
			some = append(some, p)
		}
	}
	return some
}
