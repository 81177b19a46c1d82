package model

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Options of Recommend. Zero values mean what the comments say.
type Options struct {
	SLO       *SLO    // nil: no limit of latency
	Tolerance float64 // share of the best throughput that a smaller pool may lack; 0: 0.05
	Hints     Hints   // for the reasons
	Rounds    int     // how often each cell was measured, for the reasons; 0: not known
	// OtherCores is how many processors of the database's machine others used, such as the load generator; 0: none, or not known.
	OtherCores float64
	Unit       string // of throughput; "": "requests/s"
}

// Recommendation is a pool size, and why.
type Recommendation struct {
	PoolSize int // 0 only with an error
	Clients  int // at which it was chosen
	TPS      float64
	P99      time.Duration // 0: not known
	Kept     bool          // the SLO is kept, or there is none

	Best int  // the size with the highest throughput at those clients
	Edge bool // Best is the largest size measured, and gained: larger ones may be better yet

	Text    string   // "pool_size 8: 4,120 requests/s at p99 11 ms; 16 gains 2% and costs 40% more p99"
	Reasons []string // what limits it, how sure it is, what to try
}

// Recommend chooses the smallest pool size whose throughput is within the tolerance, or the noise, of the best one under the highest load that was measured, and that
// keeps the SLO. A larger one is preferred where it does not cost throughput and its p99 is clearly lower. Where no size keeps the SLO under the highest
// load, the next lower load counts.
func Recommend(points []Point, o Options) (Recommendation, error) {
	if o.Tolerance == 0 {
		o.Tolerance = 0.05
	}
	if o.Unit == "" {
		o.Unit = "requests/s"
	}
	if !(o.Tolerance > 0 && o.Tolerance < 1) {
		return Recommendation{}, fmt.Errorf("tolerance %v is not between 0 and 1", o.Tolerance)
	}
	if err := o.Hints.check(); err != nil {
		return Recommendation{}, err
	}
	if o.SLO != nil {
		if err := o.SLO.check(); err != nil {
			return Recommendation{}, err
		}
	}
	loads, err := loadsOf(points)
	if err != nil {
		return Recommendation{}, err
	}
	for _, l := range loads {
		if fit := l.keeping(o.SLO); len(fit) > 0 {
			return o.choose(l, fit, l.load == loads[0].load), nil
		}
	}
	return o.nearest(loads), nil
}

// load is how much was asked: a closed loop of clients, or an open one with a rate.
type load struct {
	clients int
	offered float64
}

func (l load) String() string {
	if l.offered > 0 {
		return figure(l.offered) + "/s"
	}
	return counted(l.clients, "client")
}

// row are the points of one load, one a pool size, ascending.
type row struct {
	load   load
	points []Point
}

// loadsOf sorts the points by load, highest first; rows of only a few of the sizes, such as a search leaves, are left out.
func loadsOf(points []Point) ([]row, error) {
	if len(points) == 0 {
		return nil, errors.New("nothing was measured that a pool size could be chosen by")
	}
	byLoad := map[load][]Point{}
	for _, p := range points {
		if err := p.check(); err != nil {
			return nil, err
		}
		if p.TPS > 0 {
			l := load{p.Clients, p.Offered}
			byLoad[l] = append(byLoad[l], p)
		}
	}
	most := 0
	for l, points := range byLoad {
		slices.SortFunc(points, func(a, b Point) int { return cmp.Or(a.PoolSize-b.PoolSize, cmp.Compare(b.TPS, a.TPS)) })
		byLoad[l] = slices.CompactFunc(points, func(a, b Point) bool { return a.PoolSize == b.PoolSize })
		most = max(most, len(byLoad[l]))
	}
	var rows []row
	for l, points := range byLoad {
		if 3*len(points) >= 2*most {
			rows = append(rows, row{l, points})
		}
	}
	if len(rows) == 0 {
		return nil, errors.New("no measured point has any throughput: look at its errors first")
	}
	slices.SortFunc(rows, func(a, b row) int {
		closed := func(l load) int { return map[bool]int{true: 0, false: 1}[l.offered == 0] }
		return cmp.Or(closed(a.load)-closed(b.load), cmp.Compare(b.load.offered, a.load.offered), b.load.clients-a.load.clients)
	})
	return rows, nil
}

// keeping are the points that may be chosen: those that keep the SLO, without failures unless all have some.
func (r row) keeping(slo *SLO) []Point {
	var fit, sound []Point
	for _, p := range r.points {
		if slo == nil || slo.kept(p) {
			fit = append(fit, p)
			if p.Failed <= failedNoticeably {
				sound = append(sound, p)
			}
		}
	}
	if len(sound) > 0 || slo != nil {
		return sound
	}
	return fit
}

// failedNoticeably is the share of failures beyond which a pool size is not chosen while there is another.
const failedNoticeably = 0.01

// choose picks among fit, the points of r that may be chosen.
func (o Options) choose(r row, fit []Point, highest bool) Recommendation {
	best := slices.MaxFunc(fit, func(a, b Point) int { return cmp.Compare(a.TPS, b.TPS) })
	var pick Point
	for _, p := range fit {
		allowed := max(o.Tolerance, min(2*o.Tolerance, apart(p, best)))
		switch {
		case p.TPS < best.TPS*(1-allowed):
		case pick.PoolSize == 0:
			pick = p
		case p.TPS > pick.TPS*(1-o.Tolerance) && p.P99 > 0 && pick.P99 > 0 && float64(p.P99) < 0.8*float64(pick.P99):
			pick = p
		}
	}
	out := Recommendation{
		PoolSize: pick.PoolSize, Clients: pick.Clients, TPS: pick.TPS, P99: pick.P99, Kept: true, Best: best.PoolSize,
	}
	last := len(r.points) - 1
	out.Edge = last > 0 && best.PoolSize == r.points[last].PoolSize && best.TPS > r.points[last-1].TPS*(1+max(o.Tolerance/2, apart(best, r.points[last-1])))
	out.Text = o.text(r, pick)
	out.Reasons = o.reasons(r, pick, best, out.Edge)
	if !highest {
		out.Reasons = append([]string{fmt.Sprintf("under more than %s no size keeps %s", r.load, o.SLO)}, out.Reasons...)
	}
	return out
}

// apart is the relative difference of two throughputs that noise may make, with about 95% confidence.
func apart(a, b Point) float64 { return 2 * math.Hypot(a.Noise, b.Noise) }

// text is the recommendation in a sentence, beside its neighbours.
func (o Options) text(r row, pick Point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "pool_size %d: %s %s", pick.PoolSize, figure(pick.TPS), o.Unit)
	if pick.P99 > 0 {
		fmt.Fprintf(&b, " at p99 %s", span(pick.P99))
	}
	i := slices.IndexFunc(r.points, func(p Point) bool { return p.PoolSize == pick.PoolSize })
	if i+1 < len(r.points) {
		b.WriteString("; " + beside(pick, r.points[i+1]))
	}
	if i > 0 {
		b.WriteString("; " + beside(pick, r.points[i-1]))
	}
	return b.String()
}

// beside says how another size differs from the one that was chosen.
func beside(pick, other Point) string {
	gain := other.TPS/pick.TPS - 1
	s := fmt.Sprintf("%d ", other.PoolSize)
	changed := true
	switch noise := apart(pick, other); {
	case math.Abs(gain) <= noise && math.Abs(gain) > 0.1:
		s += fmt.Sprintf("differs by %s (within the noise)", percent(gain))
	case math.Abs(gain) <= max(0.005, noise):
		s += "carries as much"
		changed = false
	case gain > 0:
		s += "gains " + percent(gain)
	default:
		s += "loses " + percent(gain)
	}
	if pick.P99 == 0 || other.P99 == 0 {
		return s
	}
	more := float64(other.P99)/float64(pick.P99) - 1
	switch {
	case more >= 0.995:
		s += fmt.Sprintf(" and costs %s times the p99", short(1+more))
	case more > 0.05:
		s += fmt.Sprintf(" and costs %s more p99", percent(more))
	case more < -0.05:
		s += fmt.Sprintf(" at %s less p99", percent(more))
	case !changed:
		s += " at the same p99"
	}
	return s
}

// nearest answers where no size keeps the SLO under any load.
func (o Options) nearest(rows []row) Recommendation {
	var pick Point
	var in row
	for _, r := range rows {
		for _, p := range r.points {
			t := o.SLO.of(p.P50, p.P95, p.P99)
			known := o.SLO.of(pick.P50, pick.P95, pick.P99)
			if pick.PoolSize == 0 || t > 0 && (known == 0 || t < known) {
				pick, in = p, r
			}
		}
	}
	best := slices.MaxFunc(in.points, func(a, b Point) int { return cmp.Compare(a.TPS, b.TPS) })
	out := Recommendation{PoolSize: pick.PoolSize, Clients: pick.Clients, TPS: pick.TPS, P99: pick.P99, Best: best.PoolSize}
	t := o.SLO.of(pick.P50, pick.P95, pick.P99)
	switch {
	case t == 0:
		out.Text = fmt.Sprintf("whether a pool size keeps %s is not known: no point has its latency", o.SLO)
	case t <= o.SLO.Limit:
		out.Text = fmt.Sprintf("no pool size keeps %s without failures: the nearest is pool_size %d under %s, with %s of transactions failed", o.SLO, pick.PoolSize, in.load, percent(pick.Failed))
	default:
		out.Text = fmt.Sprintf("no pool size keeps %s: the nearest is pool_size %d under %s, with %s %s at %s %s", o.SLO, pick.PoolSize, in.load, o.SLO.name(), t.Round(max(time.Microsecond, t.Round(time.Microsecond)/1000)), figure(pick.TPS), o.Unit)
	}
	out.Reasons = append(o.reasons(in, pick, best, false), "try fewer clients, or a lower rate: what waits in a queue cannot be made faster by the pool's size")
	return out
}
