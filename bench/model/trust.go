package model

import (
	"fmt"
	"math"
	"strconv"
)

// good is the error that a prediction may have and still be called one.
const good = 0.10

// outside tells whether a cell lies beyond the measured pool sizes.
func (m *Model) outside(size int) bool {
	sizes := m.Parameters.PoolSizes
	return size < sizes[0] || size > sizes[len(sizes)-1]
}

// doubt is about the standard error of a predicted throughput, relative: what sizes left out of the fit were missed by, how far the other parameters that the
// measurements allow move it, and the noise of what was measured.
func (m *Model) doubt(size, clients int) float64 {
	p := m.Parameters
	cross := p.Inside
	if m.outside(size) || cross.Sizes == 0 {
		cross = CrossError{RMS: max(p.Edge.RMS, p.Inside.RMS)}
	}
	whole := Part{p.Station, p.OverheadUS}.tps(size, clients, p.ThinkUS*1e-6)
	var moved float64 // by two standard errors
	for _, part := range p.Parts {
		moved = max(moved, math.Abs(math.Log(part.tps(size, clients, p.ThinkUS*1e-6)/whole)))
	}
	if m.outside(size) {
		moved *= 2 // what sets in only there, the measurements cannot show
	}
	return math.Hypot(max(cross.RMS, p.Noise), moved/2)
}

// trust decides whether a prediction may be believed to within 10%, and says why or why not.
func (m *Model) trust(size, clients int, doubt float64) (bool, string) {
	p := m.Parameters
	first, last := p.PoolSizes[0], p.PoolSizes[len(p.PoolSizes)-1]
	most, fewest := p.Clients[len(p.Clients)-1], p.Clients[0]
	cross, tried := p.Inside, "sizes left out of the fit"
	if m.outside(size) {
		cross, tried = p.Edge, "the outermost sizes, left out of the fit,"
	}
	switch {
	case size > 2*last:
		return false, fmt.Sprintf("pool size %d is more than twice the largest measured, %d", size, last)
	case 2*size < first:
		return false, fmt.Sprintf("pool size %d is less than half the smallest measured, %d", size, first)
	case clients > 2*most:
		return false, fmt.Sprintf("%s clients are more than twice the most measured, %s", whole(float64(clients)), whole(float64(most)))
	case 2*clients < fewest:
		return false, fmt.Sprintf("%d clients are less than half the fewest measured, %d", clients, fewest)
	case cross.Sizes == 0:
		return false, fmt.Sprintf("%s measured are too few to try the model on one that it was not fitted to", counted(len(p.PoolSizes), "pool size"))
	case cross.Worst > good:
		return false, fmt.Sprintf("%s were missed by up to %s", tried, percent(cross.Worst))
	case p.FitError > good:
		return false, fmt.Sprintf("the model misses what was measured by %s", percent(p.FitError))
	case p.Noise > good/2:
		return false, fmt.Sprintf("the measurements' own noise is %s: measure longer, or more rounds", percent(p.Noise))
	case 2*doubt > good:
		return false, fmt.Sprintf("what was measured leaves it open, by a factor of %s either way", strconv.FormatFloat(math.Exp(2*doubt), 'f', 2, 64))
	}
	return true, fmt.Sprintf("%s were missed by at most %s", tried, percent(cross.Worst))
}
