package model

import (
	"fmt"
	"math"
)

// Lines say in words what was fitted, how well, and where it ends.
func (m *Model) Lines() []string {
	p := m.Parameters
	lines := []string{p.Station.words(), p.outside()}
	inner := p.Station.inner(min(maxPool, 4*p.PoolSizes[len(p.PoolSizes)-1]))
	most, knee := capacity(inner)
	if knee < len(inner) {
		lines = append(lines, fmt.Sprintf("so the most that it can do is %s/s, which %s reach", figure(most), counted(knee, "busy server")))
	} else {
		lines = append(lines, fmt.Sprintf("so more servers carry more, as far as this can be seen: %s/s with %s", figure(most), counted(len(inner), "busy server")))
	}
	lines = append(lines, fmt.Sprintf("it misses the measured throughputs by %s", percent(p.FitError)))
	if p.Inside.Sizes > 0 {
		lines = append(lines, fmt.Sprintf("pool sizes left out of the fit: those between others were missed by %s, by %s at worst", percent(p.Inside.RMS), percent(p.Inside.Worst)))
	}
	if p.Edge.Sizes > 0 {
		lines = append(lines, fmt.Sprintf("and the outermost by up to %s", percent(p.Edge.Worst)))
	}
	first, last := p.PoolSizes[0], p.PoolSizes[len(p.PoolSizes)-1]
	s := fmt.Sprintf("measured were pool sizes %d to %d with %s to %s clients; it is not to be trusted beyond twice that", first, last, whole(float64(p.Clients[0])), whole(float64(p.Clients[len(p.Clients)-1])))
	if ok, why := m.trust((first+last+1)/2, p.Clients[len(p.Clients)-1], m.doubt((first+last+1)/2, p.Clients[len(p.Clients)-1])); !ok {
		s = fmt.Sprintf("it is not to be trusted at sizes that were not measured: %s", why)
	}
	return append(lines, s)
}

// words describe the database as the fit sees it.
func (s Station) words() string {
	service := spanOf(s.ServiceUS * 1e-6)
	if s.Shape == ShapeUSL {
		u := USL{Lambda: 1e6 / s.ServiceUS, Sigma: s.Sigma, Kappa: s.Kappa}
		out := fmt.Sprintf("the database follows the Universal Scalability Law: %s/s alone, contention sigma %s, coherence kappa %s", figure(u.Lambda), percent(u.Sigma), scientific(u.Kappa))
		if n, _ := u.Peak(); !math.IsInf(n, 1) && n < 1e6 {
			out += fmt.Sprintf(", highest with %s at once", counted(int(math.Round(n)), "transaction"))
		}
		return out
	}
	out := fmt.Sprintf("the database works on %s transactions at once, %s each", short(s.Cores), service)
	if short(s.Cores) == "1" {
		out = fmt.Sprintf("the database works on one transaction at a time, %s each", service)
	}
	if s.Kappa*1024 > 0.01 {
		out += fmt.Sprintf("; each pair at work slows all by %s", percent(2*s.Kappa))
	}
	return out
}

// outside describes the rest of a transaction.
func (p Parameters) outside() string {
	s := fmt.Sprintf("a transaction holds its server for another %s while nobody computes", spanOf(p.Station.DelayUS*1e-6))
	if p.RoundTrips > 0 && p.RTTUS > 0 {
		s += fmt.Sprintf(" (%s round trips of %s)", short(p.RoundTrips), spanOf(p.RTTUS*1e-6))
	}
	return s + fmt.Sprintf(", and spends %s without one", spanOf(p.OverheadUS*1e-6))
}

func scientific(x float64) string { return fmt.Sprintf("%.1e", x) }
