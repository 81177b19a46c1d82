package report

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// sample describes made-up results. They measure nothing: each target is a formula (a closed queueing network with one station of c servers, roughly) with noise.
type sample struct {
	targets []sampleTarget
	pools   []int
	clients []int
	rates   []float64 // of an open loop at the largest pool and number of clients
	rounds  int
	noise   float64 // relative standard deviation between rounds
	seed    uint64
}

type sampleTarget struct {
	name   string
	cpu    float64 // µs a transaction
	slower float64 // times the service time
	pool   bool
}

func sweep() sample {
	return sample{
		targets: []sampleTarget{{"poolerd", 30, 1, true}}, pools: []int{1, 2, 4, 8, 16, 32}, clients: []int{4, 16, 64, 256}, rounds: 3, noise: 0.015, seed: 1,
	}
}

func several() sample {
	return sample{
		targets: []sampleTarget{{"first", 30, 1, true}, {"second", 34, 1.08, true}, {"direct", 0, 0.93, false}},
		pools:   []int{4, 16}, clients: []int{16, 64, 256}, rates: []float64{500, 1000, 2000, 3000, 3600}, rounds: 3, noise: 0.015, seed: 2,
	}
}

// make runs the formula.
func (s sample) make(t testing.TB) *Results {
	t.Helper()
	random := rand.New(rand.NewPCG(s.seed, 7))
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	results := &Results{Header: Header{
		Format: Format, Started: start, Program: "poolerd bench (synthetic)", Command: "poolerd bench --rounds 3", Cores: 2, Processor: "none: a formula", System: "a test",
		PostgreSQL: "15.0", Workload: "postgrest", Protocol: "prepared", SLO: "p99=20ms",
		Notes: []string{"synthetic: made by a formula in a test, measures nothing"},
	}}
	for _, target := range s.targets {
		results.Header.Targets = append(results.Header.Targets, target.name)
	}
	for round := 1; round <= s.rounds; round++ {
		for _, target := range s.targets {
			pools := s.pools
			if !target.pool {
				pools = []int{0}
			}
			for _, pool := range pools {
				for _, clients := range s.clients {
					results.Runs = append(results.Runs, s.run(t, random, target, round, pool, clients, 0))
				}
			}
			for _, rate := range s.rates {
				results.Runs = append(results.Runs, s.run(t, random, target, round, pools[len(pools)-1], s.clients[len(s.clients)-1], rate))
			}
		}
	}
	return results
}

func (s sample) run(t testing.TB, random *rand.Rand, target sampleTarget, round, pool, clients int, rate float64) Run {
	t.Helper()
	const cores = 2.0
	held := 900e-6 * target.slower // a server is held so long
	width := float64(pool)
	if pool == 0 {
		width = float64(clients)
	}
	busy := math.Min(width, float64(clients))
	capacity := busy / held / (1 + 0.02*(busy-1) + 0.0008*busy*(busy-1))
	capacity = math.Min(capacity, cores/450e-6/target.slower)
	tps := capacity * math.Exp(s.noise*random.NormFloat64())
	seconds := float64(clients) / tps
	if rate > 0 {
		use := math.Min(rate/capacity, 0.985)
		tps = math.Min(rate, tps)
		seconds = held * (1 + use*use/(1-use)/2)
	}
	h := hdrhistogram.New(1, 600_000_000, 3)
	for range 2000 {
		us := seconds * 1e6 * math.Exp(0.35*random.NormFloat64()-0.06)
		if random.Float64() < 0.004 {
			us *= 3
		}
		if err := h.RecordValue(int64(us) + 1); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := EncodeHistogram(h)
	if err != nil {
		t.Fatal(err)
	}
	run := Run{
		Target: target.name, Round: round, PoolSize: pool, Clients: clients, Workload: "postgrest", Protocol: "prepared", OfferedRate: rate,
		Started: time.Date(2026, 1, 2, 3, 4, 5+round, 0, time.UTC), Seconds: 4, Transactions: int64(tps * 4), TPS: tps, Latency: FromHistogram(h), Histogram: encoded,
		Server:    &Usage{CPUPerTransactionUS: 310 * target.slower * (1 + 0.02*random.NormFloat64()), Cores: 310e-6 * tps, RSS: 90 << 20},
		Generator: &Usage{CPUPerTransactionUS: 38 * (1 + 0.02*random.NormFloat64()), Cores: 38e-6 * tps},
		ByName:    map[string]Quantiles{"get-by-pk": FromHistogram(h)},
		Errors:    map[string]Failure{"23505": {Count: 12, Expected: true, Text: "duplicate key value violates unique constraint \"film_pkey\""}},
	}
	for range 8 {
		run.Intervals = append(run.Intervals, tps*math.Exp(s.noise*random.NormFloat64()))
	}
	if target.pool {
		queue := 1e6 * math.Max(0, seconds-held)
		run.Pooler = &Usage{CPUPerTransactionUS: target.cpu * (1 + 0.02*random.NormFloat64()) * (1 + 0.04*math.Log2(float64(clients))), Cores: target.cpu * 1e-6 * tps, RSS: 30 << 20}
		run.QueueUS = &queue
	}
	if rate > 0 {
		lag := FromHistogram(h)
		run.Lag = &lag
	}
	if clients > 200 && pool == 1 {
		run.Errors["57014"] = Failure{Count: 3, Text: "query_wait_timeout"}
	}
	return run
}

// withWords adds what comes after the runs.
func withWords(r *Results) *Results {
	r.Recommendation = &Recommendation{
		PoolSize: 8, Clients: 64, TPS: 4120, P99US: 11000, Text: "pool_size 8: 4,120 requests/s at p99 11 ms; 16 gains 2% and costs 40% more p99",
		Reasons: []string{"the processor limits it: 2 of 2 cores are busy from pool_size 8 on", "sure: 3 rounds differ by 2%"},
	}
	r.Advice = []Advice{
		{
			Severity: "costly", Title: "dialogue is read whole for want of an index on (scene_id)",
			Evidence: []string{"71% of the database's time, 8,412 rows read for each row returned", "Seq Scan on dialogue  (cost=0.00..1893.00 rows=11 width=98)\n  Filter: (scene_id = 17)"},
			Remedy:   "create index on dialogue (scene_id);", Pool: "a larger pool does not help: each of its servers would read the same rows",
		},
		{Severity: "fine", Title: "no transaction waits for a lock"},
	}
	model := &Model{Lines: []string{"Universal Scalability Law over busy servers: R² 0.998, mean error 2.1%"}, Parameters: map[string]any{"sigma": 0.02}}
	for i, c := range merge(r) {
		tps, p99 := c.spread(figTPS).Median, c.spread(figP99).Median
		off := 0.02 * math.Sin(float64(i))
		model.Predictions = append(model.Predictions, Prediction{
			PoolSize: c.PoolSize, Clients: c.Clients, MeasuredTPS: tps, TPS: tps * (1 + off), MeasuredP99: p99, P99: p99 * (1 - off), Error: off, Trusted: c.Clients < 200,
		})
	}
	r.Model = model
	return r
}
