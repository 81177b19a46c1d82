package advice

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// work is a statement of the run with its part of the time.
type work struct {
	name      string // the example's, or the masked text
	text      string // as pg_stat_statements or the example has it
	statement *statement
	calls     float64 // in the run; without pg_stat_statements, the example's weight
	total     float64 // milliseconds of running in the run; likewise
	share     float64 // of all statements' time
	plans     []planned
	problem   string // why there is no plan
}

// planned is a plan with what it was made of.
type planned struct {
	*plan
	call call
}

// sample are the examples of one SQL.
type sample struct {
	name    string
	sql     string
	weight  float64
	calls   []call
	queryID int64 // 0: not known
}

const (
	// mostWorks and mostOfTime bound how many statements are looked at: the slowest, until so much of the time is covered.
	mostWorks  = 12
	mostOfTime = 0.99
	// mostExamples is how many examples of one SQL are run, and slowExamples after how long no further one is.
	mostExamples = 3
	slowExamples = time.Second
)

// mean is how long one call took, in milliseconds.
func (w *work) mean() float64 {
	if w.calls == 0 {
		return 0
	}
	return w.total / w.calls
}

// ran is whether its plans hold measured figures.
func (w *work) ran() bool { return len(w.plans) > 0 && w.plans[0].ran }

// works finds the slowest statements and has them explained. It takes at most half of ctx's time: the rest is for trials.
func (e *explainer) works(ctx context.Context, statements []*statement, examples []Example) []*work {
	if end, ok := ctx.Deadline(); ok {
		e.until = time.Now().Add(time.Until(end) / 2)
		defer func() { e.until = time.Time{} }()
	}
	samples := gather(examples)
	if e.server.statements == "" || !e.server.all {
		return e.weighted(ctx, samples)
	}
	works := slowest(statements)
	e.identify(ctx, samples)
	for _, w := range works {
		if s := w.match(samples); s != nil {
			w.name = s.name
			e.planWith(ctx, w, s.calls)
		} else if plannable(w.text) {
			e.planWithout(ctx, w)
		}
	}
	return works
}

// slowest are the statements that took most of the time.
func slowest(statements []*statement) (works []*work) {
	var all, covered float64
	for _, s := range statements {
		all += s.Exec
	}
	for _, s := range statements {
		if len(works) == mostWorks || covered > mostOfTime*all || s.Exec <= 0 {
			break
		}
		covered += s.Exec
		works = append(works, &work{
			name: short(s.Query), text: s.Query, statement: s,
			calls: float64(s.Calls), total: s.Exec, share: s.Exec / all,
		})
	}
	return works
}

// gather puts the examples of one SQL together.
func gather(examples []Example) (samples []*sample) {
	bySQL := map[string]*sample{}
	for _, x := range examples {
		if !plannable(x.SQL) {
			continue
		}
		s := bySQL[x.SQL]
		if s == nil {
			s = &sample{name: x.Name, sql: x.SQL}
			bySQL[x.SQL] = s
			samples = append(samples, s)
		}
		s.weight = max(s.weight, x.Weight)
		s.calls = append(s.calls, call{sql: x.SQL, params: x.Params, types: x.Types, setup: x.Setup})
	}
	return samples
}

// identify learns the statements' identifiers, by which pg_stat_statements calls them too. Servers before PostgreSQL 14 do not tell them.
func (e *explainer) identify(ctx context.Context, samples []*sample) {
	for _, s := range samples {
		c := s.calls[0]
		_ = e.inTransaction(ctx, "READ ONLY", c.setup, func() error {
			p, err := e.once(ctx, c, false)
			if err == nil {
				s.queryID = p.QueryID
			}
			return err
		})
	}
}

// match is the sample of the same statement: by its identifier, else by its text.
func (w *work) match(samples []*sample) *sample {
	print := fingerprint(w.text)
	for _, s := range samples {
		if s.queryID != 0 && s.queryID == w.statement.QueryID || fingerprint(s.sql) == print {
			return s
		}
	}
	return nil
}

// errNoTime is why statements have no plan after half of the time has gone into those of others.
var errNoTime = errors.New("no time was left for its plan")

// planWith plans a statement with its examples.
func (e *explainer) planWith(ctx context.Context, w *work, calls []call) {
	began := time.Now()
	for i, c := range calls[:min(mostExamples, len(calls))] {
		if i > 0 && time.Since(began) > slowExamples {
			break
		}
		p, err := e.explain(ctx, c, e.server.private)
		if err != nil {
			w.problem = err.Error()
			continue
		}
		w.plans = append(w.plans, planned{p, c})
	}
	// Estimates beside measured figures would be of another kind.
	if slices.ContainsFunc(w.plans, func(p planned) bool { return p.ran }) {
		w.plans = slices.DeleteFunc(w.plans, func(p planned) bool { return !p.ran })
	}
}

// planWithout plans a statement that there is no example of.
func (e *explainer) planWithout(ctx context.Context, w *work) {
	c, p, err := e.fill(ctx, w.text)
	if err != nil {
		w.problem = err.Error()
		return
	}
	if better, err := e.explain(ctx, c, false); err == nil && better.ran {
		p = better
	}
	w.plans = []planned{{p, c}}
}

// weighted are the samples' works where nothing else is known: each runs as often as its weight says, as long as it did for its plan.
func (e *explainer) weighted(ctx context.Context, samples []*sample) (works []*work) {
	var all float64
	for _, s := range samples {
		w := &work{name: s.name, text: s.sql, calls: s.weight}
		if w.calls <= 0 {
			w.calls = 1
		}
		e.planWith(ctx, w, s.calls)
		for _, p := range w.plans {
			if p.ran {
				w.total += p.Execution * w.calls / float64(len(w.plans))
			}
		}
		all += w.total
		works = append(works, w)
	}
	for _, w := range works {
		if all > 0 {
			w.share = w.total / all
		}
	}
	slices.SortStableFunc(works, func(a, b *work) int { return cmp.Compare(b.share, a.share) })
	return works
}
