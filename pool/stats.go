package pool

import (
	"sync"
	"time"

	"poolerd/pool/config"
	"poolerd/pool/metrics"
)

// count changes the sums.
func (p *Pool) count(f func(*metrics.Totals)) {
	p.mu.Lock()
	f(&p.totals)
	p.mu.Unlock()
}

// finish adds what a client did with the server that it gives back, or keeps beyond the end of its transaction.
func (p *Pool) finish(c *Client, now time.Time) {
	p.mu.Lock()
	c.tally.addTo(&p.totals, now)
	p.mu.Unlock()
	c.tally = tally{}
}

// tally is what a client did since it was last added to its pool's sums.
type tally struct {
	assigns, queries, received, sent, parses, serverParses, binds uint64
	queryTime                                                     time.Duration
	began                                                         time.Time // of the transaction under way; zero: there is none
}

func (t *tally) addTo(sums *metrics.Totals, now time.Time) {
	if !t.began.IsZero() {
		sums.Transactions++
		sums.TxTime += now.Sub(t.began)
	}
	sums.ServerAssigns += t.assigns
	sums.Queries += t.queries
	sums.QueryTime += t.queryTime
	sums.Received += t.received
	sums.Sent += t.sent
	sums.Parses += t.parses
	sums.ServerParses += t.serverParses
	sums.Binds += t.binds
}

// marks are what sums were when the last two periods of the averages began.
type marks struct{ older, newer metrics.Totals }

func (m *marks) roll(now metrics.Totals) { m.older, m.newer = m.newer, now }

// period is when the last two periods of the averages began. An average is over the time since the older one: a full stats_period, and what has passed since, as in
// PgBouncer.
type period struct {
	mu           sync.Mutex
	older, newer time.Time
}

// start begins the first period. The one before it is taken to have lasted a second, so that a difference can be divided by it.
func (p *period) start(now time.Time) {
	p.mu.Lock()
	p.older, p.newer = now.Add(-time.Second), now
	p.mu.Unlock()
}

// roll begins the next period if it is due, and gives how long the one that ended took.
func (p *period) roll(now time.Time, length time.Duration) (took time.Duration, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	took = now.Sub(p.newer)
	if length <= 0 || took < length {
		return 0, false
	}
	p.older, p.newer = p.newer, now
	return took, true
}

// since gives how long ago the older period began.
func (p *period) since(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Sub(p.older)
}

// roll begins the next stats_period when it is due, and logs what the last one came to if that is wanted.
func (p *Pooler) roll(now time.Time, conf *config.Config) {
	took, ended := p.stats.roll(now, conf.StatsPeriod)
	if !ended {
		return
	}
	var last metrics.Totals
	for _, pool := range p.allPools() {
		pool.mu.Lock()
		pool.marks.roll(pool.totals)
		last = last.Plus(pool.totals.Minus(pool.marks.older))
		pool.mu.Unlock()
	}
	last = last.Plus(p.consoles.roll())
	if conf.LogStats {
		p.log.Info().Msg("stats: " + last.Averages(took).String())
	}
}

func (c *consoles) roll() metrics.Totals {
	c.totals.mu.Lock()
	defer c.totals.mu.Unlock()
	c.totals.marks.roll(c.totals.all)
	return c.totals.all.Minus(c.totals.marks.older)
}

func (c *consoles) sums() (all, last metrics.Totals) {
	c.totals.mu.Lock()
	defer c.totals.mu.Unlock()
	return c.totals.all, c.totals.all.Minus(c.totals.marks.older)
}
