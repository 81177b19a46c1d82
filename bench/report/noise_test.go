package report

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestTrigamma(t *testing.T) {
	for _, test := range []struct{ x, want float64 }{{1, math.Pi * math.Pi / 6}, {0.5, math.Pi * math.Pi / 2}, {2, math.Pi*math.Pi/6 - 1}} {
		if got := trigamma(test.x); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("trigamma(%v) is %v, want %v", test.x, got, test.want)
		}
	}
	for _, y := range []float64{1e-3, 0.1, 0.7, 1, 3, 40, 1000} {
		if got := inverseTrigamma(trigamma(y)); math.Abs(got/y-1) > 1e-6 {
			t.Errorf("trigamma of %v is undone to %v", y, got)
		}
	}
	for _, x := range []float64{1e8, 1e-8} {
		if got := trigamma(inverseTrigamma(x)); math.Abs(got/x-1) > 0.01 {
			t.Errorf("inverse of %v gives %v", x, got)
		}
	}
}

// contrastsOf draws cells whose variances are spread as a scaled inverse chi-square with the given weight (+Inf: all alike) around prior.
func contrastsOf(random *rand.Rand, cells, df int, prior, weight float64) []contrast {
	chi := func(df float64) float64 {
		sum := 0.0
		for range int(df) {
			z := random.NormFloat64()
			sum += z * z
		}
		return sum / df
	}
	out := make([]contrast, cells)
	for i := range out {
		v := prior
		if !math.IsInf(weight, 1) {
			v = prior / chi(weight)
		}
		out[i] = contrast{variance: v * chi(float64(df)), df: df, scale: 1}
	}
	return out
}

func TestNoiseIsFitted(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, test := range []struct {
		weight     float64
		low, high  float64 // of the fitted weight
		priorWithn float64
	}{{4, 3, 5.5, 0.1}, {12, 7, 25, 0.1}, {math.Inf(1), 40, math.Inf(1), 0.1}} {
		n := noiseOf(contrastsOf(random, 2000, 4, 4e-4, test.weight), 1)
		if n.weight < test.low || n.weight > test.high || math.Abs(n.prior/4e-4-1) > test.priorWithn || n.assumed {
			t.Errorf("weight %v around 4e-4 is fitted as %+v", test.weight, n)
		}
	}
}

func TestNoiseOfFewCells(t *testing.T) {
	if n := noiseOf([]contrast{{scale: 2}}, 9e-4); !n.assumed || n.prior != 9e-4 {
		t.Errorf("one round each: %+v, want the assumed variance", n)
	}
	c := contrast{variance: 4e-4, df: 2, scale: 2.0 / 3}
	n := noiseOf([]contrast{c}, 1)
	if v, df := n.of(c); v != 4e-4 || df != 2 {
		t.Errorf("one cell: variance %v with %v degrees of freedom, want its own", v, df)
	}
	// Student's t with 2 degrees of freedom leaves 1% outside 9.9248.
	if got := n.each(c, 0.01); math.Abs(got.high-9.9248*math.Sqrt(4e-4*2/3)) > 1e-5 || got.low != -got.high {
		t.Errorf("interval %+v", got)
	}
	// A cell without rounds of its own borrows from the others.
	other := contrast{scale: 2}
	n = noiseOf([]contrast{c, other}, 1)
	if v, df := n.of(other); v != 4e-4 || df != 2 {
		t.Errorf("a cell of one round beside one of three: variance %v with %v degrees of freedom", v, df)
	}
	// Equal rounds are no proof of no noise.
	n = noiseOf([]contrast{{df: 4, scale: 0.4}}, 1)
	if v, _ := n.of(contrast{df: 4, scale: 0.4}); v != resolution*resolution {
		t.Errorf("equal rounds have the variance %v", v)
	}
}

func TestTargetsAreComparedWithinRounds(t *testing.T) {
	// The machine is twice as fast in the second round; the ratio inside each is what counts.
	random := rand.New(rand.NewPCG(8, 9))
	results := &Results{Header: Header{Targets: []string{"base", "other", "direct"}}}
	for round, speed := range []float64{1, 2, 0.5} {
		for _, clients := range []int{1, 2, 4, 8} {
			// Shuffled: the first target is not the first that ran.
			for _, side := range []struct {
				target string
				pool   int
				factor float64
			}{{"other", 8, 1.1}, {"direct", 0, 1}, {"base", 8, 1}} {
				tps := 1000 * speed * side.factor * math.Exp(0.005*random.NormFloat64())
				results.Runs = append(results.Runs, Run{
					Target: side.target, Round: round + 1, PoolSize: side.pool, Clients: clients, Seconds: 1, TPS: tps, Latency: Quantiles{Count: 9, P50: 1e6 / tps, P99: 2e6 / tps},
				})
			}
		}
	}
	comparisons := against(merge(results))
	if len(comparisons) != 2 || comparisons[0].base != "base" || comparisons[0].target != "other" || comparisons[1].target != "direct" {
		t.Fatalf("compared %+v", comparisons)
	}
	for _, c := range comparisons[0].cells {
		r, ok := c.of(figTPS)
		if !ok || r.Verdict != Better || math.Abs(r.Pairs.Median-1.1) > 0.02 || r.Pairs.N != 3 || r.Pairs.Low > r.Pairs.Median || r.Pairs.High < r.Pairs.Median {
			t.Errorf("%s: %+v", c.load(), r)
		}
		if r, _ := c.of(figP99); r.Verdict != Better {
			t.Errorf("%s: less p99 is %q", c.load(), r.Verdict)
		}
		if _, ok := c.of(figPooler); ok {
			t.Error("processor time that nobody measured is compared")
		}
	}
	// A target without a pool stands beside each pool size.
	if cells := comparisons[1].cells; len(cells) != 4 || cells[0].PoolSize != 8 {
		t.Errorf("direct: %+v", cells)
	}
	for _, r := range comparisons[1].overall {
		if r.Verdict != NoDifference {
			t.Errorf("equal targets: %+v", r)
		}
	}
	page := string(render(t, results))
	for _, want := range []string{"other, direct beside base", "other: TPS ×1.1", "direct: TPS no different beyond the noise"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
