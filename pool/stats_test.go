package pool

import (
	"strings"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/pool/metrics"
	"poolerd/wire"
)

// TestCounts: a query is what one ReadyForQuery answers, a transaction is counted when it ends, also for a client that keeps its server, and parses and binds are
// those of named statements: all as in PgBouncer's SHOW STATS.
func TestCounts(t *testing.T) {
	extended := func(name string) []byte {
		b := wire.AppendParse(nil, name, wire.ParseTail("SELECT 1"))
		b = wire.AppendExecute(wire.AppendBind(b, "", name), "")
		return wire.AppendEmpty(b, wire.ClientSync)
	}
	for _, mode := range []config.Mode{config.ModeTransaction, config.ModeSession} {
		t.Run(mode.String(), func(t *testing.T) {
			f := startFake(t)
			p, addr := startPooler(t, f.url(), func(c *config.Config) { c.PoolMode = mode })
			c := logIn(t, addr)
			sums := func() metrics.Totals { return p.Pools()[0].Totals }
			before, sent := sums(), 0
			for _, step := range []struct {
				what                          string
				send                          []byte
				xacts, queries, parses, binds uint64
			}{
				{"a statement", wire.AppendQuery(nil, "SELECT 1"), 1, 1, 0, 0},
				{"the beginning of a transaction", wire.AppendQuery(nil, "BEGIN"), 1, 0, 0, 0},
				{"a statement inside", wire.AppendQuery(nil, "SELECT 1"), 1, 0, 0, 0},
				{"its end", wire.AppendQuery(nil, "COMMIT"), 2, 4, 0, 0},
				{"an unnamed statement", extended(""), 3, 5, 0, 0},
				{"a named one", extended("a"), 4, 6, 1, 1},
				{"that again", wire.AppendEmpty(wire.AppendExecute(wire.AppendBind(nil, "", "a"), ""), wire.ClientSync), 5, 7, 1, 2},
				{"a Sync alone", wire.AppendEmpty(nil, wire.ClientSync), 6, 8, 1, 2},
			} {
				c.send(step.send)
				sent += len(step.send)
				c.swallow(1)
				within(t, "the counts of "+step.what, func() bool {
					got := sums().Minus(before)
					if step.queries == 0 { // inside a transaction nothing is added up yet
						return got.Transactions == step.xacts
					}
					return got.Transactions == step.xacts && got.Queries == step.queries && got.Parses == step.parses && got.Binds == step.binds
				})
			}
			got := sums().Minus(before)
			if want := uint64(1); mode == config.ModeSession && got.ServerAssigns != want {
				t.Errorf("%d assignments in session mode", got.ServerAssigns)
			}
			if got.Received != uint64(sent) {
				t.Errorf("%d bytes received, %d were sent", got.Received, sent)
			}
		})
	}
}

// TestLogOfStats: one line each stats_period, for all pools.
func TestLogOfStats(t *testing.T) {
	f := startFake(t)
	_, addr, log := startLogged(t, f.url(), func(c *config.Config) { c.StatsPeriod, c.LogStats = 300*time.Millisecond, true })
	if got := logIn(t, addr).query("SELECT 1"); got != "CZI" {
		t.Fatal(got)
	}
	within(t, "the log has a line with a transaction", func() bool {
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, `"message":"stats: `) && !strings.Contains(line, "stats: 0 xacts/s") && strings.Contains(line, " queries/s, 0 client parses/s, 0 server parses/s, 0 binds/s, in ") {
				return true
			}
		}
		return false
	})
}

// TestPeriod: an average is over the last full period and what has passed since; before that, over the time since the start and a second.
func TestPeriod(t *testing.T) {
	var p period
	at := func(s int) time.Time { return time.Unix(int64(1000+s), 0) }
	p.start(at(0))
	if got := p.since(at(3)); got != 4*time.Second {
		t.Errorf("at first %v", got)
	}
	if _, ended := p.roll(at(9), 10*time.Second); ended {
		t.Error("the period ended too early")
	}
	if took, ended := p.roll(at(10), 10*time.Second); !ended || took != 10*time.Second {
		t.Errorf("ended %v after %v", ended, took)
	}
	if got := p.since(at(13)); got != 13*time.Second {
		t.Errorf("then %v", got)
	}
	if _, ended := p.roll(at(100), 0); ended {
		t.Error("stats_period = 0 ended")
	}
}
