package report

import (
	"cmp"
	"slices"
)

// targetsAlpha is the chance that the comparison of two targets by one figure finds a difference in any cell where there is none.
const targetsAlpha = 0.05

// versus compares a target with the first one, cell by cell, by the rounds in which both were measured.
type versus struct {
	base, target string
	cells        []versusCell
	overall      []Ratio // by figure
	assumed      bool    // one round only
}

// versusCell are a cell's ratios.
type versusCell struct {
	Cell
	ratios []Ratio // by figure; those that both sides have measured
}

// of returns the cell's ratio of a figure.
func (c versusCell) of(f figure) (Ratio, bool) {
	i := slices.IndexFunc(c.ratios, func(r Ratio) bool { return r.figure == f })
	if i < 0 {
		return Ratio{}, false
	}
	return c.ratios[i], true
}

// against compares each target but the first with the first.
func against(cells []*merged) []versus {
	var targets []string
	for _, c := range cells {
		targets = appendNew(targets, c.Target)
	}
	var out []versus
	for _, target := range targets[min(1, len(targets)):] {
		if v := compareTargets(targets[0], target, cells); len(v.cells) > 0 {
			out = append(out, v)
		}
	}
	return out
}

func compareTargets(base, target string, cells []*merged) versus {
	v := versus{base: base, target: target}
	sides := map[figure][]opposed{}
	for _, f := range compared() {
		for _, other := range cells {
			for _, b := range cells {
				if other.Target != target || b.Target != base || !sameLoad(b.Cell, other.Cell) {
					continue
				}
				if o, ok := opposePaired(b, other, f); ok {
					o.cell.PoolSize = max(b.PoolSize, other.PoolSize)
					sides[f] = append(sides[f], o)
				}
			}
		}
	}
	for _, f := range compared() {
		// A difference too small to matter between two versions still tells two poolers apart: none is too small here. Each figure is a comparison of its own.
		each, overall := judge(f, sides[f], 0, 2*Options{}.assumed(f), targetsAlpha/float64(len(sides[f])+1))
		for i, r := range each {
			v.add(sides[f][i].cell, r)
		}
		if overall != nil {
			v.overall = append(v.overall, *overall)
		}
	}
	v.sort()
	return v
}

// sort puts the cells into the order of the tables, which a target without a pool has disturbed.
func (v *versus) sort() {
	var order []group
	for _, c := range v.cells {
		if !slices.Contains(order, c.group()) {
			order = append(order, c.group())
		}
	}
	slices.SortStableFunc(v.cells, func(a, b versusCell) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.group()), slices.Index(order, b.group())),
			cmp.Compare(a.PoolSize, b.PoolSize), cmp.Compare(a.Clients, b.Clients), cmp.Compare(a.OfferedRate, b.OfferedRate),
		)
	})
}

func (v *versus) add(c Cell, r Ratio) {
	v.assumed = v.assumed || r.Assumed
	i := slices.IndexFunc(v.cells, func(known versusCell) bool { return known.Cell == c })
	if i < 0 {
		i = len(v.cells)
		v.cells = append(v.cells, versusCell{Cell: c})
	}
	v.cells[i].ratios = append(v.cells[i].ratios, r)
}

// sameLoad tells whether two targets' cells are under the same load. A target that has no pool, or whose pool size is not known, stands beside every pool
// size of the other.
func sameLoad(a, b Cell) bool {
	if a.PoolSize == 0 || b.PoolSize == 0 {
		a.PoolSize, b.PoolSize = 0, 0
	}
	a.Target = b.Target
	return a == b
}
