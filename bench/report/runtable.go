package report

// runTable are all runs, cut ones too.
type runTable struct {
	Head []string
	Rows []runRow
	Cut  bool // there are some
}

type runRow struct {
	Cells []runCell
	Cut   bool
}

// runCell has the words and what they are sorted by.
type runCell struct{ Text, Sort string }

func runsOf(results *Results) *runTable {
	if len(results.Runs) == 0 {
		return nil
	}
	columns := runColumns()
	t := &runTable{}
	var shown []bool
	for _, c := range columns {
		first := c.of(&results.Runs[0]).Text
		measured, differs := false, !c.known
		for i := range results.Runs {
			text := c.of(&results.Runs[i]).Text
			measured = measured || text != dash
			differs = differs || text != first
		}
		shown = append(shown, measured && differs)
		if measured && differs {
			t.Head = append(t.Head, c.name)
		}
	}
	for i := range results.Runs {
		r := &results.Runs[i]
		row := runRow{Cut: r.Cut}
		for j, c := range columns {
			if shown[j] {
				row.Cells = append(row.Cells, c.of(r))
			}
		}
		t.Cut = t.Cut || r.Cut
		t.Rows = append(t.Rows, row)
	}
	return t
}

type runColumn struct {
	name  string
	of    func(*Run) runCell
	known bool // told elsewhere, unless runs differ in it
}

func runColumns() []runColumn {
	word := func(name string, of func(*Run) string) runColumn {
		return runColumn{name: name, of: func(r *Run) runCell {
			if s := of(r); s != "" {
				return runCell{s, s}
			}
			return runCell{dash, ""}
		}}
	}
	value := func(name string, format func(float64) string, of func(*Run) (float64, bool)) runColumn {
		return runColumn{name: name, of: func(r *Run) runCell {
			if v, ok := of(r); ok {
				return runCell{format(v), decimal(v)}
			}
			return runCell{dash, "-1"}
		}}
	}
	positive := func(of func(*Run) float64) func(*Run) (float64, bool) {
		return func(r *Run) (float64, bool) { v := of(r); return v, v > 0 }
	}
	memory := func(of func(*Run) *Usage) func(*Run) (float64, bool) {
		return func(r *Run) (float64, bool) {
			u := of(r)
			if u == nil || u.RSS <= 0 {
				return 0, false
			}
			return float64(u.RSS), true
		}
	}
	workload, protocol := word("workload", func(r *Run) string { return r.Workload }), word("protocol", func(r *Run) string { return r.Protocol })
	workload.known, protocol.known = true, true
	columns := []runColumn{
		word("target", func(r *Run) string { return r.Target }),
		workload, protocol,
		value("round", whole, positive(func(r *Run) float64 { return float64(r.Round) })),
		value("pool", whole, positive(func(r *Run) float64 { return float64(r.PoolSize) })),
		value("clients", whole, positive(func(r *Run) float64 { return float64(r.Clients) })),
		value("offered/s", number, positive(func(r *Run) float64 { return r.OfferedRate })),
		value("between statements", latency, positive(func(r *Run) float64 { return r.ClientLatencyUS })),
		value("to the server", latency, positive(func(r *Run) float64 { return r.ServerLatencyUS })),
		{name: "seconds", of: func(r *Run) runCell {
			mark := ""
			if r.Cut {
				mark = " †"
			}
			return runCell{number(r.Seconds) + mark, decimal(r.Seconds)}
		}},
	}
	for _, f := range []figure{figTPS, figP50, figP90, figP95, figP99, figP999} {
		columns = append(columns, value(f.String(), f.format, f.of))
	}
	return append(columns,
		value("max", latency, positive(func(r *Run) float64 { return r.Latency.Max })),
		value("lag p99", latency, figLag.of),
		value("unfinished", whole, positive(func(r *Run) float64 { return float64(r.Unfinished) })),
		value("pooler µs/tx", number, figPooler.of),
		value("pooler MB", megabytes, memory(func(r *Run) *Usage { return r.Pooler })),
		value("server µs/tx", number, figServer.of),
		value("bench µs/tx", number, figGenerator.of),
		value("queue", latency, figQueue.of),
		word("errors", csvErrors),
	)
}

func whole(v float64) string { return count(int64(v)) }
