package report

import (
	"fmt"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// perDecade is how many points a curve has for each further nine.
const perDecade = 12

// distributionOf adds up the histograms of a cell's rounds; nil where a run has none, or one that cannot be read.
func (m *merged) distributionOf() *hdrhistogram.Histogram {
	var sum *hdrhistogram.Histogram
	for _, r := range m.runs {
		h, err := DecodeHistogram(r.Histogram)
		if err != nil {
			return nil
		}
		if sum == nil {
			sum = h
		} else if sum.Merge(h) > 0 {
			return nil
		}
	}
	if sum == nil || sum.TotalCount() == 0 {
		return nil
	}
	return sum
}

// curves are latencies by percentile, on an axis on which each further nine takes as much room as the one before.
func curves(name string, labels []string, histograms []*hdrhistogram.Histogram) facet {
	most := 0.0
	for _, h := range histograms {
		if h != nil {
			most = max(most, float64(h.TotalCount()))
		}
	}
	f := facet{Name: name}
	for i := 0; ; i++ {
		x := math.Pow(10, float64(i)/perDecade)
		if x > most || i > 7*perDecade {
			break
		}
		f.X = append(f.X, x)
	}
	for j, h := range histograms {
		s := newSeries(labels[j], j, len(histograms), len(f.X))
		s.Style = "curve"
		for i, x := range f.X {
			// Beyond one in as many as were measured, there is only the slowest one.
			if h != nil && x <= float64(h.TotalCount()) {
				v := float64(h.ValueAtPercentile(100 * (1 - 1/x)))
				s.Y[i] = &v
			}
		}
		f.Series = append(f.Series, s)
	}
	return f
}

func distributionChart() chart {
	return chart{
		Title: "Latency distribution", X: axis{"part of the transactions that are faster", "nines", "log"}, Y: axis{"latency", "us", "linear"},
		Note: "All rounds together. A step far to the right is a rare stall that averages hide.",
	}
}

// distribution has a facet for each number of clients, and in it a curve for each pool size.
func (p plane) distribution(recommended int) chart {
	c := distributionChart()
	for _, clients := range p.clients {
		var labels []string
		var histograms []*hdrhistogram.Histogram
		for _, pool := range p.pools {
			if cell := p.cells[[2]int{pool, clients}]; cell != nil {
				labels = append(labels, poolName(pool))
				histograms = append(histograms, cell.distributionOf())
			}
		}
		c.add(curves(clientsName(clients), labels, histograms))
	}
	c.scaleY(8)
	c.startAt(clientsName(nearest(p.clients, recommended)))
	return c
}

// rateDistribution has a facet for each place of an open loop, and in it a curve for each offered rate.
func rateDistribution(id string, cells []*merged) chart {
	c := distributionChart()
	c.ID, c.Title = id+"-rate-distribution", "Latency distribution at offered rates"
	var names []string
	labels, histograms := map[string][]string{}, map[string][]*hdrhistogram.Histogram{}
	for _, cell := range cells {
		if cell.OfferedRate <= 0 {
			continue
		}
		name := clientsName(cell.Clients)
		if cell.PoolSize > 0 {
			name = fmt.Sprintf("%s, %s", poolName(cell.PoolSize), name)
		}
		names = appendNew(names, name)
		labels[name] = append(labels[name], number(cell.OfferedRate)+"/s")
		histograms[name] = append(histograms[name], cell.distributionOf())
	}
	for _, name := range names {
		c.add(curves(name, labels[name], histograms[name]))
	}
	c.scaleY(8)
	c.startAt("")
	return c
}
