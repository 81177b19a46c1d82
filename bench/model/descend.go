package model

import (
	"math"
)

// A vector holds logarithms of what a shape's fit may change: of service, overhead and kappa first, in seconds, then of the shape's own.
const (
	atService = iota
	atOverhead
	atKappa
	atOwn // cores, or sigma
	atDelay
)

// limits of a vector, as logarithms. What may be 0 has a lower limit that cannot be told from it.
func (f *fitting) limits(shape string) (low, high []float64) {
	low = []float64{math.Log(1e-7), math.Log(1e-8), math.Log(1e-9), 0, math.Log(1e-8)}
	high = []float64{math.Log(100), math.Log(100), math.Log(1), math.Log(1024), math.Log(100)}
	if shape == ShapeUSL {
		low[atOwn], high[atOwn] = math.Log(1e-6), math.Log(1)
		if f.known == 0 {
			high[atDelay] = low[atDelay] // Gunther's law alone: contention and delay cannot both be told from so few sizes
		}
	}
	return low, high
}

// starts are vectors to descend from: the time of one transaction alone, split in several ways between the database and waiting.
func (f *fitting) starts(shape string) [][]float64 {
	most, alone := 0.0, 0.0
	least := math.MaxInt
	for _, p := range f.points {
		most = max(most, p.TPS)
		if k := min(p.PoolSize, p.Clients); k < least {
			least, alone = k, float64(k)/p.TPS
		}
	}
	if shape == ShapeUSL {
		service := max(alone-f.known, alone/20)
		return [][]float64{
			{math.Log(service), math.Log(alone / 50), math.Log(1e-5), math.Log(0.05), math.Log(max(f.known, 1e-8))},
			{math.Log(service), math.Log(alone / 50), math.Log(1e-3), math.Log(0.5), math.Log(max(f.known, 1e-8))},
		}
	}
	var starts [][]float64
	for _, part := range []float64{0.9, 0.4, 0.1} {
		service := alone * part
		starts = append(starts, []float64{
			math.Log(service), math.Log(alone / 50), math.Log(1e-5), math.Log(max(1, most*service)), math.Log(max(alone-service, f.known, alone/100)),
		})
	}
	return starts
}

// part gives a vector its meaning.
func (f *fitting) part(shape string, v []float64) Part {
	s := Station{Shape: shape, ServiceUS: math.Exp(v[atService]) * 1e6, DelayUS: math.Exp(v[atDelay]) * 1e6, Kappa: math.Exp(v[atKappa])}
	if shape == ShapeUSL {
		s.Sigma = math.Exp(v[atOwn])
	} else {
		s.Cores = math.Exp(v[atOwn])
	}
	return Part{Station: s, OverheadUS: math.Exp(v[atOverhead]) * 1e6}
}

// descend fits a shape to points, from a start. The sum is that of squares, in units of the points' own spread.
func (f *fitting) descend(shape string, start []float64, points []Point) (best []float64, sum float64) {
	low, high := f.limits(shape)
	return leastSquares(start, low, high, f.residuals(shape, points))
}

// residuals are how far a vector's throughputs are from those of points, in units of their spread, and what is expected besides.
func (f *fitting) residuals(shape string, points []Point) func(v []float64) []float64 {
	largest := 1
	for _, p := range points {
		largest = max(largest, min(p.PoolSize, p.Clients))
	}
	return func(v []float64) []float64 {
		part := f.part(shape, v)
		inner := part.Station.inner(largest)
		r := make([]float64, 0, len(points)+5)
		for _, p := range points {
			x := closedRate(p.Clients, f.think+part.OverheadUS*1e-6, inner[:min(p.PoolSize, p.Clients)])
			r = append(r, huber(math.Log(x/p.TPS)/spread(p.Noise)))
		}
		return append(r, f.expect(part, largest)...)
	}
}

// huber is a residual whose square is Huber's loss (1964): beyond three standard errors it counts by its size, not by its square, so that one cell that was disturbed
// does not bend the whole.
func huber(r float64) float64 {
	const bend = 3
	if math.Abs(r) <= bend {
		return r
	}
	return math.Copysign(math.Sqrt(bend*(2*math.Abs(r)-bend)), r)
}

// expect are weak expectations, as many in each call, which decide where the points do not: about one standard error each. Contention and overhead are small,
// processors are about as many as the machine has, and their time was measured.
func (f *fitting) expect(part Part, largest int) []float64 {
	s := part.Station
	pairs := s.Kappa * float64(largest) * float64(largest-1) / 3
	overhead := part.OverheadUS / (s.ServiceUS + s.DelayUS) / 2
	r := []float64{pairs, overhead}
	if f.known > 0 {
		// How many round trips there are is known by their count in the protocol; a pooler may save some, or the network take longer.
		r = append(r, math.Log(s.DelayUS*1e-6/f.known)/0.3)
	}
	if s.Shape == ShapeUSL {
		return r
	}
	cores := 4.0
	if f.hints.Cores > 0 {
		cores = float64(f.hints.Cores)
	}
	r = append(r, math.Log(s.Cores/cores)/1.5)
	if f.cpu > 0 {
		r = append(r, expectService(s.ServiceUS*1e-6, f.cpu))
	}
	return r
}

// expectService is the expectation about the time of one transaction in the database: not below its processor time; but well above it where transactions wait there
// for locks, disks or a sleep, which no processor time tells of. So far above counts little more than above.
func expectService(service, cpu float64) float64 {
	x := math.Log(service / cpu)
	if x < 0 {
		return x / 0.5
	}
	return math.Log1p(x)
}
