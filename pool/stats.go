package pool

import (
	"runtime/debug"
	"time"

	"poolerd/pool/metrics"
)

// counters are a pool's sums; its lock guards them.
type counters = metrics.Totals

func stack() []byte { return debug.Stack() }

// count changes the sums.
func (p *Pool) count(f func(*counters)) {
	p.mu.Lock()
	f(&p.totals)
	p.mu.Unlock()
}

// finish adds what a client did with the server that it gives back.
func (p *Pool) finish(c *Client, s *Server, now time.Time) {
	p.mu.Lock()
	t := &p.totals
	t.Transactions++
	t.Queries += c.tally.queries
	t.TxTime += now.Sub(s.requests)
	t.QueryTime += c.tally.queryTime
	t.Received += c.tally.received
	t.Sent += c.tally.sent
	t.Parses += c.tally.parses
	t.ServerParses += c.tally.serverParses
	t.Binds += c.tally.binds
	t.ServerAssigns++
	p.mu.Unlock()
	c.tally = tally{}
}

// roll remembers the sums of the last full stats_period, and logs them if that is wanted.
func (p *Pool) roll(now time.Time, period time.Duration, log bool) {
	p.mu.Lock()
	ended := p.rollOver(now, period)
	last, took := p.last, p.took
	p.mu.Unlock()
	if !ended || !log || last.Transactions == 0 && last.Queries == 0 {
		return
	}
	per := func(n uint64) float64 { return float64(n) / took.Seconds() }
	p.pooler.log.Info().Str("database", p.key.Database).Str("user", p.key.User).
		Float64("xacts_per_s", per(last.Transactions)).Float64("queries_per_s", per(last.Queries)).
		Float64("in_bytes_per_s", per(last.Received)).Float64("out_bytes_per_s", per(last.Sent)).
		Dur("xact_time", average(last.TxTime, last.Transactions)).Dur("query_time", average(last.QueryTime, last.Queries)).
		Dur("wait_time", last.WaitTime).Int("pinned", last.Pinned).Uint64("pins", last.Pins).Msg("stats")
}

func average(sum time.Duration, n uint64) time.Duration { return sum / time.Duration(max(n, 1)) }

// rollOver reports whether a period has ended. The lock is held.
func (p *Pool) rollOver(now time.Time, period time.Duration) bool {
	if p.rolled.IsZero() {
		p.rolled, p.before = now, p.totals
		return false
	}
	if d := now.Sub(p.rolled); period > 0 && d >= period {
		p.last, p.took = p.totals.Minus(p.before), d
		p.rolled, p.before = now, p.totals
		return true
	}
	return false
}

// tally is what a client did since it was last added to its pool's sums.
type tally struct {
	queries, received, sent, parses, serverParses, binds uint64
	queryTime                                            time.Duration
}
