package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"poolerd/bench/load"
	"poolerd/bench/report"
)

// searchSteps is about how many runs a search takes; the estimate of time is made with it.
const searchSteps = 12

// found is the largest rate at which a subject kept the SLO.
type found struct {
	subject *subject
	rate    float64 // 0: not even the smallest rate that was tried kept it
}

// search looks for the largest rate that keeps the SLO: at the pool size that the closed loop recommends, or for each target.
func (b *bench) search(ctx context.Context) {
	for _, s := range b.searched() {
		if ctx.Err() != nil {
			return
		}
		rate, err := b.searchOne(ctx, s)
		if err != nil {
			b.o.Watch.Log("the search for %s of %s ended early: %v", b.o.SLO, s.name, err)
			continue
		}
		b.found = append(b.found, found{s, rate})
	}
}

// searched are the subjects whose largest rate is wanted.
func (b *bench) searched() []*subject {
	if !b.o.own() {
		return b.stage.subjects
	}
	recommended, err := b.recommend()
	if err != nil {
		return nil
	}
	i := slices.IndexFunc(b.stage.subjects, func(s *subject) bool { return s.poolSize == recommended.PoolSize })
	if i < 0 {
		return nil
	}
	return b.stage.subjects[i : i+1]
}

// searchOne begins at half of what the subject has done, where that was measured, and gives up far below.
func (b *bench) searchOne(ctx context.Context, s *subject) (float64, error) {
	b.o.Watch.Log("searching the largest rate at which %s keeps %s", s, b.o.SLO)
	first := max(b.best(s)/2, lowestFirst)
	rate, _, err := load.Search(ctx, *b.o.SLO, first, func(ctx context.Context, rate float64) (*load.Result, error) {
		if rate < first/giveUpAt {
			return nil, errTooLow
		}
		c := cell{s, slices.Max(b.o.Clients), rate}
		result, m, err := b.load(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c, err)
		}
		run := b.record(c, 1, result)
		m.fill(&run, run.Transactions)
		b.keep(run)
		return result, nil
	})
	if errors.Is(err, errTooLow) {
		err = nil
	}
	return rate, err
}

const (
	lowestFirst = 20 // transactions a second
	giveUpAt    = 64 // of the first rate: what misses the SLO there misses it everywhere
	// leastSample is how many transactions a window should hold at least, within longestWindow: a tail quantile of fewer says nothing.
	leastSample   = 500
	longestWindow = 10 * time.Second
)

var errTooLow = errors.New("the rate is too low to go on")

// window is how long a run of a cell is measured: longer where few transactions are started.
func (b *bench) window(c cell) time.Duration {
	if c.rate == 0 {
		return b.o.Duration
	}
	enough := time.Duration(leastSample / c.rate * float64(time.Second))
	return max(b.o.Duration, min(enough, longestWindow))
}

// best is the largest throughput that a subject has had, 0 if it was not measured. A closed loop shows what it can do; rates show no more than was asked.
func (b *bench) best(s *subject) (tps float64) {
	for _, run := range b.results.Runs {
		if isOf(run, s) {
			tps = max(tps, run.TPS)
		}
	}
	return tps
}

func isOf(run report.Run, s *subject) bool { return run.Target == s.name && run.PoolSize == s.poolSize }
