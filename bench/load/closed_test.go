package load

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestClosedLoop: what ends in the window counts, to the transaction.
func TestClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened, closed time.Time
		var progress []float64
		start := time.Now()
		res := must(t, Config{
			Clients: 4, Warmup: time.Second, Duration: 2 * time.Second,
			Connect: connecting(func(i int) func(context.Context) Done {
				name, d := "slow", 30*time.Millisecond
				if i == 0 {
					name, d = "fast", 10*time.Millisecond
				}
				return func(ctx context.Context) Done { return work(ctx, name, d) }
			}),
			Opened: func() { opened = time.Now() }, Closed: func() { closed = time.Now() },
			Progress: func(part float64) { progress = append(progress, part) },
		})
		if opened.Sub(start) != time.Second || closed.Sub(start) != 3*time.Second || res.Window != 2*time.Second || !res.Started.Equal(opened) || res.Cut {
			t.Errorf("the window: %v to %v, %v long, cut %v", opened.Sub(start), closed.Sub(start), res.Window, res.Cut)
		}
		// A transaction that ends at the very moment of an end is on either side of it.
		fast, slow := res.ByName["fast"], res.ByName["slow"]
		if fast.Count < 199 || fast.Count > 201 || slow.Count < 3*66 || slow.Count > 3*67 || res.Total.Count != fast.Count+slow.Count {
			t.Errorf("%d fast and %d slow of %d", fast.Count, slow.Count, res.Total.Count)
		}
		within(t, "fast", float64(fast.Latency.ValueAtPercentile(50)), 10_000, 0.001)
		within(t, "slow", float64(slow.Latency.Max()), 30_000, 0.001)
		within(t, "rate", res.Rate(), 200, 0.02)
		if len(res.Intervals) != parts || len(res.Errors) != 0 || res.Lag != nil || res.Unfinished != 0 {
			t.Errorf("intervals %v, errors %v, lag %v, unfinished %d", res.Intervals, res.Errors, res.Lag, res.Unfinished)
		}
		for _, r := range res.Intervals {
			within(t, "interval", r, 200, 0.1)
		}
		if n := len(progress); n < 25 || progress[n-1] != 1 || progress[0] > 0.05 {
			t.Errorf("progress: %v", progress)
		}
	})
}

func TestThink(t *testing.T) {
	for _, random := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			res := must(t, Config{
				Clients: 10, Duration: 60 * time.Second, Think: 90 * time.Millisecond, ThinkRandom: random,
				Connect: connecting(func(int) func(context.Context) Done {
					return func(ctx context.Context) Done { return work(ctx, "w", 10*time.Millisecond) }
				}),
			})
			within(t, "rate", res.Rate(), 100, 0.03)
			within(t, "latency", res.Total.Latency.Mean(), 10_000, 0.001)
		})
	}
}

// TestErrors: all are counted, by code, and only those that were expected are transactions too.
func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		res := must(t, Config{
			Clients: 1, Warmup: time.Second, Duration: time.Second,
			Connect: connecting(func(int) func(context.Context) Done {
				return func(ctx context.Context) Done {
					done := work(ctx, "w", time.Millisecond)
					switch n++; n % 10 {
					case 1:
						done.Code, done.Text = "42P01", "ERROR: no such table"
					case 2, 3:
						done.Code, done.Expected = "23505", true
					}
					return done
				}
			}),
		})
		if f := res.Errors["42P01"]; f == nil || f.Count != 100 || f.Expected || f.Text != "ERROR: no such table" {
			t.Errorf("42P01: %+v", f)
		}
		if f := res.Errors["23505"]; f == nil || f.Count != 200 || !f.Expected {
			t.Errorf("23505: %+v", f)
		}
		if f := res.Outside["42P01"]; f == nil || f.Count < 100 || f.Count > 101 || len(res.Outside) != 1 {
			t.Errorf("outside the window: %v", res.Outside)
		}
		within(t, "transactions", float64(res.Total.Count), 900, 0.003)
		within(t, "failed part", res.FailedPart(), 0.1, 0.01)
	})
}

// TestNobodyThere: clients whose server is gone rest between their attempts, and all of these are counted.
func TestNobodyThere(t *testing.T) {
	for _, code := range []string{"connect", "lost", "57P03", "53300", "http-503"} {
		synctest.Test(t, func(t *testing.T) {
			res := must(t, Config{
				Clients: 10, Duration: 10 * time.Second,
				Connect: connecting(func(int) func(context.Context) Done {
					return func(context.Context) Done { return Done{Name: "w", Code: code, Text: "nobody there"} }
				}),
			})
			if f := res.Errors[code]; f == nil || f.Count < 1000 || f.Count > 1050 || res.Total.Count != 0 {
				t.Errorf("%s: %+v, %d transactions", code, f, res.Total.Count)
			}
		})
	}
}

// TestGrace: who is in a transaction when the window closes may end it, and who does not is cut.
func TestGrace(t *testing.T) {
	for _, tt := range []struct{ takes, until time.Duration }{{1500 * time.Millisecond, 1500 * time.Millisecond}, {time.Hour, 2 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			res := must(t, Config{
				Clients: 3, Duration: time.Second,
				Connect: connecting(func(int) func(context.Context) Done {
					return func(ctx context.Context) Done { return work(ctx, "w", tt.takes) }
				}),
			})
			if took := time.Since(start); took != tt.until || res.Cut || res.Total.Count != 0 || len(res.Errors)+len(res.Outside) != 0 {
				t.Errorf("after %v: %+v", took, res)
			}
		})
	}
}

// TestCutShort: the end of the context ends the run, and what was counted by then is kept.
func TestCutShort(t *testing.T) {
	for _, rate := range []float64{0, 100} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			start1 := time.Now()
			res, err := start(ctx, Config{
				Clients: 2, Rate: rate, Arrivals: Even, Warmup: time.Second, Duration: time.Hour,
				Connect: connecting(func(int) func(context.Context) Done {
					return func(ctx context.Context) Done { return work(ctx, "w", 10*time.Millisecond) }
				}),
			}, newGoClock)
			if took := time.Since(start1); err != nil || !res.Cut || took != 3*time.Second || res.Window != 2*time.Second {
				t.Fatalf("after %v: %v, cut %v, window %v", took, err, res.Cut, res.Window)
			}
			want := 400.0
			if rate > 0 {
				want = 200
			}
			within(t, "transactions", float64(res.Total.Count), want, 0.02)
			if len(res.Errors)+len(res.Outside) != 0 {
				t.Errorf("errors that are our own doing: %v, %v", res.Errors, res.Outside)
			}
		})
	}
}

// TestCutInWarmup and while connecting: there is a result, and nothing in it.
func TestCutEarly(t *testing.T) {
	forever := connecting(func(int) func(context.Context) Done {
		return func(ctx context.Context) Done { return work(ctx, "w", time.Hour) }
	})
	hangs := func(ctx context.Context, _ int) (Client, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, connect := range map[string]func(context.Context, int) (Client, error){"warm-up": forever, "connecting": hangs} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			res, err := start(ctx, Config{Clients: 40, Warmup: time.Minute, Duration: time.Minute, Connect: connect}, newGoClock)
			if err != nil || !res.Cut || res.Window != 0 || res.Total.Count != 0 || res.Total.Latency == nil || res.Rate() != 0 {
				t.Errorf("%s: %v, %+v", name, err, res)
			}
		})
	}
}

// TestConnectFails: the error names the client, and those that were made are closed.
func TestConnectFails(t *testing.T) {
	refused := errors.New("FATAL: sorry, too many clients already")
	var mu sync.Mutex
	var made []*fake
	var trying, most atomic.Int32
	synctest.Test(t, func(t *testing.T) {
		_, err := start(t.Context(), Config{Clients: 100, Duration: time.Second, Connect: func(_ context.Context, i int) (Client, error) {
			most.Store(max(most.Load(), trying.Add(1)))
			time.Sleep(time.Second)
			trying.Add(-1)
			if i == 20 {
				return nil, refused
			}
			f := &fake{}
			mu.Lock()
			made = append(made, f)
			mu.Unlock()
			return f, nil
		}}, newGoClock)
		if !errors.Is(err, refused) || !strings.Contains(err.Error(), "client 21 of 100") {
			t.Errorf("%v", err)
		}
	})
	if most.Load() > atOnce || len(made) == 0 {
		t.Errorf("%d at once, %d made", most.Load(), len(made))
	}
	for _, f := range made {
		if !f.closed {
			t.Error("a client was left open")
		}
	}
}

func TestCheck(t *testing.T) {
	ok := Config{Clients: 1, Duration: 1, Connect: connecting(nil)}
	for name, spoil := range map[string]func(*Config){
		"Connect":    func(c *Config) { c.Connect = nil },
		"0 clients":  func(c *Config) { c.Clients = 0 },
		"duration":   func(c *Config) { c.Duration = 0 },
		"warm-up":    func(c *Config) { c.Warmup = -1 },
		"rate -1":    func(c *Config) { c.Rate = -1 },
		"rate 1e+08": func(c *Config) { c.Rate = 1e8 },
	} {
		c := ok
		spoil(&c)
		if err := c.check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := ok.check(); err != nil {
		t.Error(err)
	}
}

func TestDescriptors(t *testing.T) {
	if err := descriptors(1); err != nil {
		t.Error(err)
	}
	err := descriptors(2_000_000_000)
	if err == nil || !strings.Contains(err.Error(), "LimitNOFILE") || !strings.Contains(err.Error(), "may have") {
		t.Errorf("%v", err)
	}
}

// TestNoAllocations: a transaction costs the loop none.
func TestNoAllocations(t *testing.T) {
	w := &worker{
		run: &run{close: time.Hour}, rec: newRecorder(),
		window: map[string]*Failure{}, outside: map[string]*Failure{},
	}
	done, expected := Done{Name: "w"}, Done{Name: "w", Code: "23505", Expected: true}
	w.note(&done, time.Millisecond, time.Second, true)
	w.note(&expected, time.Millisecond, time.Second, true)
	if n := testing.AllocsPerRun(1000, func() {
		w.note(&done, time.Millisecond, time.Second, true)
		w.note(&expected, time.Millisecond, time.Second, true)
		w.rest()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
