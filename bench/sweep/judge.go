package sweep

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"poolerd/bench/model"
	"poolerd/bench/report"
)

// judge says what follows from the runs: the model, where pool sizes were swept, and the answer in plain words.
func (b *bench) judge() {
	if b.o.own() && len(b.o.PoolSizes) > 0 {
		b.judgeSizes()
	} else {
		b.judgeTargets()
	}
	if bound := generatorBound(b.results.Runs); bound != "" {
		b.results.Recommendation.Reasons = append(b.results.Recommendation.Reasons, bound)
	}
	if r := b.results.Recommendation; r != nil && b.o.Write != nil {
		b.noted(b.o.Write.Recommendation(*r))
	}
	if m := b.results.Model; m != nil && b.o.Write != nil {
		b.noted(b.o.Write.Model(*m))
	}
}

// judgeSizes recommends a pool size, and fits the model that predicts others.
func (b *bench) judgeSizes() {
	answer, err := b.recommend()
	if err != nil {
		b.results.Recommendation = &report.Recommendation{Text: "no recommendation: " + err.Error()}
		return
	}
	for _, f := range b.found {
		answer.Reasons = append(answer.Reasons, f.words(b.o))
	}
	if disturbed := disturbance(b.results.Runs, answer); disturbed != "" && b.o.private() {
		answer.Reasons = append(answer.Reasons, disturbed)
	}
	b.results.Recommendation = answer
	b.results.Model = b.fit()
}

// generatorBound says in how many runs the load generator may have been what was measured.
func generatorBound(runs []report.Run) string {
	n := 0
	for _, run := range runs {
		if run.GeneratorBound {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("in %d of %d runs the load generator used its threads whole, so the target may carry more than was measured: give it more with --threads, or run it on another machine", n, len(runs))
}

// disturbance says by how much the load generator disturbs a server that shares the machine with it: what it took there at the size recommended.
func disturbance(runs []report.Run, r *report.Recommendation) string {
	var generator, all, each float64
	n := 0.0
	for _, run := range runs {
		if run.PoolSize != r.PoolSize || run.Clients != r.Clients || run.OfferedRate != 0 || run.Generator == nil || run.Server == nil || run.Pooler == nil {
			continue
		}
		n++
		generator += run.Generator.Cores
		all += run.Generator.Cores + run.Server.Cores + run.Pooler.Cores
		each += run.Generator.CPUPerTransactionUS
	}
	if n == 0 || all == 0 {
		return ""
	}
	return fmt.Sprintf("the load generator itself took %.0f µs of processor time a transaction, %.0f%% of all that was used: on a machine of its own it would leave that to the others", each/n, 100*generator/all)
}

// judgeTargets says what each target carries. Their comparison, ratio by ratio, is the report's.
func (b *bench) judgeTargets() {
	r := &report.Recommendation{}
	for _, f := range b.found {
		r.Reasons = append(r.Reasons, f.words(b.o))
	}
	for _, s := range b.stage.subjects {
		best, clients, p99 := 0.0, 0, 0.0
		for _, run := range b.results.Runs {
			if isOf(run, s) && run.TPS > best {
				best, clients, p99 = run.TPS, run.Clients, run.Latency.P99
			}
		}
		if best == 0 {
			r.Reasons = append(r.Reasons, fmt.Sprintf("%s: no transaction succeeded", s.name))
			continue
		}
		if best > r.TPS {
			r.TPS, r.Clients, r.P99US, r.PoolSize = best, clients, p99, s.poolSize
			r.Text = fmt.Sprintf("%s carried the most: %s at p99 %s with %d clients", s.name, perSecond(best), millis(p99), clients)
		}
	}
	if r.Text == "" {
		r.Text = "no recommendation: no transaction succeeded anywhere"
	}
	b.results.Recommendation = r
}

// words says which rate was found.
func (f found) words(o *Options) string {
	if f.rate == 0 {
		return fmt.Sprintf("%s keeps %s at no rate that was tried", f.subject, o.SLO)
	}
	return fmt.Sprintf("%s keeps %s up to %s started at scheduled times, whether or not earlier ones have ended", f.subject, o.SLO, perSecond(f.rate))
}

// recommend asks the model for a pool size.
func (b *bench) recommend() (*report.Recommendation, error) {
	o := b.o
	options := model.Options{Hints: b.hints(), Rounds: o.Rounds, Unit: "transactions/s"}
	if o.Workload != nil && o.Workload.Role == sampleRole {
		options.Unit = "requests/s" // PostgREST makes one transaction of each
	}
	if o.SLO != nil {
		options.SLO = &model.SLO{Quantile: o.SLO.Quantile, Limit: o.SLO.Limit}
	}
	if o.private() {
		options.OtherCores = otherCores(b.results.Runs)
	}
	r, err := model.Recommend(points(b.results.Runs[:b.swept]), options)
	if err != nil {
		return nil, err
	}
	return &report.Recommendation{
		PoolSize: r.PoolSize, Clients: r.Clients, TPS: r.TPS, P99US: us(r.P99),
		Text: r.Text, Reasons: r.Reasons,
	}, nil
}

// otherCores is what the load generator and the poolers used of the machine that the private PostgreSQL shares with them, at the most.
func otherCores(runs []report.Run) (most float64) {
	for _, run := range runs {
		sum := 0.0
		for _, u := range []*report.Usage{run.Generator, run.Pooler} {
			if u != nil {
				sum += u.Cores
			}
		}
		most = max(most, sum)
	}
	return most
}

// points merges the rounds of each cell of a sweep over pool sizes.
func points(runs []report.Run) []model.Point {
	type key struct {
		size, clients int
		rate          float64
	}
	var order []key
	merged := map[key][]report.Run{}
	for _, run := range runs {
		if run.PoolSize == 0 || run.Cut || run.Seconds == 0 {
			continue
		}
		k := key{run.PoolSize, run.Clients, run.OfferedRate}
		if merged[k] == nil {
			order = append(order, k)
		}
		merged[k] = append(merged[k], run)
	}
	slices.SortFunc(order, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.clients, b.clients), cmp.Compare(a.rate, b.rate))
	})
	var all []model.Point
	for _, k := range order {
		all = append(all, point(merged[k]))
	}
	return all
}

// point merges the runs of one cell: means over rounds, and the noise of their intervals.
func point(runs []report.Run) model.Point {
	first := runs[0]
	p := model.Point{PoolSize: first.PoolSize, Clients: first.Clients, Offered: first.OfferedRate}
	n := float64(len(runs))
	var (
		mean, p50, p95, p99, queue, failed, whole float64
		parts, rounds                             []float64
	)
	for _, run := range runs {
		rounds = append(rounds, run.TPS)
		p.TPS += run.TPS / n
		mean, p50, p95, p99 = mean+run.Latency.Mean/n, p50+run.Latency.P50/n, p95+run.Latency.P95/n, p99+run.Latency.P99/n
		if run.QueueUS != nil {
			queue += *run.QueueUS / n
		}
		if run.Server != nil {
			p.ServerCores += run.Server.Cores / n
		}
		if run.Pooler != nil {
			p.PoolerCores += run.Pooler.Cores / n
		}
		for _, f := range run.Errors {
			if !f.Expected {
				failed += float64(f.Count)
			}
		}
		whole += float64(run.Transactions)
		parts = append(parts, run.Intervals...)
	}
	p.Mean, p.P50, p.P95, p.P99, p.Queue = micros(mean), micros(p50), micros(p95), micros(p99), micros(queue)
	if failed > 0 {
		p.Failed = failed / (failed + whole)
	}
	// The parts of a run do not show what drifts between rounds, and a few rounds show little by themselves.
	p.Noise = max(noise(parts), noise(rounds))
	return p
}

// noise is the relative standard error of the mean.
func noise(parts []float64) float64 {
	n := float64(len(parts))
	if n < 2 {
		return 0
	}
	mean, squares := 0.0, 0.0
	for _, x := range parts {
		mean += x / n
	}
	for _, x := range parts {
		squares += (x - mean) * (x - mean)
	}
	if mean <= 0 {
		return 0
	}
	return math.Sqrt(squares/(n-1)/n) / mean
}

func micros(us float64) time.Duration { return time.Duration(us * float64(time.Microsecond)) }

// perSecond writes a throughput as people say it: "4,120 transactions/s".
func perSecond(tps float64) string {
	digits := strconv.FormatFloat(math.Round(tps), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits + " transactions/s"
}

func millis(us float64) string { return strconv.FormatFloat(us/1000, 'g', 3, 64) + " ms" }
