package advice

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

const (
	// mostTrials is how many remedies are tried.
	mostTrials = 3
	// trialBytes is up to which size a table is changed for a trial.
	trialBytes = 512 << 20
)

// try measures the remedies of the costliest findings about tables, on a server of our own: each is carried out in a transaction, its statements are explained
// again, and all is rolled back.
func try(ctx context.Context, e *explainer, findings []*finding) {
	worth := slices.DeleteFunc(slices.Clone(findings), func(f *finding) bool {
		return f.severity == nothing || f.table == nil || len(f.works) == 0 || f.table.Bytes > trialBytes
	})
	slices.SortStableFunc(worth, func(a, b *finding) int {
		switch {
		case a.cost > b.cost:
			return -1
		case a.cost < b.cost:
			return 1
		}
		return 0
	})
	for _, f := range worth[:min(mostTrials, len(worth))] {
		if ctx.Err() != nil {
			return
		}
		e.try(ctx, f)
	}
}

// try tries one remedy. A remedy that cannot be tried is left as it is: the finding stands without.
func (e *explainer) try(ctx context.Context, f *finding) {
	var saved float64
	var proof []string
	err := e.inTransaction(ctx, "READ WRITE", nil, func() error {
		if err := e.simple(ctx, insideTransaction(f.remedy)); err != nil {
			return err
		}
		for _, w := range f.works {
			before, after, err := e.again(ctx, w)
			if err != nil {
				return err
			}
			if before.Execution == 0 {
				continue
			}
			saved += w.share * (before.Execution - after.Execution) / before.Execution
			if len(proof) < 3 {
				proof = append(proof, fmt.Sprintf("tried and rolled back: %s took %s, and %s with the remedy; planning it %s, and %s",
					w.name, ms(before.Execution), ms(after.Execution), ms(before.Planning), ms(after.Planning)))
			}
		}
		return nil
	})
	if err != nil || len(proof) == 0 {
		return
	}
	f.evidence = append(f.evidence, proof...)
	f.cost = min(1, max(0, saved))
	if now := severe(f.cost); now < f.severity {
		f.severity = now
	}
}

// again runs a work's measured calls once more, after the remedy, and returns the mean times before and after. A call that does not run leaves both out.
func (e *explainer) again(ctx context.Context, w *work) (before, after plan, err error) {
	measured := 0.0
	for _, p := range w.plans {
		if !p.ran {
			continue
		}
		// The savepoint takes back the call's setup, and what it writes.
		if err := e.simple(ctx, "SAVEPOINT poolerd_advice"); err != nil {
			return before, after, err
		}
		q, failed := e.inside(ctx, p)
		if err := e.simple(ctx, "ROLLBACK TO SAVEPOINT poolerd_advice"); err != nil {
			return before, after, err
		}
		if failed == nil {
			measured++
			before.add(p.plan)
			after.add(q)
		}
	}
	before.divide(measured)
	after.divide(measured)
	return before, after, nil
}

// inside explains a call in the transaction that is open.
func (e *explainer) inside(ctx context.Context, p planned) (*plan, error) {
	for _, sql := range p.call.setup {
		if err := e.simple(ctx, sql); err != nil {
			return nil, err
		}
	}
	if p.writes() {
		return e.once(ctx, p.call, true)
	}
	return e.fastest(ctx, p.call)
}

// insideTransaction is a remedy without what cannot be, or is already, in a transaction.
func insideTransaction(sql string) string {
	var kept []string
	for line := range strings.Lines(sql) {
		if line = strings.TrimSpace(line); line == "BEGIN;" || line == "COMMIT;" {
			continue
		}
		kept = append(kept, strings.Replace(line, "INDEX CONCURRENTLY", "INDEX", 1))
	}
	return strings.Join(kept, "\n")
}
