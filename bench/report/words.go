package report

import "fmt"

// versus prints the ratios of two targets, without their spread where that does not fit.
func (t *tableWriter) versus(v versus) {
	l := v.layout(pairsInWords)
	spread := ", median (lowest..highest)"
	if t.width > 0 && total(l.columnWidths(0)) > t.width {
		l = v.layout(pairsInShort)
		spread = ", median"
	}
	fmt.Fprintf(t, "\n%s beside %s: ratios within a round%s\n", printable(v.target), printable(v.base), spread)
	t.layout(l)
	t.line("  ~: no difference beyond the noise" + assumption(v.assumed))
}

func (v versus) layout(write func(Ratio) string) *layout {
	l := &layout{columns: []textColumn{{title: "load", left: true}}}
	for _, f := range compared() {
		l.columns = append(l.columns, textColumn{title: f.String(), left: true})
	}
	for _, c := range v.cells {
		row := []string{c.load() + printable(v.conditions(c))}
		for _, f := range compared() {
			cell := dash
			if r, ok := c.of(f); ok {
				cell = write(r)
			}
			row = append(row, cell)
		}
		l.row(row...)
	}
	if len(v.overall) > 0 {
		row := []string{v.together()}
		for _, f := range compared() {
			cell := dash
			for _, r := range v.overall {
				if r.figure == f {
					cell = write(r)
				}
			}
			row = append(row, cell)
		}
		l.row(row...)
	}
	return l
}

// pairsInWords writes a ratio with its spread: "1.07 (1.05..1.09)", with a "~" where it is no difference beyond the noise.
func pairsInWords(r Ratio) string {
	if r.Pairs == nil {
		return times(r.Ratio) + mark(r)
	}
	if r.Pairs.N == 1 {
		return times(r.Pairs.Median) + mark(r)
	}
	return fmt.Sprintf("%s (%s..%s)%s", times(r.Pairs.Median), times(r.Pairs.Low), times(r.Pairs.High), mark(r))
}

// pairsInShort writes the median alone.
func pairsInShort(r Ratio) string {
	if r.Pairs == nil {
		return times(r.Ratio) + mark(r)
	}
	return times(r.Pairs.Median) + mark(r)
}

func mark(r Ratio) string {
	if r.Verdict == NoDifference {
		return " ~"
	}
	return ""
}

// times writes a ratio: "1.07".
func times(v float64) string {
	if v >= 1e6 {
		return "∞"
	}
	return fmt.Sprintf("%.2f", v)
}

// assumption says where the noise of one round was not measured.
func assumption(assumed bool) string {
	if !assumed {
		return ""
	}
	return fmt.Sprintf(" (one round does not show its noise: %s is assumed, of latencies %s; --rounds 3 measures it)", percent(0.03), percent(0.10))
}

func (t *tableWriter) model(m *Model) {
	if m == nil {
		return
	}
	fmt.Fprintf(t, "\nModel\n")
	for _, line := range m.Lines {
		t.line("  " + printable(line))
	}
	if len(m.Predictions) == 0 {
		return
	}
	l := &layout{columns: []textColumn{
		{title: "pool"}, {title: "clients"}, {title: "TPS measured"}, {title: "predicted"}, {title: "error"}, {title: "p99 measured", leave: 1}, {title: "predicted", leave: 1}, {title: "", left: true},
	}}
	for _, p := range m.Predictions {
		l.row(predictionRow(p)...)
	}
	t.layout(l)
}

func predictionRow(p Prediction) []string {
	row := []string{dash, count(int64(p.Clients)), dash, number(p.TPS), dash, dash, dash, ""}
	if p.PoolSize > 0 {
		row[0] = count(int64(p.PoolSize))
	}
	if p.MeasuredTPS > 0 {
		row[2] = number(p.MeasuredTPS)
		row[4] = signed(p.Error)
	}
	if p.MeasuredP99 > 0 {
		row[5] = latency(p.MeasuredP99)
	}
	if p.P99 > 0 {
		row[6] = latency(p.P99)
	}
	if !p.Trusted {
		row[7] = "not to be trusted"
	}
	return row
}

// signed writes a change with its sign: "+2.1%".
func signed(v float64) string {
	if v >= 0.0005 {
		return "+" + percent(v)
	}
	return percent(v)
}

func (t *tableWriter) advice(advice []Advice) {
	if len(advice) == 0 {
		return
	}
	fmt.Fprintf(t, "\nAdvice\n")
	for _, a := range advice {
		t.line("  " + printable(a.Severity) + ": " + printable(a.Title))
		for _, e := range a.Evidence {
			t.block("      ", e)
		}
		if a.Remedy != "" {
			t.block("    remedy: ", a.Remedy)
		}
		if a.Pool != "" {
			t.line("    the pool: " + printable(a.Pool))
		}
	}
}

func (t *tableWriter) recommendation(r *Recommendation) {
	if r == nil {
		return
	}
	fmt.Fprintf(t, "\n")
	t.line(printable(r.Text))
	for _, reason := range r.Reasons {
		t.line("  - " + printable(reason))
	}
}
