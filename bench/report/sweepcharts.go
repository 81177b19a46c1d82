package report

import (
	"fmt"
	"maps"
	"slices"
)

// sweepCharts are the plots of one group: what it does at each pool size and number of clients.
func sweepCharts(id string, cells []*merged, results *Results) []chart {
	p := planeOf(cells)
	pool, clients := results.recommended()
	var out []chart
	add := func(name string, c chart) {
		if len(c.Facets) == 0 {
			return
		}
		c.ID = id + "-" + name
		out = append(out, c)
	}
	if len(p.pools) > 1 {
		add("tps-pool", p.throughputOverPools())
	}
	if len(p.clients) > 1 {
		add("tps-clients", p.throughputOverClients())
	}
	if len(p.pools) > 1 {
		add("latency-pool", p.facetsOverPools("Latency against pool size", latencyAxis(), quantileFigures(), clients))
	}
	if len(p.clients) > 1 {
		add("latency-clients", p.facetsOverClients("Latency against clients", latencyAxis(), quantileFigures(), pool))
	}
	if len(p.clients) > 0 {
		add("distribution", p.distribution(clients))
	}
	cpu := axis{Label: "processor time (µs a transaction)", Unit: "n", Scale: "linear"}
	if len(p.pools) > 1 {
		add("cpu", p.facetsOverPools("Processor time", cpu, processorFigures(), clients))
	} else if len(p.pools) == 1 {
		add("cpu", p.facetsOverClients("Processor time", cpu, processorFigures(), pool))
	}
	if len(p.pools) > 1 {
		add("queue", p.queueOverPools())
	} else if len(p.pools) == 1 {
		add("queue", p.queueOverClients())
	}
	out = append(out, rateCharts(id, cells)...)
	return out
}

func quantileFigures() []figure  { return []figure{figP50, figP95, figP99} }
func processorFigures() []figure { return []figure{figPooler, figServer, figGenerator} }

func latencyAxis() axis    { return axis{Label: "latency", Unit: "us", Scale: "linear"} }
func throughputAxis() axis { return axis{Label: "transactions a second", Unit: "n", Scale: "linear"} }

// seriesName of a figure among others of its kind.
func (f figure) seriesName() string {
	switch f {
	case figPooler:
		return "pooler"
	case figServer:
		return "server"
	case figGenerator:
		return "load generator"
	}
	return f.String()
}

func (p plane) throughputOverPools() chart {
	c := chart{
		Title: "Throughput against pool size", X: poolAxis(p.pools), Y: throughputAxis(),
		Note: "Where a line turns flat, more servers no longer help; bars reach from the lowest to the highest round.",
	}
	c.add(p.linesOverPools(figTPS))
	return c
}

func (p plane) throughputOverClients() chart {
	c := chart{
		Title: "Throughput against clients", X: clientsAxis(p.clients), Y: throughputAxis(),
		Note: "A line that stays level carries more clients without losing any throughput; one that falls is overloaded.",
	}
	c.add(p.linesOverClients(figTPS))
	return c
}

func (p plane) queueOverPools() chart {
	c := chart{Title: "Wait for a server", X: poolAxis(p.pools), Y: axis{"mean wait in the pooler's queue", "us", "linear"}, Note: "The part of the latency that a larger pool can take away."}
	c.add(p.linesOverPools(figQueue))
	c.scaleY(30)
	return c
}

func (p plane) queueOverClients() chart {
	c := chart{Title: "Wait for a server", X: clientsAxis(p.clients), Y: axis{"mean wait in the pooler's queue", "us", "linear"}, Note: "The part of the latency that a larger pool can take away."}
	c.add(p.linesOverClients(figQueue))
	c.scaleY(30)
	return c
}

// linesOverPools has a line for each number of clients.
func (p plane) linesOverPools(f figure) facet {
	out := p.overPools("")
	for j, clients := range p.clients {
		s := newSeries(clientsName(clients), j, len(p.clients), len(p.pools))
		for i, pool := range p.pools {
			s.set(i, p.spread(pool, clients, f))
		}
		out.Series = append(out.Series, s)
	}
	return out
}

// linesOverClients has a line for each pool size.
func (p plane) linesOverClients(f figure) facet {
	out := p.overClients("")
	for j, pool := range p.pools {
		s := newSeries(poolName(pool), j, len(p.pools), len(p.clients))
		for i, clients := range p.clients {
			s.set(i, p.spread(pool, clients, f))
		}
		out.Series = append(out.Series, s)
	}
	return out
}

// facetsOverPools has a facet for each number of clients, and in it a line for each figure.
func (p plane) facetsOverPools(title string, y axis, figures []figure, recommended int) chart {
	c := chart{Title: title, X: poolAxis(p.pools), Y: y}
	for _, clients := range p.clients {
		f := p.overPools(clientsName(clients))
		for k, fig := range figures {
			s := newSeries(fig.seriesName(), k, 0, len(p.pools))
			for i, pool := range p.pools {
				s.set(i, p.spread(pool, clients, fig))
			}
			f.Series = append(f.Series, s)
		}
		c.add(f)
	}
	c.finish(y, clientsName(nearest(p.clients, recommended)))
	return c
}

// facetsOverClients has a facet for each pool size, and in it a line for each figure.
func (p plane) facetsOverClients(title string, y axis, figures []figure, recommended int) chart {
	c := chart{Title: title, X: clientsAxis(p.clients), Y: y}
	for _, pool := range p.pools {
		f := p.overClients(poolName(pool))
		for k, fig := range figures {
			s := newSeries(fig.seriesName(), k, 0, len(p.clients))
			for i, clients := range p.clients {
				s.set(i, p.spread(pool, clients, fig))
			}
			f.Series = append(f.Series, s)
		}
		c.add(f)
	}
	c.finish(y, poolName(nearest(p.pools, recommended)))
	return c
}

// finish chooses what is shown first, and the scale of latencies.
func (c *chart) finish(y axis, first string) {
	if y.Unit == "us" {
		c.scaleY(8)
		c.Note = "Half of the transactions take less than p50, 99 of 100 less than p99."
	} else {
		c.Note = "What each party's processes used: a pool size changes little here unless servers begin to disturb each other."
	}
	c.startAt(first)
}

// rateCharts are the plots of open loops: what each offered rate costs in latency.
func rateCharts(id string, cells []*merged) []chart {
	type place struct{ pool, clients int }
	byPlace := map[place]map[float64]*merged{}
	var order []place
	for _, c := range cells {
		if c.OfferedRate <= 0 {
			continue
		}
		at := place{c.PoolSize, c.Clients}
		if byPlace[at] == nil {
			byPlace[at] = map[float64]*merged{}
			order = append(order, at)
		}
		byPlace[at][c.OfferedRate] = c
	}
	if len(order) == 0 {
		return nil
	}
	x := axis{"offered rate (transactions a second)", "n", "linear"}
	lat := chart{
		ID: id + "-rate-latency", Title: "Latency against offered rate", X: x, Y: latencyAxis(),
		Note: "Counted from when each transaction was due, so that a stall counts for all that it delays. Lag is the part spent before it could be sent.",
	}
	got := chart{ID: id + "-rate-tps", Title: "Throughput against offered rate", X: x, Y: throughputAxis(), Note: "Below the dashed line, the target no longer keeps up with what is offered."}
	for _, at := range order {
		rates := slices.Sorted(maps.Keys(byPlace[at]))
		name := clientsName(at.clients)
		if at.pool > 0 {
			name = fmt.Sprintf("%s, %s", poolName(at.pool), name)
		}
		fl, fg := facet{Name: name, X: rates}, facet{Name: name, X: rates}
		for k, fig := range append(quantileFigures(), figLag) {
			s := newSeries(fig.String(), k, 0, len(rates))
			if fig == figLag {
				s.Style = "dashed"
			}
			for i, rate := range rates {
				s.set(i, byPlace[at][rate].spread(fig))
			}
			fl.Series = append(fl.Series, s)
		}
		done, offered := newSeries("done", 0, 0, len(rates)), newSeries("offered", 5, 0, len(rates))
		offered.Style = "dashed"
		for i, rate := range rates {
			done.set(i, byPlace[at][rate].spread(figTPS))
			offered.set(i, Spread{Median: rate, N: 1})
		}
		fg.Series = []series{done, offered}
		lat.add(fl)
		got.add(fg)
	}
	lat.scaleY(8)
	lat.startAt("")
	got.startAt("")
	out := []chart{lat, got, rateDistribution(id, cells)}
	return slices.DeleteFunc(out, func(c chart) bool { return len(c.Facets) == 0 })
}
