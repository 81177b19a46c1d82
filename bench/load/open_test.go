package load

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestOpenLoop: as many start as were scheduled, and each is as old as it is.
func TestOpenLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := must(t, Config{
			Clients: 10, Rate: 100, Arrivals: Even, Warmup: time.Second, Duration: 10 * time.Second,
			Connect: connecting(func(int) func(context.Context) Done {
				return func(ctx context.Context) Done { return work(ctx, "w", 20*time.Millisecond) }
			}),
		})
		if res.Total.Count != res.Scheduled || res.Scheduled < 999 || res.Scheduled > 1001 || res.Unfinished != 0 || res.Offered != 100 {
			t.Errorf("%d of %d scheduled, %d unfinished", res.Total.Count, res.Scheduled, res.Unfinished)
		}
		if res.Lag.Max() > 1 || res.Lag.TotalCount() != res.Scheduled {
			t.Errorf("a lag of %d µs with clients free", res.Lag.Max())
		}
		within(t, "latency", res.Total.Latency.Mean(), 20_000, 0.001)
		if !(SLO{0.99, 21 * time.Millisecond}).Met(res) || (SLO{0.99, 19 * time.Millisecond}).Met(res) {
			t.Error("20 ms are not between 19 and 21")
		}
	})
}

// TestOneServerQueue: Poisson arrivals at one client that needs 10 ms for each are the queue M/D/1, whose mean wait is known: r/(2(1-r)) services at load r.
func TestOneServerQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const load = 0.7
		res := must(t, Config{
			Clients: 1, Rate: load * 100, Warmup: 10 * time.Second, Duration: time.Hour, Seed: 3,
			Connect: connecting(func(int) func(context.Context) Done {
				return func(ctx context.Context) Done { return work(ctx, "w", 10*time.Millisecond) }
			}),
		})
		wait := load / (2 * (1 - load)) * 10_000
		within(t, "lag", res.Lag.Mean(), wait, 0.03)
		within(t, "latency", res.Total.Latency.Mean(), wait+10_000, 0.03)
		within(t, "rate", res.Rate(), load*100, 0.01)
	})
}

// paused is a server that answers in 1 ms, except that it does nothing at all for a while.
type paused struct{ from, until time.Time }

func (p paused) run(ctx context.Context) Done {
	if now := time.Now(); now.After(p.from) && now.Before(p.until) {
		work(ctx, "w", p.until.Sub(now))
	}
	return work(ctx, "w", time.Millisecond)
}

// TestStall: an open loop shows the stall that a closed loop hides.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := func(rate float64) *Result {
			p := paused{time.Now().Add(3 * time.Second), time.Now().Add(3500 * time.Millisecond)}
			return must(t, Config{
				Clients: 8, Rate: rate, Warmup: time.Second, Duration: 10 * time.Second,
				Connect: connecting(func(int) func(context.Context) Done { return p.run }),
			})
		}
		closed, open := run(0), run(1000)
		if p99 := closed.Total.Latency.ValueAtPercentile(99); p99 > 1100 {
			t.Errorf("closed loop: p99 %d µs", p99)
		}
		// 5% of the arrivals came in the pause, and those that came first waited longest; while the queue is worked off, others wait as well.
		if p99 := open.Total.Latency.ValueAtPercentile(99); p99 < 380_000 || p99 > 510_000 {
			t.Errorf("open loop: p99 %d µs", p99)
		}
		if max := open.Total.Latency.Max(); max < 480_000 || max > 505_000 {
			t.Errorf("open loop: max %d µs", max)
		}
		if open.Unfinished != 0 || open.Total.Count != open.Scheduled {
			t.Errorf("%d of %d, %d unfinished", open.Total.Count, open.Scheduled, open.Unfinished)
		}
	})
}

// TestUnfinished: what a stalled server never answers is in the latencies, with the time that it waited.
func TestUnfinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := paused{time.Now().Add(3 * time.Second), time.Now().Add(time.Hour)}
		res := must(t, Config{
			Clients: 4, Rate: 100, Arrivals: Even, Warmup: time.Second, Duration: 4 * time.Second,
			Connect: connecting(func(int) func(context.Context) Done { return p.run }),
		})
		// 2 of 4 s are served; the run is over 1 s after the window, so the rest has waited for 1 to 3 s.
		within(t, "served", float64(res.Total.Count), 200, 0.02)
		within(t, "unfinished", float64(res.Unfinished), 200, 0.02)
		within(t, "all", float64(res.Total.Latency.TotalCount()), float64(res.Scheduled), 0)
		within(t, "p99", float64(res.Total.Latency.ValueAtPercentile(99)), 3e6, 0.02)
		within(t, "p75", float64(res.Total.Latency.ValueAtPercentile(75)), 2e6, 0.02)
		if (SLO{0.5, time.Hour}).Met(res) {
			t.Error("a server that served half of the load keeps no promise")
		}
	})
}

// TestOverload: more than the clients can do is not done, and nobody is asked twice.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := must(t, Config{
			Clients: 2, Rate: 400, Duration: 10 * time.Second,
			Connect: connecting(func(int) func(context.Context) Done {
				return func(ctx context.Context) Done { return work(ctx, "w", 10*time.Millisecond) }
			}),
		})
		within(t, "rate", res.Rate(), 200, 0.01)
		if res.Total.Count+res.Unfinished != res.Scheduled {
			t.Errorf("%d and %d of %d", res.Total.Count, res.Unfinished, res.Scheduled)
		}
		within(t, "longest wait", float64(res.Total.Latency.Max()), 5e6, 0.1)
	})
}

// TestQueueTurns: clients serve in turn, as independent users would.
func TestQueueTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		served := make([]int, 7)
		must(t, Config{
			Clients: len(served), Rate: 100, Arrivals: Even, Duration: 7 * time.Second,
			Connect: connecting(func(i int) func(context.Context) Done {
				return func(ctx context.Context) Done {
					mu.Lock()
					served[i]++
					mu.Unlock()
					return work(ctx, "w", time.Millisecond)
				}
			}),
		})
		for i, n := range served {
			if n < 99 || n > 101 {
				t.Errorf("client %d served %d of 700", i, n)
			}
		}
	})
}
