package sweep

import (
	"context"
	"fmt"
	"time"

	"poolerd/bench/client"
	"poolerd/bench/load"
	"poolerd/bench/report"
	"poolerd/bench/web"
)

// measure runs a cell once. It never fails: a cell that cannot be measured is a run without transactions, with its error in it.
func (b *bench) measure(ctx context.Context, c cell, round int) report.Run {
	result, m, err := b.load(ctx, c)
	run := b.record(c, round, result)
	if m != nil {
		m.fill(&run, run.Transactions)
	}
	if err == nil {
		err = c.subject.died()
	} else if all := c.clients * b.o.listeners(); all > 0 {
		err = fmt.Errorf("%w; %d listen here, and where a listener keeps a server to itself the pool must be larger than that", err, all)
	}
	if err != nil && ctx.Err() == nil {
		run.Cut = true
		fail(&run, err)
		b.o.Watch.Log("%s: %v", c, err)
	}
	return run
}

// load puts a cell's load on its subject, with the meters read at the window's ends.
func (b *bench) load(ctx context.Context, c cell) (*load.Result, *meter, error) {
	b.restore(ctx)
	b.runs++
	m := newMeter(ctx, c.subject, b.stage.server)
	defer m.close()
	result, err := load.Run(ctx, load.Config{
		Connect: b.connector(c), Clients: c.clients,
		Rate: c.rate, Arrivals: b.o.Arrivals,
		Warmup: b.o.Warmup, Duration: b.window(c),
		Seed: b.seed(), Descriptors: 2 + b.o.listeners(), Threads: b.o.Threads,
		Opened: m.open, Closed: m.shut,
		Progress: func(part float64) { b.progress(c, part) },
	})
	return result, m, err
}

// restore gives a private server the data that the first run met. Where that fails the next runs meet more than it did, which is told.
func (b *bench) restore(ctx context.Context) {
	if !b.o.private() || b.runs == 0 {
		return
	}
	for _, statement := range b.o.Workload.Restore {
		if err := execute(ctx, b.stage.super, statement); err != nil && ctx.Err() == nil {
			b.o.Watch.Log("the data could not be restored between two runs: %v", err)
			return
		}
	}
}

// progress tells how far the whole bench is.
func (b *bench) progress(c cell, part float64) {
	if b.total > 0 {
		b.o.Watch.Advance(c.String(), min(1, (b.past+part*b.o.each().Seconds())/b.total))
	}
}

// connector makes the clients of a cell.
func (b *bench) connector(c cell) func(context.Context, int) (load.Client, error) {
	seed := b.seed()
	if b.o.HTTP != nil {
		return func(ctx context.Context, i int) (load.Client, error) {
			return web.Open(ctx, b.o.webOptions(i, seed))
		}
	}
	limit := time.Duration(0) // the client's own
	if b.o.listeners() > 0 {
		limit = listenLimit
	}
	return func(ctx context.Context, i int) (load.Client, error) {
		return client.Open(ctx, client.Options{
			Limit:     limit,
			Config:    c.subject.config,
			Session:   b.o.Workload.NewSession(i, seed, b.o.Protocol, b.vars()),
			Listeners: b.o.Workload.Listeners,
			Think:     b.o.ClientLatency,
		})
	}
}

// seed is another one for each run: rows that one has inserted would be the next one's duplicates.
func (b *bench) seed() uint64 { return b.o.Seed<<20 + uint64(b.runs) }

// listenLimit is how long a listener may take to be there. Where each holds a server of the pool, those beyond its size never are.
const listenLimit = 5 * time.Second

// vars are the scripts' variables: the user's, and the size of the sample.
func (b *bench) vars() map[string]string {
	vars := map[string]string{"scale": fmt.Sprint(max(1, b.o.Scale))}
	for name, value := range b.o.Vars {
		vars[name] = value
	}
	return vars
}

// record puts what a load saw into a run; result may be nil.
func (b *bench) record(c cell, round int, result *load.Result) report.Run {
	run := report.Run{
		Target: c.subject.name, Round: round, PoolSize: c.subject.poolSize, Clients: c.clients,
		Workload: b.o.workloadName(), Protocol: b.o.protocolName(), OfferedRate: c.rate,
		ClientLatencyUS: us(b.o.ClientLatency), ServerLatencyUS: us(b.o.ServerLatency),
		Started: time.Now(),
	}
	if result != nil {
		Fill(&run, result)
	}
	return run
}

// Fill puts what a load saw into its run's record.
func Fill(run *report.Run, result *load.Result) {
	run.Started, run.Seconds, run.Cut = result.Started, result.Window.Seconds(), result.Cut
	run.Transactions, run.TPS, run.Intervals = result.Total.Count, result.Rate(), result.Intervals
	run.Unfinished = result.Unfinished
	if h := result.Total.Latency; h != nil {
		run.Latency = report.FromHistogram(h)
		run.Histogram, _ = report.EncodeHistogram(h) // without it a report lacks the distribution, and nothing else
	}
	if result.Offered > 0 && result.Lag != nil {
		lag := report.FromHistogram(result.Lag)
		run.Lag = &lag
	}
	if len(result.ByName) > 0 {
		run.ByName = map[string]report.Quantiles{}
	}
	for name, series := range result.ByName {
		run.ByName[name] = report.FromHistogram(series.Latency)
	}
	for _, failures := range []map[string]*load.Failure{result.Errors, result.Outside} {
		for code, failure := range failures {
			add(run, code, failure)
		}
	}
	if result.CPU > 0 && result.Total.Count > 0 {
		run.Generator = usage(result.CPU, result.Window, result.Total.Count)
		run.GeneratorBound = result.Threads > 0 && result.CPU.Seconds() > generatorFull*float64(result.Threads)*result.Window.Seconds()
	}
}

// generatorFull is the part of its threads' time from which on the load generator may be what limits a run.
const generatorFull = 0.9

// add counts a failure. Those outside the measured window count too, so that none is dropped silently.
func add(run *report.Run, code string, failure *load.Failure) {
	if run.Errors == nil {
		run.Errors = map[string]report.Failure{}
	}
	sum := run.Errors[code]
	sum.Count += failure.Count
	sum.Expected = failure.Expected
	if sum.Text == "" {
		sum.Text = failure.Text
	}
	run.Errors[code] = sum
}

// fail adds an error that ended a run to those of its transactions.
func fail(run *report.Run, err error) {
	add(run, "run", &load.Failure{Count: 1, Text: err.Error()})
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
