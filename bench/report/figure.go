package report

// figure is one number of a run.
type figure uint8

const (
	figTPS figure = iota
	figP50
	figP90
	figP95
	figP99
	figP999
	figPooler // processor time a transaction
	figServer
	figGenerator
	figQueue
	figLag // p99
)

// of returns the figure, and false where the run has not measured it: a latency that no transaction had, a process that nobody looked at.
func (f figure) of(r *Run) (float64, bool) {
	switch f {
	case figTPS:
		return r.TPS, r.Seconds > 0
	case figPooler:
		return processor(r.Pooler)
	case figServer:
		return processor(r.Server)
	case figGenerator:
		return processor(r.Generator)
	case figQueue:
		if r.QueueUS == nil {
			return 0, false
		}
		return *r.QueueUS, true
	case figLag:
		if r.Lag == nil || r.Lag.Count == 0 {
			return 0, false
		}
		return r.Lag.P99, true
	}
	return f.quantile(r.Latency), r.Latency.Count > 0
}

func (f figure) quantile(q Quantiles) float64 {
	switch f {
	case figP50:
		return q.P50
	case figP90:
		return q.P90
	case figP95:
		return q.P95
	case figP99:
		return q.P99
	default:
		return q.P999
	}
}

// processor time a transaction, in microseconds. Where there were no transactions there is none.
func processor(u *Usage) (float64, bool) {
	if u == nil || u.CPUPerTransactionUS <= 0 {
		return 0, false
	}
	return u.CPUPerTransactionUS, true
}

func (f figure) String() string {
	return [...]string{"TPS", "p50", "p90", "p95", "p99", "p99.9", "pooler CPU", "server CPU", "generator CPU", "queue wait", "lag p99"}[f]
}

// format writes a value in the figure's unit.
func (f figure) format(v float64) string {
	switch f {
	case figTPS:
		return number(v)
	case figPooler, figServer, figGenerator:
		return number(v)
	default:
		return latency(v)
	}
}

// moreIsBetter tells which way a change is good.
func (f figure) moreIsBetter() bool { return f == figTPS }

// show writes the median, or a dash.
func (f figure) show(s Spread) string {
	if s.N == 0 {
		return dash
	}
	return f.format(s.Median)
}
