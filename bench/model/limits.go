package model

import (
	"fmt"
	"math"
	"strings"
)

// reasons say what limits the size that was chosen, what lies beyond it, and how sure all that is.
func (o Options) reasons(r row, pick, best Point, edge bool) []string {
	var reasons []string
	add := func(s string) {
		if s != "" {
			reasons = append(reasons, s)
		}
	}
	add(o.limit(pick))
	add(o.fall(r, best))
	if best.PoolSize != pick.PoolSize && best.TPS > pick.TPS {
		more := best.TPS/pick.TPS - 1
		s := fmt.Sprintf("the highest throughput is pool_size %d's, by %s", best.PoolSize, percent(more))
		if more <= apart(pick, best) {
			s += ", which is within the noise"
		}
		add(s + ": the smaller pool is preferred, since it holds fewer of the server's connections")
	}
	first, last := r.points[0].PoolSize, r.points[len(r.points)-1].PoolSize
	switch {
	case len(r.points) == 1:
		add("no other pool size was measured: try --pool-sizes " + around(pick.PoolSize))
	case edge:
		add(fmt.Sprintf("the best is the largest size measured: try --pool-sizes %d,%d", 2*last, 4*last))
	case pick.PoolSize == first && first > 1:
		add("the smallest size measured will do: try --pool-sizes " + below(first))
	}
	if o.SLO != nil && o.SLO.Quantile > 0.99 {
		add(fmt.Sprintf("%s was judged by p99, the highest quantile that is known of all cells", o.SLO))
	}
	if pick.Failed > 0 {
		add(fmt.Sprintf("%s of the transactions failed", percent(pick.Failed)))
	}
	add(o.sure(r))
	return reasons
}

// limit says what keeps the throughput where it is.
func (o Options) limit(p Point) string {
	cores := float64(o.Hints.Cores)
	used := p.ServerCores + p.PoolerCores + o.OtherCores
	cpu := p.ServerCores / p.TPS
	hold := min(float64(p.PoolSize), float64(p.Clients)) / p.TPS
	known := o.Hints.knownDelay()
	switch {
	case p.Offered > 0 && !p.saturated():
		return fmt.Sprintf("the load offers no more than %s/s: a higher rate shows where the limit is", figure(p.Offered))
	case cores > 0 && p.ServerCores >= 0.85*cores:
		return fmt.Sprintf("PostgreSQL's processors are the limit: it used %s of %s; more servers only wait for them", short(p.ServerCores), counted(o.Hints.Cores, "core"))
	case cores > 0 && p.ServerCores > 0 && used >= 0.85*cores:
		return fmt.Sprintf("the machine's processors are the limit: of %s PostgreSQL used %s%s", counted(o.Hints.Cores, "core"), short(p.ServerCores), others(p.PoolerCores, o.OtherCores))
	case p.PoolerCores >= 0.92 && p.PoolerCores <= 1.05 && cores > 1:
		return "the pooler used one whole core: if it runs on no more, it is the limit"
	case known > hold/2:
		return fmt.Sprintf("round trips hold the servers: of the %s that a transaction holds one, %s are spent waiting for the network and the client; more servers, or fewer round trips, carry more", spanOf(hold), spanOf(min(known, hold)))
	case p.Clients <= p.PoolSize:
		return fmt.Sprintf("the clients offer no more: %s cannot use more than %s", counted(p.Clients, "client"), counted(p.Clients, "server"))
	case cpu > 0 && cpu < hold/2:
		return fmt.Sprintf("a transaction holds a server for %s, of which PostgreSQL computes %s: the rest is round trips, locks, the disk, or waiting for a processor", spanOf(hold), spanOf(cpu))
	}
	return ""
}

// others names who used processors beside PostgreSQL.
func others(pooler, other float64) string {
	var parts []string
	if pooler > 0 {
		parts = append(parts, "the pooler "+short(pooler))
	}
	if other > 0 {
		parts = append(parts, "the load generator "+short(other))
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}

// fall says that throughput falls beyond the best size, if it does.
func (o Options) fall(r row, best Point) string {
	last := r.points[len(r.points)-1]
	lost := 1 - last.TPS/best.TPS
	if last.PoolSize == best.PoolSize || lost <= max(o.Tolerance, apart(last, best)) {
		return ""
	}
	s := fmt.Sprintf("beyond pool_size %d throughput falls, by %s at %d: the servers get into each other's way", best.PoolSize, percent(lost), last.PoolSize)
	var samples []Sample
	for _, p := range r.points {
		samples = append(samples, Sample{N: float64(min(p.PoolSize, p.Clients)), X: p.TPS, Noise: p.Noise})
	}
	if u, q, err := FitUSL(samples); err == nil && q.Worst < 0.2 {
		if n, _ := u.Peak(); !math.IsInf(n, 1) {
			s += fmt.Sprintf(" (by the Universal Scalability Law it is highest at about %s)", counted(int(math.Round(n)), "server"))
		}
	}
	return s
}

// sure says how far the figures are to be believed.
func (o Options) sure(r row) string {
	var noises []float64
	for _, p := range r.points {
		if p.Noise > 0 {
			noises = append(noises, p.Noise)
		}
	}
	rounds := ""
	if o.Rounds > 0 {
		rounds = counted(o.Rounds, "round") + ", "
	}
	if len(noises) == 0 {
		return rounds + "noise not known: several rounds would show it"
	}
	noise := median(noises)
	s := fmt.Sprintf("%sstandard error of throughput %s: differences under %s are not told apart", rounds, percent(noise), percent(2*math.Sqrt2*noise))
	if noise > 0.05 {
		s += "; that is much: use more --rounds, or a quieter machine"
	}
	return s
}

// around are sizes to try about one.
func around(size int) string {
	if size == 1 {
		return "1,2,4,8"
	}
	return fmt.Sprintf("%d,%d,%d", max(1, size/2), size, 2*size)
}

// below are sizes to try below one.
func below(size int) string {
	if size/4 >= 1 {
		return fmt.Sprintf("%d,%d,%d", size/4, size/2, size)
	}
	return fmt.Sprintf("%d,%d", size/2, size)
}

func spanOf(seconds float64) string { return span(duration(seconds)) }
