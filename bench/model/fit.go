package model

import (
	"fmt"
	"math"
	"slices"
)

// Fit finds the parameters that explain the points' throughput (weighted by their noise) and latency. Points whose load was below what the server can do, or with many
// failures, are left out. It needs throughput with 3 or more different numbers of servers at work.
func Fit(points []Point, hints Hints) (*Model, error) {
	if err := hints.check(); err != nil {
		return nil, err
	}
	good, err := usable(points)
	if err != nil {
		return nil, err
	}
	if n := levels(good); n < 3 {
		return nil, fmt.Errorf("the model needs throughput with 3 or more different numbers of servers at work, not %d: measure more pool sizes, with at least as many clients", n)
	}
	f := newFitting(good, hints)
	best, other := f.try(ShapeCores), f.try(ShapeUSL)
	if other.score < best.score-2 { // else the first one is preferred, since it says what limits
		best, other = other, best
	}
	return f.finish(best, other), nil
}

// levels is how many numbers of busy servers the points show.
func levels(points []Point) int {
	seen := map[int]bool{}
	for _, p := range points {
		seen[min(p.PoolSize, p.Clients)] = true
	}
	return len(seen)
}

// fitting is what the fits to all points and to parts of them share.
type fitting struct {
	points []Point
	hints  Hints
	known  float64 // delay, seconds
	think  float64 // seconds
	cpu    float64 // of PostgreSQL, seconds a transaction; 0: not known
	pooler float64
	sizes  []int
}

func newFitting(points []Point, hints Hints) *fitting {
	f := &fitting{points: points, hints: hints, known: hints.knownDelay(), think: seconds(hints.Think)}
	var thinks, cpus, poolers []float64
	for _, p := range points {
		if p.Mean > 0 && p.Offered == 0 {
			// Little's law: what is missing between N/X and the latency is not in the latency.
			thinks = append(thinks, max(0, float64(p.Clients)/p.TPS-seconds(p.Mean)))
		}
		if p.ServerCores > 0 {
			cpus = append(cpus, p.ServerCores/p.TPS)
		}
		if p.PoolerCores > 0 {
			poolers = append(poolers, p.PoolerCores/p.TPS)
		}
		f.sizes = append(f.sizes, p.PoolSize)
	}
	if len(thinks) > 0 {
		f.think = median(thinks)
	}
	f.cpu, f.pooler = median(cpus), median(poolers)
	slices.Sort(f.sizes)
	f.sizes = slices.Compact(f.sizes)
	return f
}

// candidate is one shape, fitted.
type candidate struct {
	shape  string
	vector []float64
	part   Part
	inside CrossError
	edge   CrossError
	score  float64 // Akaike's criterion (1974): lower is better, by 2 to matter and by 10 to be sure
}

// try fits a shape to all points, and to all without one pool size each.
func (f *fitting) try(shape string) *candidate {
	least := math.Inf(1)
	c := &candidate{shape: shape}
	for _, start := range f.starts(shape) {
		if v, sum := f.descend(shape, start, f.points); sum < least {
			c.vector, least = v, sum
		}
	}
	c.part = f.part(shape, c.vector)
	var inside, edge []float64
	for i, size := range f.sizes {
		rest := slices.DeleteFunc(slices.Clone(f.points), func(p Point) bool { return p.PoolSize == size })
		if levels(rest) < 3 {
			continue
		}
		v, _ := f.descend(shape, c.vector, rest)
		part := f.part(shape, v)
		rms := f.miss(part, rest, size)
		if i == 0 || i == len(f.sizes)-1 {
			edge = append(edge, rms)
		} else {
			inside = append(inside, rms)
		}
	}
	c.inside, c.edge = crossError(inside), crossError(edge)
	n := float64(len(f.points))
	low, high := f.limits(shape)
	for i := range low {
		if low[i] < high[i] {
			c.score += 2
		}
	}
	// Nothing is believed to better than its spread, so a sum below one a point makes no difference.
	c.score += n * math.Log(max(least/n, 0.5))
	return c
}

// miss is the root mean square of the relative errors at a size that part was not fitted to.
func (f *fitting) miss(part Part, rest []Point, size int) float64 {
	cells := f.missed(part, rest)
	var sum, n float64
	for _, p := range f.points {
		if p.PoolSize != size {
			continue
		}
		tps := part.tps(p.PoolSize, p.Clients, f.think) * nearby(cells, p.PoolSize, p.Clients, 1, Cell.tps)
		e := (tps - p.TPS) / p.TPS
		sum, n = sum+e*e, n+1
	}
	return math.Sqrt(sum / n)
}

func crossError(misses []float64) CrossError {
	if len(misses) == 0 {
		return CrossError{}
	}
	return CrossError{Sizes: len(misses), RMS: math.Sqrt(squares(misses) / float64(len(misses))), Worst: slices.Max(misses)}
}

// missed are the cells' throughputs over the part's.
func (f *fitting) missed(part Part, points []Point) []Cell {
	cells := make([]Cell, 0, len(points))
	for _, p := range points {
		cells = append(cells, Cell{PoolSize: p.PoolSize, Clients: p.Clients, Noise: p.Noise, TPS: p.TPS / part.tps(p.PoolSize, p.Clients, f.think)})
	}
	return cells
}

// tps is a cell's throughput by the part alone.
func (p Part) tps(size, clients int, think float64) float64 {
	k := min(size, clients)
	return closedRate(clients, think+p.OverheadUS*1e-6, p.Station.inner(k))
}

func (c Cell) tps() float64 { return c.TPS }

// finish makes the model of the candidate that was chosen. The other one, unless it is clearly worse, tells how much hangs on the choice.
func (f *fitting) finish(c, other *candidate) *Model {
	p := Parameters{
		Station: c.part.Station, OverheadUS: c.part.OverheadUS, ThinkUS: f.think * 1e6,
		RoundTrips: f.hints.RoundTrips, RTTUS: seconds(f.hints.RTT) * 1e6, ClientLatencyUS: seconds(f.hints.ClientLatency) * 1e6,
		Cores: float64(f.hints.Cores), ServerCPUUS: f.cpu * 1e6, PoolerCPUUS: f.pooler * 1e6,
		PoolSizes: f.sizes, Inside: c.inside, Edge: c.edge, Parts: f.extremes(c.shape, c.vector),
	}
	if other.score < c.score+10 {
		p.Parts = append(p.Parts, other.part)
	}
	var noises, errs []float64
	for _, point := range f.points {
		p.Clients = append(p.Clients, point.Clients)
		noises = append(noises, point.Noise)
	}
	slices.Sort(p.Clients)
	p.Clients = slices.Compact(p.Clients)
	p.Noise = median(noises)
	p.Cells = f.missed(c.part, f.points)
	for _, cell := range p.Cells {
		errs = append(errs, 1/cell.TPS-1)
	}
	p.FitError = math.Sqrt(squares(errs) / float64(len(errs)))
	m := &Model{Parameters: p}
	m.fitLatency(f.points)
	return m
}

// median is 0 of none.
func median(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(xs))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
