package report

// comparisonTable are ratios of targets, as the page shows them.
type comparisonTable struct {
	Head []string
	Rows []comparisonRow
	Key  string
}

type comparisonRow struct {
	Name  string
	Cells []comparisonCell
	Sum   bool // over all loads
}

// comparisonCell is a ratio, its spread over rounds, and what it means.
type comparisonCell struct{ Text, More, Class string }

func comparisonOf(comparisons []versus) *comparisonTable {
	t := &comparisonTable{Head: []string{"load"}, Key: "Ratio within a round: median (lowest..highest). ~: no difference beyond the noise"}
	for _, f := range compared() {
		t.Head = append(t.Head, f.String())
	}
	assumed := false
	for _, v := range comparisons {
		assumed = assumed || v.assumed
		t.Rows = append(t.Rows, comparisonRow{Name: v.target + " to " + v.base})
		for _, c := range v.cells {
			row := comparisonRow{Name: c.load() + v.conditions(c)}
			for _, f := range compared() {
				r, ok := c.of(f)
				row.Cells = append(row.Cells, comparisonCellOf(r, ok))
			}
			t.Rows = append(t.Rows, row)
		}
		if len(v.overall) > 0 {
			t.Rows = append(t.Rows, v.sumRow())
		}
	}
	t.Key += assumption(assumed) + "."
	return t
}

// sumRow is the mean over loads.
func (v versus) sumRow() comparisonRow {
	row := comparisonRow{Name: v.together(), Sum: true}
	for _, f := range compared() {
		cell := comparisonCell{Text: dash}
		for _, r := range v.overall {
			if r.figure == f {
				cell = comparisonCellOf(r, true)
			}
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}

func comparisonCellOf(r Ratio, ok bool) comparisonCell {
	if !ok {
		return comparisonCell{Text: dash}
	}
	cell := comparisonCell{Text: times(r.Ratio)}
	if r.Pairs != nil {
		cell.Text = times(r.Pairs.Median)
		if r.Pairs.N > 1 {
			cell.More = "(" + times(r.Pairs.Low) + ".." + times(r.Pairs.High) + ")"
		}
	}
	switch r.Verdict {
	case NoDifference:
		cell.Class, cell.Text = "same", cell.Text+" ~"
	default:
		cell.Class = string(r.Verdict)
	}
	return cell
}

// together names what the ratios over all loads cover.
func (v versus) together() string {
	open, closed := false, false
	for _, c := range v.cells {
		open = open || c.OfferedRate > 0
		closed = closed || c.OfferedRate == 0
	}
	if open && closed {
		return "all closed loops together"
	}
	return "all together"
}

// conditions of a cell, where the cells compared differ in them.
func (v versus) conditions(c versusCell) string {
	for _, other := range v.cells {
		if other.group().conditions() != c.group().conditions() {
			return ", " + c.group().conditions()
		}
	}
	return ""
}
