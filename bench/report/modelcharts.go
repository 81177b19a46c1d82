package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
)

// modelCharts put what the model says beside what was measured.
func modelCharts(results *Results) []chart {
	if results.Model == nil {
		return nil
	}
	_, clients := results.recommended()
	predictions := results.Model.Predictions
	all := []chart{
		modelChart("model-tps", "Throughput: model and measurement", throughputAxis(), predictions, clients, func(p Prediction) (float64, float64) { return p.MeasuredTPS, p.TPS }),
		modelChart("model-p99", "p99: model and measurement", axis{"p99 latency", "us", "linear"}, predictions, clients, func(p Prediction) (float64, float64) { return p.MeasuredP99, p.P99 }),
	}
	return slices.DeleteFunc(all, func(c chart) bool { return len(c.Facets) == 0 })
}

// modelChart is over pool sizes, with a facet for each number of clients; with one pool size it is over clients.
func modelChart(id, title string, y axis, predictions []Prediction, recommended int, of func(Prediction) (measured, predicted float64)) chart {
	pools, clients := map[int]bool{}, map[int]bool{}
	for _, p := range predictions {
		pools[p.PoolSize], clients[p.Clients] = true, true
	}
	c := chart{ID: id, Title: title, Y: y}
	inFacet := func(p Prediction) int { return p.Clients }
	onX := func(p Prediction) int { return p.PoolSize }
	xs, facets, name := slices.Sorted(maps.Keys(pools)), slices.Sorted(maps.Keys(clients)), clientsName
	c.X = poolAxis(xs)
	if len(pools) == 1 {
		inFacet, onX = onX, inFacet
		xs, facets, name = facets, xs, poolName
		c.X = clientsAxis(xs)
	}
	for _, key := range facets {
		measured, predicted, doubtful := newSeries("measured", 0, 0, len(xs)), newSeries("model", 1, 0, len(xs)), newSeries("model, not to be trusted", 2, 0, len(xs))
		measured.Style, predicted.Style, doubtful.Style = "points", "dashed", "points"
		for _, p := range predictions {
			if inFacet(p) != key {
				continue
			}
			i := slices.Index(xs, onX(p))
			m, q := of(p)
			if m > 0 {
				measured.set(i, Spread{Median: m, N: 1})
			}
			switch {
			case q <= 0:
			case p.Trusted:
				predicted.set(i, Spread{Median: q, N: 1})
			default:
				doubtful.set(i, Spread{Median: q, N: 1})
			}
		}
		f := facet{Name: name(key), X: floats(xs), Series: []series{predicted, doubtful, measured}}
		if !predicted.empty() || !doubtful.empty() {
			c.add(f)
		}
	}
	if y.Unit == "us" {
		c.scaleY(8)
	}
	c.Note = modelNote(predictions, of)
	c.startAt(clientsName(recommended))
	return c
}

// modelNote sums up the errors of the predictions that can be checked.
func modelNote(predictions []Prediction, of func(Prediction) (measured, predicted float64)) string {
	var errors []float64
	for _, p := range predictions {
		if m, q := of(p); p.Trusted && m > 0 && q > 0 {
			errors = append(errors, math.Abs(q-m)/m)
		}
	}
	if len(errors) == 0 {
		return "No prediction that is to be trusted stands beside a measurement."
	}
	slices.SortFunc(errors, cmp.Compare[float64])
	return fmt.Sprintf("Where it is to be trusted, the model is off by %s in the median and %s at most.", percent(median(errors)), percent(errors[len(errors)-1]))
}
