package report

import (
	"errors"
	"fmt"
)

// errorsMatter is by how much the share of failed transactions must grow to be worse: 0.1 percentage points.
const errorsMatter = 0.001

// Comparison is what two benches of the same loads differ in: the old one is the base of each ratio.
//
// Cells match by target, workload, protocol, pool size, clients, offered rate and latencies put in between. For TPS, p50, p99 and the pooler's processor
// time a transaction the ratio is that of the geometric means over rounds. Its interval is Student's, with the noise between rounds as the package comment
// tells it, and a floor from the intervals within the runs. All intervals of a Comparison hold together with the chance 1-Alpha (Bonferroni); simulated, 0
// to 2 of 100 comparisons find a difference where there is none at the default of 1%, the most where some cells are ten times as noisy as others. A figure has
// changed where its interval leaves 1 out and the change is relevant (Options). Beside each cell, each figure's mean over all cells is judged, which
// finds a change that is the same everywhere sooner than any cell does.
//
// What it cannot see: that the machine itself was faster or slower on the day of the other bench. Two programs are compared best within one bench, as two targets.
type Comparison struct {
	Alpha   float64        `json:"alpha"`
	Cells   []ComparedCell `json:"cells"`
	Overall []Ratio        `json:"overall,omitempty"` // by figure, over all cells
	OnlyOld []Cell         `json:"only_old,omitempty"`
	OnlyNew []Cell         `json:"only_new,omitempty"`
	Notes   []string       `json:"notes,omitempty"` // what makes the comparison doubtful
}

// ComparedCell is a cell that both benches have measured.
type ComparedCell struct {
	Cell
	Ratios []Ratio `json:"ratios"`
	// Errors are there where either side had transactions that failed and should not have.
	Errors *ErrorChange `json:"errors,omitempty"`
}

// ErrorChange is the share of transactions that failed and were no part of the load. It is worse where it grew by more than 0.1 percentage points.
type ErrorChange struct {
	Old     float64 `json:"old"`
	New     float64 `json:"new"`
	Verdict Verdict `json:"verdict"`
}

// Compare compares two benches. Having no cell in common is an error: nothing would have been compared.
func Compare(old, new *Results, options Options) (Comparison, error) {
	before, after := merge(old), merge(new)
	c := Comparison{Alpha: options.alpha()}
	byCell := map[Cell]*merged{}
	for _, m := range before {
		byCell[m.Cell] = m
	}
	var pairs [][2]*merged
	matched := map[Cell]bool{}
	for _, m := range after {
		if b := byCell[m.Cell]; b != nil {
			pairs = append(pairs, [2]*merged{b, m})
			matched[m.Cell] = true
		} else {
			c.OnlyNew = append(c.OnlyNew, m.Cell)
		}
	}
	for _, m := range before {
		if !matched[m.Cell] {
			c.OnlyOld = append(c.OnlyOld, m.Cell)
		}
	}
	if len(pairs) == 0 {
		return c, errors.New("nothing to compare: the two benches have no load in common (target, workload, protocol, pool size, clients, offered rate and latencies must be the same)")
	}
	c.compare(pairs, options)
	c.doubt(old, new)
	return c, nil
}

func (c *Comparison) compare(pairs [][2]*merged, options Options) {
	sides, places := map[figure][]opposed{}, map[figure][]int{}
	tests := 0
	for _, f := range compared() {
		for i, p := range pairs {
			if o, ok := oppose(p[0], p[1], f); ok {
				sides[f] = append(sides[f], o)
				places[f] = append(places[f], i)
			}
		}
		tests += len(sides[f]) + 1
	}
	c.Cells = make([]ComparedCell, len(pairs))
	for i, p := range pairs {
		c.Cells[i] = ComparedCell{Cell: p[1].Cell, Errors: errorChange(p[0], p[1])}
	}
	for _, f := range compared() {
		each, overall := judge(f, sides[f], options.relevant(f), options.assumed(f), c.Alpha/float64(tests))
		for i, r := range each {
			cell := &c.Cells[places[f][i]]
			cell.Ratios = append(cell.Ratios, r)
		}
		if overall != nil {
			c.Overall = append(c.Overall, *overall)
		}
	}
}

func errorChange(old, new *merged) *ErrorChange {
	if old.unexpected() == 0 && new.unexpected() == 0 {
		return nil
	}
	e := &ErrorChange{Old: share(old.unexpected(), old.attempts()), New: share(new.unexpected(), new.attempts()), Verdict: NoDifference}
	switch {
	case e.New > e.Old+errorsMatter:
		e.Verdict = Worse
	case e.New < e.Old-errorsMatter:
		e.Verdict = Better
	}
	return e
}

func share(of, all int64) float64 {
	if all <= 0 {
		return 0
	}
	return float64(of) / float64(all)
}

// doubt notes what a reader must know.
func (c *Comparison) doubt(old, new *Results) {
	a, b := old.Header, new.Header
	if a.Processor != b.Processor || a.Cores != b.Cores {
		c.note("the machines differ: %d cores, %s; now %d cores, %s", a.Cores, a.Processor, b.Cores, b.Processor)
	}
	if a.System != b.System {
		c.note("the systems differ: %s; now %s", a.System, b.System)
	}
	if a.PostgreSQL != b.PostgreSQL {
		c.note("the servers differ: PostgreSQL %s; now %s", a.PostgreSQL, b.PostgreSQL)
	}
	for _, cell := range c.Cells {
		for _, r := range cell.Ratios {
			if r.Assumed {
				c.note("one round on each side does not show its noise%s", assumption(true))
				return
			}
		}
	}
}

func (c *Comparison) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// Worse tells whether anything became worse beyond the noise: it makes `poolerd bench compare` exit with 1.
func (c Comparison) Worse() bool { return c.count(Worse) > 0 }

// count of ratios and error shares with that verdict.
func (c Comparison) count(v Verdict) int {
	n := 0
	for _, r := range c.Overall {
		if r.Verdict == v {
			n++
		}
	}
	for _, cell := range c.Cells {
		for _, r := range cell.Ratios {
			if r.Verdict == v {
				n++
			}
		}
		if cell.Errors != nil && cell.Errors.Verdict == v {
			n++
		}
	}
	return n
}
