package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Cell is what each round measures once: a target under a load. Fields are Run's.
type Cell struct {
	Target          string  `json:"target"`
	Workload        string  `json:"workload"`
	Protocol        string  `json:"protocol"`
	PoolSize        int     `json:"pool_size,omitempty"`
	Clients         int     `json:"clients"`
	OfferedRate     float64 `json:"offered_rate,omitempty"`
	ClientLatencyUS float64 `json:"client_latency_us,omitempty"`
	ServerLatencyUS float64 `json:"server_latency_us,omitempty"`
}

// Cell tells which cell the run measured.
func (r *Run) Cell() Cell {
	return Cell{r.Target, r.Workload, r.Protocol, r.PoolSize, r.Clients, r.OfferedRate, r.ClientLatencyUS, r.ServerLatencyUS}
}

// load names the load of a cell without its target: "pool 8, 64 clients, 2,000/s offered".
func (c Cell) load() string {
	parts := make([]string, 0, 3)
	if c.PoolSize > 0 {
		parts = append(parts, fmt.Sprintf("pool %d", c.PoolSize))
	}
	parts = append(parts, plural(c.Clients, "client"))
	if c.OfferedRate > 0 {
		parts = append(parts, number(c.OfferedRate)+"/s offered")
	}
	return strings.Join(parts, ", ")
}

// group is what a table or a page of plots has in common: all cells of a target but for pool size, clients and rate.
type group struct {
	Target, Workload, Protocol       string
	ClientLatencyUS, ServerLatencyUS float64
}

func (c Cell) group() group {
	return group{c.Target, c.Workload, c.Protocol, c.ClientLatencyUS, c.ServerLatencyUS}
}

// conditions names the group without its target: "postgrest, prepared, 1.00 ms to the server".
func (g group) conditions() string {
	parts := make([]string, 0, 4)
	for _, word := range []string{g.Workload, g.Protocol} {
		if word != "" {
			parts = append(parts, word)
		}
	}
	if g.ClientLatencyUS > 0 {
		parts = append(parts, latency(g.ClientLatencyUS)+" between statements")
	}
	if g.ServerLatencyUS > 0 {
		parts = append(parts, latency(g.ServerLatencyUS)+" to the server")
	}
	return strings.Join(parts, ", ")
}

// merged is a cell with its runs.
type merged struct {
	Cell
	runs []*Run // that count, by round
	cut  bool   // they ended early
}

// merge gathers the runs into cells: targets in the header's order, then workloads and protocols as they first appear, then by pool size, clients and rate.
func merge(results *Results) []*merged {
	byCell := map[Cell]*merged{}
	var cells []*merged
	targets, workloads, protocols := slices.Clone(results.Header.Targets), []string{}, []string{}
	for i := range results.Runs {
		run := &results.Runs[i]
		key := run.Cell()
		c := byCell[key]
		if c == nil {
			c = &merged{Cell: key}
			byCell[key] = c
			cells = append(cells, c)
			targets = appendNew(targets, key.Target)
			workloads = appendNew(workloads, key.Workload)
			protocols = appendNew(protocols, key.Protocol)
		}
		c.runs = append(c.runs, run)
	}
	for _, c := range cells {
		c.leaveOutCut()
		slices.SortStableFunc(c.runs, func(a, b *Run) int { return cmp.Compare(a.Round, b.Round) })
	}
	slices.SortStableFunc(cells, func(a, b *merged) int {
		return cmp.Or(
			cmp.Compare(slices.Index(targets, a.Target), slices.Index(targets, b.Target)),
			cmp.Compare(slices.Index(workloads, a.Workload), slices.Index(workloads, b.Workload)),
			cmp.Compare(slices.Index(protocols, a.Protocol), slices.Index(protocols, b.Protocol)),
			cmp.Compare(a.ClientLatencyUS, b.ClientLatencyUS),
			cmp.Compare(a.ServerLatencyUS, b.ServerLatencyUS),
			cmp.Compare(a.PoolSize, b.PoolSize),
			cmp.Compare(a.Clients, b.Clients),
			cmp.Compare(a.OfferedRate, b.OfferedRate),
		)
	})
	return cells
}

func appendNew(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// leaveOutCut keeps the runs that ended early only where there are no others.
func (m *merged) leaveOutCut() {
	whole := slices.DeleteFunc(slices.Clone(m.runs), func(r *Run) bool { return r.Cut })
	if len(whole) > 0 {
		m.runs = whole
	} else {
		m.cut = true
	}
}

// spread of a figure over the cell's rounds.
func (m *merged) spread(f figure) Spread {
	values := make([]float64, 0, len(m.runs))
	for _, r := range m.runs {
		if v, ok := f.of(r); ok {
			values = append(values, v)
		}
	}
	return spreadOf(values)
}

// noise of the throughput as a part of it, as the package comment defines it; 0 where it cannot be told.
func (m *merged) noise() float64 {
	if s := m.spread(figTPS); s.N > 1 && s.Median > 0 {
		return (s.High - s.Low) / 2 / s.Median
	}
	if len(m.runs) == 1 {
		return 2 * standardError(m.runs[0].Intervals)
	}
	return 0
}

// groups are the cells of each group, in order.
func groups(cells []*merged) [][]*merged {
	var out [][]*merged
	for i, c := range cells {
		if i == 0 || cells[i-1].group() != c.group() {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], c)
	}
	return out
}
