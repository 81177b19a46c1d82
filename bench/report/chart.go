package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// chart is a plot as the page's script draws it, and as the table below it tells it.
type chart struct {
	ID     string  `json:"id"`
	Title  string  `json:"title"`
	Note   string  `json:"-"` // what to look for; one sentence
	X      axis    `json:"x"`
	Y      axis    `json:"y"`
	Facets []facet `json:"facets"` // one is shown at a time
	Start  int     `json:"start"`  // the one that is shown first
	// Reference draws a horizontal line at Y: where ratios are equal.
	Reference *float64 `json:"reference,omitempty"`
}

// axis has a label with its unit. Unit is how values are written: "us", "n" or "ratio"; "nines" takes 1/(1-p) for p. Scale is "linear" or "log".
type axis struct {
	Label string `json:"label"`
	Unit  string `json:"unit"`
	Scale string `json:"scale"`
}

type facet struct {
	Name   string    `json:"name"`
	X      []float64 `json:"x"`
	Series []series  `json:"series"`
}

// series has a value for each X of its facet, or nil.
type series struct {
	Name string `json:"name"`
	// Color is a place in the palette of unrelated things, or with Of > 0 the place of one of so many ordered ones.
	Color int        `json:"color"`
	Of    int        `json:"of,omitempty"`
	Style string     `json:"style,omitempty"` // "": line with points; "dashed"; "points"; "curve": a line without
	Y     []*float64 `json:"y"`
	Low   []*float64 `json:"low,omitempty"`
	High  []*float64 `json:"high,omitempty"`
	// Hollow marks values that are no difference beyond the noise.
	Hollow []bool `json:"hollow,omitempty"`
}

func newSeries(name string, color, of, length int) series {
	return series{Name: name, Color: color, Of: of, Y: make([]*float64, length), Low: make([]*float64, length), High: make([]*float64, length)}
}

// set puts a spread at place i; its ends are drawn where there are several rounds.
func (s *series) set(i int, v Spread) {
	if v.N == 0 || !drawable(v.Median) {
		return
	}
	s.Y[i] = &v.Median
	if v.N > 1 && drawable(v.Low) && drawable(v.High) {
		s.Low[i], s.High[i] = &v.Low, &v.High
	}
}

// drawable leaves out what no axis has a place for: the sums of absurd results.
func drawable(v float64) bool { return math.Abs(v) < 1e15 }

func (s *series) empty() bool {
	return !slices.ContainsFunc(s.Y, func(v *float64) bool { return v != nil })
}

// add puts the facet into the chart if it has anything to show.
func (c *chart) add(f facet) {
	f.Series = slices.DeleteFunc(f.Series, func(s series) bool { return s.empty() })
	if len(f.Series) > 0 {
		c.Facets = append(c.Facets, f)
	}
}

// startAt shows the facet of that name first, else the one before the last: the last load of a sweep is often beyond what anyone wants.
func (c *chart) startAt(name string) {
	c.Start = max(0, len(c.Facets)-2)
	if i := slices.IndexFunc(c.Facets, func(f facet) bool { return f.Name == name }); i >= 0 {
		c.Start = i
	}
}

// scaleY makes the axis logarithmic where the values lie further apart than times.
func (c *chart) scaleY(times float64) {
	low, high := 0.0, 0.0
	for _, f := range c.Facets {
		for _, s := range f.Series {
			for _, v := range s.Y {
				if v != nil && (low == 0 || *v < low) {
					low = *v
				}
				if v != nil {
					high = max(high, *v)
				}
				if v != nil && *v <= 0 {
					return
				}
			}
		}
	}
	if low > 0 && high/low > times {
		c.Y.Scale = "log"
		c.Y.Label += ", logarithmic"
	}
}

// chartTable is what a chart shows, in words: for those who cannot see it, or want the figures.
type chartTable struct {
	Head []string
	Rows [][]string
}

// Table of the chart's values.
func (c chart) Table() chartTable {
	var names []string
	for _, f := range c.Facets {
		for _, s := range f.Series {
			names = appendNew(names, s.Name)
		}
	}
	faceted := len(c.Facets) > 1
	t := chartTable{Head: append([]string{c.X.Label}, names...)}
	if faceted {
		t.Head = append([]string{""}, t.Head...)
	}
	for _, f := range c.Facets {
		for i, x := range f.X {
			row := make([]string, 0, len(t.Head))
			if faceted {
				row = append(row, f.Name)
			}
			row = append(row, c.X.write(x))
			for _, name := range names {
				row = append(row, c.cell(f, name, i))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

func (c chart) cell(f facet, name string, i int) string {
	at := slices.IndexFunc(f.Series, func(s series) bool { return s.Name == name })
	if at < 0 || f.Series[at].Y[i] == nil {
		return dash
	}
	s := f.Series[at]
	text := c.Y.write(*s.Y[i])
	if s.Low[i] != nil && s.High[i] != nil {
		text += fmt.Sprintf(" (%s..%s)", c.Y.write(*s.Low[i]), c.Y.write(*s.High[i]))
	}
	if s.Hollow != nil && s.Hollow[i] {
		text += " ~"
	}
	return text
}

// write a value in the axis's unit.
func (a axis) write(v float64) string {
	switch a.Unit {
	case "us":
		return latency(v)
	case "ratio":
		return times(v)
	case "nines":
		return strconv.FormatFloat(100*(1-1/v), 'g', 6, 64) + "%"
	}
	return number(v)
}

// The axes that several charts share.
func poolAxis(pools []int) axis {
	return axis{Label: "pool size (servers)", Unit: "n", Scale: spacing(pools)}
}

func clientsAxis(clients []int) axis {
	return axis{Label: "clients", Unit: "n", Scale: spacing(clients)}
}

// spacing is logarithmic where sizes grow by factors.
func spacing(sizes []int) string {
	if len(sizes) > 2 && sizes[0] > 0 && sizes[len(sizes)-1] >= 6*sizes[0] {
		return "log"
	}
	return "linear"
}

// plane are the cells of a group under a closed loop, by pool size and clients.
type plane struct {
	pools, clients []int
	cells          map[[2]int]*merged
}

func planeOf(cells []*merged) plane {
	p := plane{cells: map[[2]int]*merged{}}
	pools, clients := map[int]bool{}, map[int]bool{}
	for _, c := range cells {
		if c.OfferedRate > 0 {
			continue
		}
		p.cells[[2]int{c.PoolSize, c.Clients}] = c
		pools[c.PoolSize], clients[c.Clients] = true, true
	}
	p.pools, p.clients = slices.Sorted(maps.Keys(pools)), slices.Sorted(maps.Keys(clients))
	return p
}

// spread of a figure in a cell; none where the cell was not measured.
func (p plane) spread(pool, clients int, f figure) Spread {
	c := p.cells[[2]int{pool, clients}]
	if c == nil {
		return Spread{}
	}
	return c.spread(f)
}

// overPools is a facet whose X is the pool size, overClients one whose X is the number of clients.
func (p plane) overPools(name string) facet   { return facet{Name: name, X: floats(p.pools)} }
func (p plane) overClients(name string) facet { return facet{Name: name, X: floats(p.clients)} }

func floats(sizes []int) []float64 {
	out := make([]float64, len(sizes))
	for i, n := range sizes {
		out[i] = float64(n)
	}
	return out
}

func poolName(pool int) string {
	if pool == 0 {
		return "no pool size"
	}
	return "pool " + count(int64(pool))
}

func clientsName(clients int) string { return plural(clients, "client") }

// recommended pool size and clients, or zeroes.
func (r *Results) recommended() (pool, clients int) {
	if r.Recommendation == nil {
		return 0, 0
	}
	return r.Recommendation.PoolSize, r.Recommendation.Clients
}

// nearest is the size that is recommended, or where none is, or was not measured, the one before the last.
func nearest(sizes []int, recommended int) int {
	if slices.Contains(sizes, recommended) {
		return recommended
	}
	return sizes[max(0, len(sizes)-2)]
}
