package client

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"poolerd/bench/load"
	"poolerd/bench/load/alarm"
)

// deck deals service times: all of them, in random order, and then again. So what was dealt has the distribution that it should, without the chance of drawing.
type deck struct {
	mu     sync.Mutex
	cards  []time.Duration
	at     int
	served []time.Duration // as measured by the server
}

// newDeck is a deck of n times, the quantiles of a distribution.
func newDeck(n int, quantile func(p float64) time.Duration) *deck {
	d := &deck{at: n}
	for i := range n {
		d.cards = append(d.cards, quantile((float64(i)+0.5)/float64(n)))
	}
	return d
}

func (d *deck) deal() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at == len(d.cards) {
		rand.Shuffle(len(d.cards), func(i, j int) { d.cards[i], d.cards[j] = d.cards[j], d.cards[i] })
		d.at = 0
	}
	d.at++
	return d.cards[d.at-1]
}

// count is how many services there were.
func (d *deck) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.served)
}

// serve is a fake server's session that takes what it is dealt.
func (d *deck) serve(s *fakeSession) {
	clock, err := alarm.New()
	if err != nil {
		return
	}
	defer func() { _ = clock.Close() }()
	for {
		if _, ok := s.flight(); !ok {
			return
		}
		start := time.Now()
		clock.Sleep(d.deal())
		if !s.answer(done) {
			return
		}
		took := time.Since(start)
		d.mu.Lock()
		d.served = append(d.served, took)
		d.mu.Unlock()
	}
}

// TestQuantiles: what is measured of a server whose service times are known are these, to within 2%: those that the server measured itself, and those that it was told, as far
// as it could do what it was told. Somebody else's work on this machine may come between any two clocks, so the measurement has three attempts.
func TestQuantiles(t *testing.T) {
	const ms = float64(time.Millisecond)
	for name, tt := range map[string]struct {
		quantile func(p float64) time.Duration
		asked    []float64 // where enough is dealt for 2% to be told apart
	}{
		"uniform": {func(p float64) time.Duration { return time.Duration((5 + 15*p) * ms) }, []float64{10, 50, 90, 99}},
		"two modes": {func(p float64) time.Duration {
			if p < 0.7 {
				return time.Duration((8 + p) * ms)
			}
			return time.Duration((20 + p) * ms)
		}, []float64{10, 50, 90, 99}},
		"a long tail": {func(p float64) time.Duration { return time.Duration(8 * ms * math.Pow(1-p, -0.25)) }, []float64{10, 50, 90, 95}},
	} {
		t.Run(name, func(t *testing.T) {
			attempts(t, func() []string { return measureQuantiles(t, tt.quantile, tt.asked) })
		})
	}
}

// attempts judges a measurement by the best of three: what is wrong with us shows each time.
func attempts(t *testing.T, measure func() (problems []string)) {
	t.Helper()
	for n := 1; ; n++ {
		problems := measure()
		if len(problems) == 0 {
			return
		}
		if n == 3 {
			t.Fatal(strings.Join(problems, "\n"))
		}
		t.Logf("measured again: %s", strings.Join(problems, "; "))
	}
}

// measureQuantiles says what is off by more than 2%.
func measureQuantiles(t *testing.T, quantile func(p float64) time.Duration, asked []float64) (off []string) {
	t.Helper()
	d := newDeck(500, quantile)
	var first, last int // of the services in the window
	f := startFake(t, false, d.serve)
	res := run(t, load.Config{
		Clients: 16, Warmup: 100 * time.Millisecond, Duration: 2500 * time.Millisecond,
		Opened: func() { first = d.count() }, Closed: func() { last = d.count() },
		Connect: func(ctx context.Context, _ int) (load.Client, error) {
			return Open(ctx, Options{URL: f.url(), Session: say(query("select 1"))})
		},
	})
	if len(res.Errors) > 0 {
		t.Fatal(res.Errors)
	}
	f.stop()
	served := slices.Sorted(slices.Values(d.served[first:last]))
	for _, p := range asked {
		got := float64(res.Total.Latency.ValueAtPercentile(p))
		measured := float64(served[int(p/100*float64(len(served)))].Microseconds())
		told := float64(quantile(p / 100).Microseconds())
		line := fmt.Sprintf("p%v %.0f µs; the server measured %.0f (%+.2f%%), was told %.0f (%+.2f%%); %d transactions",
			p, got, measured, (got/measured-1)*100, told, (got/told-1)*100, res.Total.Count)
		t.Log(line)
		able := math.Abs(measured/told-1) < 0.01
		if math.Abs(got/measured-1) > 0.02 || able && math.Abs(got/told-1) > 0.02 {
			off = append(off, line)
		}
	}
	return off
}

// gate lets a server answer, or holds all of it up.
type gate struct{ mu sync.RWMutex }

func (g *gate) serve(s *fakeSession) {
	clock, err := alarm.New()
	if err != nil {
		return
	}
	defer func() { _ = clock.Close() }()
	for {
		if _, ok := s.flight(); !ok {
			return
		}
		clock.Sleep(2 * time.Millisecond)
		g.mu.RLock()
		ok := s.answer(done)
		g.mu.RUnlock()
		if !ok {
			return
		}
	}
}

// TestStall: a server that stands still for half a second in mid-run shows in an open loop, where 500 ms out of 3 s are one arrival in six, and hides in a closed
// loop, where each client met it once.
func TestStall(t *testing.T) {
	const pause = 500 * time.Millisecond
	measure := func(rate float64) *load.Result {
		var g gate
		f := startFake(t, false, g.serve)
		defer f.stop()
		stall := time.AfterFunc(1200*time.Millisecond, func() {
			g.mu.Lock()
			time.Sleep(pause)
			g.mu.Unlock()
		})
		defer stall.Stop()
		return run(t, load.Config{
			Clients: 8, Rate: rate, Warmup: 200 * time.Millisecond, Duration: 3 * time.Second,
			Connect: func(ctx context.Context, _ int) (load.Client, error) {
				return Open(ctx, Options{URL: f.url(), Session: say(query("select 1"))})
			},
		})
	}
	attempts(t, func() []string { return judgeStall(t, measure(0), measure(1000)) })
}

// judgeStall says what is wrong with the runs beside a server that stood still for half a second.
func judgeStall(t *testing.T, closed, open *load.Result) (problems []string) {
	t.Helper()
	show := func(name string, r *load.Result) (p50, p99, max float64) {
		l := r.Total.Latency
		p50, p99, max = float64(l.ValueAtPercentile(50))/1000, float64(l.ValueAtPercentile(99))/1000, float64(l.Max())/1000
		t.Logf("%s: %d transactions, p50 %.2f ms, p99 %.2f ms, max %.1f ms", name, r.Total.Count, p50, p99, max)
		return p50, p99, max
	}
	_, closed99, closedMax := show("closed loop", closed)
	_, open99, openMax := show("open loop", open)
	if closed99 > 200 || closedMax < 450 {
		problems = append(problems, fmt.Sprintf("closed loop: p99 %.1f ms, max %.1f ms: the stall should be in the latter alone", closed99, closedMax))
	}
	if open99 < 400 || openMax < 480 || open99 > 1500 {
		problems = append(problems, fmt.Sprintf("open loop: p99 %.1f ms, max %.1f ms: about 480 should be seen", open99, openMax))
	}
	slo := load.SLO{Quantile: 0.99, Limit: 300 * time.Millisecond}
	if !slo.Met(closed) || slo.Met(open) {
		problems = append(problems, fmt.Sprintf("%s: closed loop %v, open loop %v", slo, slo.Met(closed), slo.Met(open)))
	}
	return problems
}

// TestLag: transactions are sent when they should be: most of them less than 1 ms late, on a machine that others use too.
func TestLag(t *testing.T) {
	f := startFake(t, false, func(s *fakeSession) {
		for {
			if _, ok := s.flight(); !ok || !s.answer(done) {
				return
			}
		}
	})
	attempts(t, func() []string { return judgeLag(t, f.url()) })
}

func judgeLag(t *testing.T, url string) (problems []string) {
	t.Helper()
	for _, rate := range []float64{200, 5000} {
		res := run(t, load.Config{
			Clients: 32, Rate: rate, Duration: time.Second, Connect: func(ctx context.Context, _ int) (load.Client, error) {
				return Open(ctx, Options{URL: url, Session: say(query("select 1"))})
			},
		})
		lag := res.Lag
		t.Logf("%v/s: lag p50 %d µs, p90 %d, p99 %d, max %d; CPU %v", rate, lag.ValueAtPercentile(50), lag.ValueAtPercentile(90), lag.ValueAtPercentile(99), lag.Max(), res.CPU)
		if p := lag.ValueAtPercentile(50); p > 1000 {
			problems = append(problems, fmt.Sprintf("at %v a second half of the transactions were sent %d µs late", rate, p))
		}
		if res.Total.Count+res.Unfinished != res.Scheduled {
			t.Errorf("%d of %d, %d unfinished", res.Total.Count, res.Scheduled, res.Unfinished)
		}
	}
	return problems
}
