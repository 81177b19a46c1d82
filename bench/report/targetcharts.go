package report

import (
	"maps"
	"slices"
)

// targetCharts put targets side by side: ratios to the first, and the figures themselves.
func targetCharts(cells []*merged, comparisons []versus) []chart {
	cpu := axis{"processor time (µs a transaction)", "n", "linear"}
	all := []chart{
		ratioChart(comparisons),
		besideChart("beside-tps", "Throughput of the targets", throughputAxis(), cells, figTPS),
		besideChart("beside-p99", "p99 of the targets", axis{"p99 latency", "us", "linear"}, cells, figP99),
		besideChart("beside-cpu", "Processor time of the poolers", cpu, cells, figPooler),
	}
	return slices.DeleteFunc(all, func(c chart) bool { return len(c.Facets) == 0 })
}

// ratioChart has a facet for each figure of each pair, and in it points for each pool size.
func ratioChart(comparisons []versus) chart {
	one := 1.0
	c := chart{
		ID: "ratios", Title: "Ratio to the first target", X: axis{"clients", "n", "linear"}, Y: axis{"ratio", "ratio", "linear"}, Reference: &one,
		Note: "Taken within each round; bars reach from the lowest to the highest, and hollow points are no difference beyond the noise.",
	}
	for _, v := range comparisons {
		for _, f := range compared() {
			name := f.String()
			if len(comparisons) > 1 {
				name = v.target + ": " + name
			}
			c.add(v.ratios(name, f))
		}
	}
	if len(comparisons) == 1 {
		c.Title = "Ratio of " + comparisons[0].target + " to " + comparisons[0].base
	} else if len(comparisons) > 1 {
		c.Title = "Ratio to " + comparisons[0].base
	}
	for _, f := range c.Facets {
		c.X.Scale = spacing(ints(f.X))
	}
	return c
}

func ints(values []float64) []int {
	out := make([]int, len(values))
	for i, v := range values {
		out[i] = int(v)
	}
	return out
}

// ratios of one figure under closed loops, over clients. Where loads differ in more than pool size and clients, each has lines of its own.
func (v versus) ratios(name string, f figure) facet {
	clients := map[int]bool{}
	type line struct {
		group group
		pool  int
	}
	var lines []line
	conditions := map[group]bool{}
	for _, cell := range v.cells {
		if _, ok := cell.of(f); !ok || cell.OfferedRate > 0 {
			continue
		}
		clients[cell.Clients], conditions[cell.group()] = true, true
		if at := (line{cell.group(), cell.PoolSize}); !slices.Contains(lines, at) {
			lines = append(lines, at)
		}
	}
	xs := slices.Sorted(maps.Keys(clients))
	out := facet{Name: name, X: floats(xs)}
	for j, l := range lines {
		label := poolName(l.pool)
		if len(conditions) > 1 {
			label += ", " + l.group.conditions()
		}
		s := newSeries(label, j, len(lines), len(xs))
		s.Style = "points"
		s.Hollow = make([]bool, len(xs))
		for _, cell := range v.cells {
			r, ok := cell.of(f)
			if !ok || cell.OfferedRate > 0 || cell.group() != l.group || cell.PoolSize != l.pool || r.Pairs == nil {
				continue
			}
			i := slices.Index(xs, cell.Clients)
			s.set(i, *r.Pairs)
			s.Hollow[i] = r.Verdict == NoDifference
		}
		out.Series = append(out.Series, s)
	}
	return out
}

// besideChart has a facet for each pool size, and in it a line for each target. A target whose pool size is not known stands in all.
func besideChart(id, title string, y axis, cells []*merged, f figure) chart {
	c := chart{ID: id, Title: title, Y: y}
	pools, clients := map[int]bool{}, map[int]bool{}
	var groups []group
	for _, cell := range cells {
		if cell.OfferedRate > 0 {
			continue
		}
		pools[cell.PoolSize], clients[cell.Clients] = true, true
		if !slices.Contains(groups, cell.group()) {
			groups = append(groups, cell.group())
		}
	}
	if len(pools) > 1 {
		delete(pools, 0)
	}
	xs := slices.Sorted(maps.Keys(clients))
	c.X = clientsAxis(xs)
	names := groupNames(groups)
	for _, pool := range slices.Sorted(maps.Keys(pools)) {
		out := facet{Name: poolName(pool), X: floats(xs)}
		for j, g := range groups {
			s := newSeries(names[j], j, 0, len(xs))
			for _, cell := range cells {
				if cell.group() == g && cell.OfferedRate == 0 && (cell.PoolSize == pool || cell.PoolSize == 0) {
					s.set(slices.Index(xs, cell.Clients), cell.spread(f))
				}
			}
			out.Series = append(out.Series, s)
		}
		c.add(out)
	}
	c.Note = "Medians of the rounds; what differs by less than the bars may be the machine's noise."
	if y.Unit == "us" {
		c.scaleY(8)
	}
	c.startAt("")
	return c
}

// groupNames are the targets' names, with what else tells groups apart.
func groupNames(groups []group) []string {
	conditions, names := map[string]bool{}, make([]string, len(groups))
	for _, g := range groups {
		conditions[g.conditions()] = true
	}
	for i, g := range groups {
		names[i] = g.Target
		if len(conditions) > 1 {
			names[i] += ", " + g.conditions()
		}
	}
	return names
}
