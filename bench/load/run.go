package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"syscall"
	"time"

	"poolerd/bench/load/alarm"
)

// grace is how long transactions that have begun may take when the window is over, before they are cut off.
const grace = time.Second

// Run runs one load. Its error is one of a Config that cannot be, of too few file descriptors, or of a client that could not be made; whatever goes wrong
// later is in the Result. When ctx ends early, Run returns soon, without an error: the Result says Cut.
func Run(ctx context.Context, c Config) (*Result, error) {
	return start(ctx, c, func() (sleeper, error) { return alarm.New() })
}

// sleeper is an alarm.Alarm; tests have one that knows their time.
type sleeper interface {
	Sleep(d time.Duration) bool
	Interrupt()
	Close() error
}

func start(ctx context.Context, c Config, clock func() (sleeper, error)) (*Result, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	clients, err := connect(ctx, &c)
	if err != nil {
		if ctx.Err() != nil {
			return newResult(&c), nil //nolint:nilerr // nobody waits for these clients any more
		}
		return nil, err
	}
	defer closeAll(clients)
	if c.Threads <= 0 {
		c.Threads = max(runtime.NumCPU()/4, 1)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(c.Threads))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{Config: c, ctx: ctx, clock: clock, stop: make(chan struct{}), open: c.Warmup, close: c.Warmup + c.Duration}
	return r.run(clients, cancel)
}

func (c *Config) check() error {
	switch {
	case c.Connect == nil:
		return errors.New("load: Connect is missing")
	case c.Clients < 1:
		return fmt.Errorf("load: %d clients: must be at least 1", c.Clients)
	case c.Duration <= 0:
		return fmt.Errorf("load: duration %v: must be above 0", c.Duration)
	case c.Warmup < 0:
		return fmt.Errorf("load: warm-up %v: must not be negative", c.Warmup)
	case !(c.Rate >= 0 && c.Rate <= 1e7):
		return fmt.Errorf("load: rate %v: must be from 0 to 10000000 transactions a second", c.Rate)
	}
	return nil
}

// newResult is a result that has seen nothing yet.
func newResult(c *Config) *Result {
	res := &Result{Started: time.Now(), Cut: true, Offered: c.Rate, Threads: c.Threads, Errors: map[string]*Failure{}, Outside: map[string]*Failure{}}
	collect(nil, res)
	return res
}

func (r *run) run(clients []Client, cancel func()) (*Result, error) {
	var pacer sleeper
	if r.Rate > 0 {
		var err error
		if pacer, err = r.clock(); err != nil {
			return nil, err
		}
		defer func() { _ = pacer.Close() }()
		r.queue = newQueue(newSchedule(r.Arrivals, r.Rate, r.Seed), len(clients))
	}
	workers, recorders := r.workers(clients)
	res := newResult(&r.Config)
	r.base = time.Now()

	var working, pacing sync.WaitGroup
	for _, w := range workers {
		if r.Rate > 0 {
			working.Go(w.openLoop)
		} else {
			working.Go(w.closedLoop)
		}
	}
	if pacer != nil {
		pacing.Go(func() { r.pace(pacer) })
	}
	cut := r.conduct(res)
	// The order counts: who is told to stop must not be handed anything afterwards.
	r.stopping.Store(true)
	close(r.stop)
	if pacer != nil {
		if res.Cut {
			pacer.Interrupt() // else it has ended, or has the last arrivals still to hand out
		}
		pacing.Wait()
		r.queue.end()
	}
	r.await(&working, cancel)

	if pacer != nil {
		r.abandon(recorders[0], cut)
		res.Scheduled = r.scheduled(cut)
	}
	collect(recorders, res)
	r.rates(res, cut)
	for _, w := range workers {
		mergeFailures(res.Errors, w.window)
		mergeFailures(res.Outside, w.outside)
	}
	return res, nil
}

// workers makes the workers, and as many recorders as there are processors, up to 8.
func (r *run) workers(clients []Client) ([]*worker, []*recorder) {
	recorders := make([]*recorder, min(len(clients), runtime.GOMAXPROCS(0), 8))
	for i := range recorders {
		recorders[i] = newRecorder()
		if r.Rate > 0 {
			recorders[i].lag, recorders[i].unfinished = newCounts(), newCounts()
		}
	}
	workers := make([]*worker, len(clients))
	for i, c := range clients {
		workers[i] = &worker{
			run: r, client: c, rec: recorders[i%len(recorders)],
			random: rand.New(rand.NewPCG(r.Seed, uint64(i))), //nolint:gosec // think time, not a secret
			window: map[string]*Failure{}, outside: map[string]*Failure{},
			handed: make(chan time.Duration, 1),
		}
	}
	return workers, recorders
}

// conduct waits for the window's ends and does what is due there. It returns when the window closed, or was cut.
func (r *run) conduct(res *Result) (cut time.Duration) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	if !r.wait(r.open, tick.C) {
		return r.open
	}
	if r.Opened != nil {
		r.Opened()
	}
	res.Started = r.base.Add(r.open)
	used := processorTime()
	whole := r.wait(r.close, tick.C)
	cut = r.close
	if !whole {
		cut = min(r.now(), r.close)
	}
	res.Cut = !whole
	res.CPU = processorTime() - used
	res.Window = cut - r.open
	if r.Closed != nil {
		r.Closed()
	}
	if r.Progress != nil && whole {
		r.Progress(1)
	}
	return cut
}

// wait waits until a time, and tells the progress meanwhile. It is false when ctx ended first.
func (r *run) wait(until time.Duration, tick <-chan time.Time) bool {
	t := time.NewTimer(until - r.now())
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return true
		case <-r.ctx.Done():
			return false
		case <-tick:
			if r.Progress != nil {
				r.Progress(min(float64(r.now())/float64(r.close), 1))
			}
		}
	}
}

// await waits for the workers: gracefully for a while, then not.
func (r *run) await(working *sync.WaitGroup, cancel func()) {
	ended := make(chan struct{})
	go func() {
		working.Wait()
		close(ended)
	}()
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-ended:
		return
	case <-t.C:
	case <-r.ctx.Done():
	}
	cancel()
	<-ended
}

// rates makes counts of the intervals rates. Of a window that was cut, those parts remain that were whole, or the first one as far as it went.
func (r *run) rates(res *Result, cut time.Duration) {
	part := (r.close - r.open).Seconds() / parts
	whole := int((cut - r.open) * parts / (r.close - r.open))
	if whole == 0 {
		res.Intervals = nil
		return
	}
	res.Intervals = res.Intervals[:whole]
	for i := range res.Intervals {
		res.Intervals[i] /= part
	}
}

func mergeFailures(to, from map[string]*Failure) {
	for code, f := range from {
		t := to[code]
		if t == nil {
			t = &Failure{Text: f.Text, Expected: f.Expected}
			to[code] = t
		}
		t.Count += f.Count
		t.Expected = t.Expected && f.Expected
	}
}

// processorTime is what this process has used so far (getrusage(2)), to the microsecond where /proc knows hundredths of a second.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
