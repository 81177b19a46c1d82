package model

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func sampled(u USL, noise float64, seed uint64, ns ...float64) (samples []Sample) {
	random := rand.New(rand.NewPCG(seed, 3))
	for _, n := range ns {
		samples = append(samples, Sample{N: n, X: u.At(n) * math.Exp(noise*random.NormFloat64()), Noise: noise})
	}
	return samples
}

func TestUSLRecoversWhatMadeTheSamples(t *testing.T) {
	for name, u := range map[string]USL{
		"linear":     {Lambda: 100},
		"contention": {Lambda: 1000, Sigma: 0.1},
		"coherence":  {Lambda: 50, Kappa: 0.002},
		"both":       {Lambda: 995, Sigma: 0.027, Kappa: 0.00077},
	} {
		t.Run(name, func(t *testing.T) {
			got, q, err := FitUSL(sampled(u, 0, 1, 1, 2, 4, 8, 16, 32, 64))
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got.Lambda/u.Lambda-1) > 1e-6 || math.Abs(got.Sigma-u.Sigma) > 1e-7 || math.Abs(got.Kappa-u.Kappa) > 1e-8 {
				t.Errorf("got %+v, want %+v", got, u)
			}
			if q.Error > 1e-6 || q.R2 < 0.999999 || q.Points != 7 {
				t.Errorf("quality %+v", q)
			}
		})
	}
}

func TestUSLWithNoiseHoldsTheTruthInItsInterval(t *testing.T) {
	u := USL{Lambda: 1000, Sigma: 0.05, Kappa: 0.0005}
	misses := 0
	for seed := range uint64(40) {
		got, q, err := FitUSL(sampled(u, 0.03, seed, 1, 2, 4, 8, 16, 32, 64))
		if err != nil {
			t.Fatal(err)
		}
		if got.Sigma < 0 || got.Kappa < 0 {
			t.Fatalf("negative coefficients: %+v", got)
		}
		for _, n := range []float64{3, 12, 48} {
			low, high := q.Interval(got, n)
			if u.At(n) < low || u.At(n) > high {
				misses++
			}
			if math.Abs(got.At(n)/u.At(n)-1) > 0.12 {
				t.Errorf("seed %d: X(%v) = %v, want about %v", seed, n, got.At(n), u.At(n))
			}
		}
	}
	if misses > 12 { // 5% of 120 would be 6
		t.Errorf("the truth lies outside of %d of 120 intervals", misses)
	}
}

func TestUSLPeak(t *testing.T) {
	n, x := USL{Lambda: 100, Sigma: 0.19, Kappa: 0.01}.Peak()
	if math.Abs(n-9) > 1e-9 || math.Abs(x-100*9/(1+0.19*8+0.01*9*8)) > 1e-9 {
		t.Errorf("peak at %v of %v", n, x)
	}
	if n, x = (USL{Lambda: 100, Sigma: 0.1}).Peak(); !math.IsInf(n, 1) || x != 1000 {
		t.Errorf("without coherence the peak is at %v of %v", n, x)
	}
	if n, x = (USL{Lambda: 100, Sigma: 2, Kappa: 0.1}).Peak(); n != 1 || x != 100 {
		t.Errorf("where all is lost in contention the peak is at %v of %v", n, x)
	}
}

func TestUSLRefuses(t *testing.T) {
	good := sampled(USL{Lambda: 10, Sigma: 0.1}, 0, 1, 1, 2, 4)
	for name, c := range map[string]struct {
		samples []Sample
		want    string
	}{
		"nothing":        {nil, "3 or more different sizes, not 0"},
		"two sizes":      {append(good[:2:2], good[0]), "3 or more different sizes, not 2"},
		"not a number":   {append(good[:2:2], Sample{N: 4, X: math.NaN()}), "not a measurement"},
		"zero":           {append(good[:2:2], Sample{N: 4}), "not a measurement"},
		"below one":      {append(good[:2:2], Sample{N: 0.5, X: 1}), "not a measurement"},
		"negative noise": {append(good[:2:2], Sample{N: 4, X: 1, Noise: -1}), "not a measurement"},
	} {
		if _, _, err := FitUSL(c.samples); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}
