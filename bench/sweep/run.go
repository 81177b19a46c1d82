package sweep

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"poolerd/bench/advice"
	"poolerd/bench/proc"
	"poolerd/bench/report"
)

// bench is one bench under way.
type bench struct {
	o       *Options
	stage   *stage
	results report.Results
	swept   int     // how many of the runs belong to the rounds; those of a search follow
	found   []found // what the search found
	runs    int     // begun so far
	trips   float64 // round trips to PostgreSQL of a transaction; 0: not known
	total   float64 // seconds that all runs take together
	past    float64 // of those that are over
	failed  error   // the first record that could not be written
}

// ErrInterrupted tells that a bench was ended before it was whole. What there is stands in the results.
var ErrInterrupted = errors.New("interrupted: what was measured until then is kept")

// Run makes a whole bench. When ctx ends it stops measuring, judges what it has, and returns it with ErrInterrupted.
func Run(ctx context.Context, o *Options) (*report.Results, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	stage, err := raise(ctx, o)
	if err != nil {
		return nil, err
	}
	defer stage.lower()
	b := &bench{o: o, stage: stage}
	b.results.Header = b.header()
	if o.Write != nil {
		b.noted(o.Write.Header(b.results.Header))
	}

	if o.own() && len(o.PoolSizes) > 0 && o.listeners() == 0 {
		o.Watch.Log("counting the round trips that a transaction makes to PostgreSQL")
		if b.trips, err = b.countTrips(ctx); err != nil && ctx.Err() == nil {
			o.Watch.Log("the round trips of a transaction could not be counted: %v", err)
		}
	}
	watcher := b.watch(ctx)
	b.rounds(ctx)
	b.swept = len(b.results.Runs)
	if o.SLO != nil {
		b.search(ctx)
	}
	if watcher != nil {
		b.advise(ctx, watcher)
	}
	b.judge()
	if ctx.Err() != nil {
		return &b.results, errors.Join(ErrInterrupted, b.failed)
	}
	return &b.results, errors.Join(b.empty(), b.failed)
}

// empty is an error if nothing at all was measured; each run has told why.
func (b *bench) empty() error {
	for _, run := range b.results.Runs {
		if run.Transactions > 0 {
			return nil
		}
	}
	return errors.New("no transaction succeeded: the runs' errors say why")
}

// rounds measures all cells, round after round.
func (b *bench) rounds(ctx context.Context) {
	all := cells(b.o, b.stage.subjects)
	runs := len(all) * b.o.Rounds
	b.total = float64(runs) * b.o.each().Seconds()
	if b.o.SLO != nil {
		steps := searchSteps
		if !b.o.own() {
			steps *= len(b.stage.subjects)
		}
		b.total += float64(steps) * b.o.each().Seconds()
		runs += steps
	}
	b.o.Watch.Begin(runs, time.Duration(b.total*float64(time.Second)))
	for round := 1; round <= b.o.Rounds; round++ {
		for _, c := range shuffled(all, b.o.Seed, round) {
			if ctx.Err() != nil {
				return
			}
			b.keep(b.measure(ctx, c, round))
		}
	}
}

// keep adds a run to the results.
func (b *bench) keep(run report.Run) {
	b.past += b.o.each().Seconds()
	b.results.Runs = append(b.results.Runs, run)
	if b.o.Write != nil {
		b.noted(b.o.Write.Run(run))
	}
}

// noted keeps the first failure to write a record, which is told at the end: measuring goes on without the file.
func (b *bench) noted(err error) {
	if err != nil && b.failed == nil {
		b.failed = fmt.Errorf("write the results: %w", err)
	}
}

// watch begins to look at the database's side, where it may be looked at.
func (b *bench) watch(ctx context.Context) *advice.Watcher {
	if !b.o.Advice || b.stage.super == "" {
		return nil
	}
	watcher, err := advice.Begin(ctx, b.adviceOptions())
	if err != nil {
		b.o.Watch.Log("no advice about the database: %v", err)
		return nil
	}
	return watcher
}

// advise ends the looking. An interrupted bench has seen enough for it, so ctx's end does not count here.
func (b *bench) advise(ctx context.Context, watcher *advice.Watcher) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), adviceLimit)
	defer cancel()
	b.o.Watch.Log("looking at the database's side: statements, waits, plans")
	findings, err := watcher.Finish(ctx)
	if err != nil {
		b.o.Watch.Log("the advice about the database is not whole: %v", err)
	}
	b.results.Advice = findings
	for _, f := range findings {
		if b.o.Write != nil {
			b.noted(b.o.Write.Advice(f))
		}
	}
}

const adviceLimit = 20 * time.Second

// header tells what is measured, where, and how.
func (b *bench) header() report.Header {
	h := report.Header{
		Format: 1, Started: time.Now(), Program: b.o.Program, Command: b.o.Command,
		Cores: runtime.NumCPU(), Processor: proc.Model(), System: proc.System(), PostgreSQL: b.stage.version,
		Workload: b.o.workloadName(), Protocol: b.o.protocolName(),
	}
	for _, s := range b.stage.subjects {
		if !slices.Contains(h.Targets, s.name) {
			h.Targets = append(h.Targets, s.name)
		}
	}
	if b.o.SLO != nil {
		h.SLO = b.o.SLO.String()
	}
	if b.stage.cluster != nil {
		h.Notes = append(h.Notes, fmt.Sprintf("PostgreSQL, the pooler and the load generator share this machine's %d cores: on machines of their own they carry more", h.Cores))
	}
	h.Notes = append(h.Notes, b.stage.notes...)
	h.Notes = append(h.Notes, twins(b.o.Targets)...)
	if slices.Contains(b.o.Without, "index") {
		h.Notes = append(h.Notes, "the sample lacks its indexes (--without-index)")
	}
	if slices.Contains(b.o.Without, "partitions") {
		h.Notes = append(h.Notes, "the sample is divided by the wrong column (--without-partitions)")
	}
	return h
}
