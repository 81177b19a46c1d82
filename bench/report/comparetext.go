package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// WriteJSON writes the comparison as one indented JSON object.
func (c Comparison) WriteJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	if err := out.Encode(c); err != nil {
		return fmt.Errorf("writing the comparison as JSON: %w", err)
	}
	return nil
}

// WriteText writes the comparison for a terminal that is width columns wide (0: no limit): ratios by cell, what changed with its figures, what could not be
// compared, and the verdict in the last line.
func (c Comparison) WriteText(w io.Writer, width int) error {
	t := &tableWriter{w: w, width: width}
	for _, n := range c.Notes {
		t.line("note: " + printable(n))
	}
	fmt.Fprintf(t, "new over old: ratio (%s interval of all together)\n", percent(1-c.Alpha))
	t.ratios(c)
	t.changes(c, Worse)
	t.changes(c, Better)
	t.missing("measured in the old bench only", c.OnlyOld)
	t.missing("measured in the new bench only", c.OnlyNew)
	switch worse, better := c.count(Worse), c.count(Better); {
	case worse > 0:
		t.line(fmt.Sprintf("worse beyond the noise: %s", plural(worse, "figure")))
	case better > 0:
		t.line(fmt.Sprintf("better beyond the noise: %s; none is worse", plural(better, "figure")))
	default:
		t.line("no difference beyond the noise")
	}
	return t.err
}

func (t *tableWriter) ratios(c Comparison) {
	l := &layout{columns: []textColumn{{title: "load", left: true}}}
	for i, f := range compared() {
		l.columns = append(l.columns, textColumn{title: f.String(), left: true, leave: []int{0, 2, 0, 1}[i]})
	}
	l.columns = append(l.columns, textColumn{title: "failed", left: true})
	for _, cell := range c.Cells {
		row := []string{c.nameOf(cell.Cell)}
		for _, f := range compared() {
			row = append(row, ratioOf(cell.Ratios, f))
		}
		failed := dash
		if cell.Errors != nil {
			failed = percent(cell.Errors.Old) + " to " + percent(cell.Errors.New)
		}
		l.row(append(row, failed)...)
	}
	if len(c.Overall) > 0 {
		row := []string{"all together"}
		for _, f := range compared() {
			row = append(row, ratioOf(c.Overall, f))
		}
		l.row(append(row, dash)...)
	}
	t.layout(l)
	t.line("  ~: no difference beyond the noise")
}

// nameOf a cell, without what all have in common.
func (c Comparison) nameOf(cell Cell) string {
	name := cell.load()
	if slices.ContainsFunc(c.Cells, func(o ComparedCell) bool { return o.group().conditions() != cell.group().conditions() }) {
		name = printable(cell.group().conditions()) + ", " + name
	}
	if slices.ContainsFunc(c.Cells, func(o ComparedCell) bool { return o.Target != cell.Target }) {
		name = printable(cell.Target) + ", " + name
	}
	return name
}

func ratioOf(ratios []Ratio, f figure) string {
	i := slices.IndexFunc(ratios, func(r Ratio) bool { return r.figure == f })
	if i < 0 {
		return dash
	}
	return withInterval(ratios[i]) + mark(ratios[i])
}

func withInterval(r Ratio) string {
	return fmt.Sprintf("%s (%s..%s)", times(r.Ratio), times(r.Low), times(r.High))
}

// changes lists what has the verdict, with the figures of both sides.
func (t *tableWriter) changes(c Comparison, v Verdict) {
	for _, cell := range c.Cells {
		for _, r := range cell.Ratios {
			if r.Verdict == v {
				t.line(fmt.Sprintf("  %s: %s: %s %s to %s, %s", v, c.nameOf(cell.Cell), r.Figure, r.figure.format(r.Base), r.figure.format(r.Other), withInterval(r)))
			}
		}
		if e := cell.Errors; e != nil && e.Verdict == v {
			t.line(fmt.Sprintf("  %s: %s: failed %s to %s", v, c.nameOf(cell.Cell), percent(e.Old), percent(e.New)))
		}
	}
	for _, r := range c.Overall {
		if r.Verdict == v {
			t.line(fmt.Sprintf("  %s: all together: %s, %s", v, r.Figure, withInterval(r)))
		}
	}
}

func (t *tableWriter) missing(what string, cells []Cell) {
	for i, cell := range cells {
		if i == 12 {
			t.line(fmt.Sprintf("  %s: %d more", what, len(cells)-i))
			return
		}
		name := printable(cell.Target) + ", " + cell.load()
		if conditions := cell.group().conditions(); conditions != "" {
			name += ", " + printable(conditions)
		}
		t.line("  " + what + ": " + name)
	}
}
