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

// roll remembers the sums of the last full stats_period.
func (p *Pool) roll(now time.Time, period time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rolled.IsZero() {
		p.rolled, p.before = now, p.totals
		return
	}
	if d := now.Sub(p.rolled); period > 0 && d >= period {
		p.last, p.took = p.totals.Minus(p.before), d
		p.rolled, p.before = now, p.totals
	}
}

// tally is what a client did since it was last added to its pool's sums.
type tally struct {
	queries, received, sent, parses, serverParses, binds uint64
	queryTime                                            time.Duration
}
