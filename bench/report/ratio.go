package report

import (
	"cmp"
	"math"
	"slices"
)

// Verdict says what a ratio means.
type Verdict string

// The verdicts.
const (
	Better Verdict = "better"
	Worse  Verdict = "worse"
	// NoDifference is no proof that both are equal: the interval says how much could hide in the noise.
	NoDifference Verdict = "no difference beyond the noise"
)

// Options set how careful a comparison is. The zero value is the default.
type Options struct {
	// Alpha is the chance that a comparison finds any difference where there is none, over all its cells and figures together. 0: 0.01.
	Alpha float64
	// Relevant is the least change of TPS and of processor time that matters, as a part of 1; RelevantP50 and RelevantP99 that of the latencies. What changes less is no
	// difference, however sure. 0: 0.03, 0.05 and 0.10; below 0: none.
	Relevant, RelevantP50, RelevantP99 float64
	// Assumed is the noise of one round (its relative standard deviation) where no cell has two rounds to show it, of TPS and processor time; AssumedLatency of
	// the latencies. 0: 0.03 and 0.10.
	Assumed, AssumedLatency float64
}

func (o Options) alpha() float64 { return cmp.Or(o.Alpha, 0.01) }

// relevant is the least logarithm of a ratio that matters.
func (o Options) relevant(f figure) float64 {
	least := cmp.Or(o.Relevant, 0.03)
	switch f {
	case figP50:
		least = cmp.Or(o.RelevantP50, 0.05)
	case figP99:
		least = cmp.Or(o.RelevantP99, 0.10)
	}
	return math.Log1p(max(least, 0))
}

// assumed is the variance of a round's logarithm.
func (o Options) assumed(f figure) float64 {
	sd := cmp.Or(o.Assumed, 0.03)
	if f == figP50 || f == figP99 {
		sd = cmp.Or(o.AssumedLatency, 0.10)
	}
	return sd * sd
}

// Ratio compares one figure of two sides.
type Ratio struct {
	Figure string  `json:"figure"`         // "TPS", "p50", "p99", "pooler CPU"
	Base   float64 `json:"base,omitempty"` // the medians: of TPS in 1/s, else in microseconds
	Other  float64 `json:"other,omitempty"`
	Ratio  float64 `json:"ratio"` // other over base: the geometric mean over rounds; the largest number where the base is 0
	Low    float64 `json:"low"`   // the interval
	High   float64 `json:"high"`
	// Pairs are the ratios within rounds that both sides have; nil where the sides were not measured in turn.
	Pairs   *Spread `json:"pairs,omitempty"`
	Assumed bool    `json:"noise_assumed,omitempty"` // one round only
	Verdict Verdict `json:"verdict"`

	figure figure
}

// compared are the figures that a comparison judges.
func compared() []figure { return []figure{figTPS, figP50, figP99, figPooler} }

// opposed is a figure of one cell on both sides, before it is judged.
type opposed struct {
	cell        Cell // the other side's
	base, other Spread
	pairs       *Spread
	contrast    contrast
	// only is set where one side is zero throughout, so that there is no logarithm: 0 or the largest number.
	only *float64
}

// oppose takes a figure of two cells whose rounds have nothing to do with each other. False: a side has not measured it.
func oppose(base, other *merged, f figure) (opposed, bool) {
	o := opposed{cell: other.Cell, base: base.spread(f), other: other.spread(f)}
	if o.base.N == 0 || o.other.N == 0 {
		return o, false
	}
	x, y := base.logs(f), other.logs(f)
	if o.zero(len(x), len(y)) {
		return o, o.only != nil
	}
	c := &o.contrast
	c.estimate = mean(values(y)) - mean(values(x))
	c.df = len(x) + len(y) - 2
	c.scale = 1/float64(len(x)) + 1/float64(len(y))
	for _, side := range []map[int]float64{x, y} {
		if len(side) > 1 {
			c.variance += variance(values(side)) * float64(len(side)-1) / float64(c.df)
		}
	}
	c.floor = within(base, f) + within(other, f)
	return o, true
}

// opposePaired takes the rounds that two cells share, in which they were measured in turn. False: there are none.
func opposePaired(base, other *merged, f figure) (opposed, bool) {
	o := opposed{cell: other.Cell, base: base.spread(f), other: other.spread(f)}
	if o.base.N == 0 || o.other.N == 0 {
		return o, false
	}
	x, y := base.logs(f), other.logs(f)
	if o.zero(len(x), len(y)) {
		return o, o.only != nil
	}
	var differences, ratios []float64
	for round, v := range y {
		if b, ok := x[round]; ok {
			differences = append(differences, v-b)
			ratios = append(ratios, math.Exp(v-b))
		}
	}
	if len(differences) == 0 {
		return o, false
	}
	slices.Sort(differences) // the map has no order, and sums depend on it
	pairs := spreadOf(ratios)
	o.pairs = &pairs
	c := &o.contrast
	c.estimate = mean(differences)
	c.df = len(differences) - 1
	c.scale = 1 / float64(len(differences))
	if c.df > 0 {
		c.variance = variance(differences)
	}
	c.floor = within(base, f) + within(other, f)
	return o, true
}

// zero handles sides without any value above 0, given how many logarithms each has.
func (o *opposed) zero(base, other int) bool {
	if base > 0 && other > 0 {
		return false
	}
	if base > 0 {
		v := 0.0
		o.only = &v
	} else if other > 0 {
		v := math.MaxFloat64 // JSON knows no infinity
		o.only = &v
	}
	return true
}

// logs are the logarithms of a figure by round, where it is above 0.
func (m *merged) logs(f figure) map[int]float64 {
	out := map[int]float64{}
	for _, r := range m.runs {
		if v, ok := f.of(r); ok && v > 0 {
			out[r.Round] = math.Log(v)
		}
	}
	return out
}

func values(m map[int]float64) []float64 {
	out := make([]float64, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// within is the variance of a cell's throughput as the intervals within its runs tell it. Other figures have none.
func within(m *merged, f figure) float64 {
	if f != figTPS || len(m.runs) == 0 {
		return 0
	}
	sum := 0.0
	for _, r := range m.runs {
		e := standardError(r.Intervals)
		sum += e * e
	}
	return sum / float64(len(m.runs)*len(m.runs))
}

// judge turns a figure's opposed cells into ratios, and their mean into one over all of them: those under a closed loop where there are any, since an
// open loop's rate is given. It is nil for less than two. Alpha is for each interval; assumed the variance of a round where no cell shows it.
func judge(f figure, cells []opposed, relevant, assumed, alpha float64) (each []Ratio, overall *Ratio) {
	// Open and closed loops have noise of different sizes: each borrows from its own kind only.
	var closed, open []contrast
	for _, o := range cells {
		switch {
		case o.only != nil:
		case o.cell.OfferedRate > 0:
			open = append(open, o.contrast)
		default:
			closed = append(closed, o.contrast)
		}
	}
	ofClosed, ofOpen := noiseOf(closed, assumed), noiseOf(open, assumed)
	for _, o := range cells {
		n := ofClosed
		if o.cell.OfferedRate > 0 {
			n = ofOpen
		}
		r := Ratio{Figure: f.String(), figure: f, Base: o.base.Median, Other: o.other.Median, Pairs: o.pairs, Assumed: n.assumed}
		if o.only != nil {
			r.Ratio, r.Low, r.High, r.Assumed = *o.only, *o.only, *o.only, false
			r.Verdict = verdict(f, *o.only > 1)
		} else {
			r.take(n.each(o.contrast, alpha), relevant)
		}
		each = append(each, r)
	}
	n, together := ofClosed, closed
	if len(together) == 0 {
		n, together = ofOpen, open
	}
	if len(together) > 1 {
		overall = &Ratio{Figure: f.String(), figure: f, Assumed: n.assumed}
		overall.take(n.overall(together, alpha), relevant)
	}
	return each, overall
}

func (r *Ratio) take(i interval, relevant float64) {
	r.Ratio, r.Low, r.High = math.Exp(i.estimate), math.Exp(i.low), math.Exp(i.high)
	r.Verdict = NoDifference
	if (i.low > 0 || i.high < 0) && math.Abs(i.estimate) >= relevant {
		r.Verdict = verdict(r.figure, i.estimate > 0)
	}
}

func verdict(f figure, more bool) Verdict {
	if more == f.moreIsBetter() {
		return Better
	}
	return Worse
}
