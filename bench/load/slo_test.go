package load

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestParseSLO(t *testing.T) {
	for _, tt := range []struct {
		text string
		want SLO
		form string
		err  string
	}{
		{text: "p99=20ms", want: SLO{0.99, 20 * time.Millisecond}, form: "p99=20ms"},
		{text: " p99.9 = 1.5s ", want: SLO{0.999, 1500 * time.Millisecond}, form: "p99.9=1.5s"},
		{text: "p50=500us", want: SLO{0.5, 500 * time.Microsecond}, form: "p50=500µs"},
		{text: "p99.99=1m", want: SLO{0.9999, time.Minute}, form: "p99.99=1m0s"},
		{text: "", err: "p99=20ms"},
		{text: "p99", err: "p99=20ms"},
		{text: "99=20ms", err: "p50 to p99.99"},
		{text: "p49=20ms", err: "p50 to p99.99"},
		{text: "p100=20ms", err: "p50 to p99.99"},
		{text: "pNaN=20ms", err: "p50 to p99.99"},
		{text: "p99=20", err: "duration"},
		{text: "p99=0s", err: "duration"},
		{text: "p99=-1s", err: "duration"},
		{text: "p99=1h", err: "10m"},
	} {
		got, err := ParseSLO(tt.text)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: %v", tt.text, err)
			}
			continue
		}
		if err != nil || math.Abs(got.Quantile-tt.want.Quantile) > 1e-9 || got.Limit != tt.want.Limit || got.String() != tt.form {
			t.Errorf("%q: %v (%s), %v", tt.text, got, got, err)
		}
	}
}

func FuzzParseSLO(f *testing.F) {
	f.Add("p99=20ms")
	f.Add("p99.9=1h")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSLO(text)
		if err != nil {
			return
		}
		again, err := ParseSLO(s.String())
		if err != nil || math.Abs(again.Quantile-s.Quantile) > 1e-6 || again.Limit != s.Limit {
			t.Errorf("%q is %v, which reads as %v, %v", text, s, again, err)
		}
	})
}

func TestMet(t *testing.T) {
	s := SLO{0.99, 20 * time.Millisecond}
	for _, tt := range []struct {
		name string
		make func(r *Result)
		want bool
	}{
		{"kept", func(*Result) {}, true},
		{"cut", func(r *Result) { r.Cut = true }, false},
		{"nothing", func(r *Result) { r.Total.Count = 0 }, false},
		{"slow", func(r *Result) { _ = r.Total.Latency.RecordValues(21_000, 20) }, false},
		{"few slow", func(r *Result) { _ = r.Total.Latency.RecordValues(21_000, 5) }, true},
		{"not served", func(r *Result) { r.Scheduled = 1030 }, false},
		{"nearly all served", func(r *Result) { r.Scheduled = 1015 }, true},
		{"failures", func(r *Result) { r.Errors["57014"] = &Failure{Count: 2} }, false},
		{"a failure in 1001", func(r *Result) { r.Errors["57014"] = &Failure{Count: 1} }, true},
		{"expected failures", func(r *Result) { r.Errors["23505"] = &Failure{Count: 100, Expected: true} }, true},
	} {
		r := &Result{Errors: map[string]*Failure{}, Total: Series{Count: 1000, Latency: NewHistogram()}}
		if err := r.Total.Latency.RecordValues(5_000, 1000); err != nil {
			t.Fatal(err)
		}
		tt.make(r)
		if got := s.Met(r); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// server is a model of one that carries capacity: its p99 at a rate, with noise of so many percent.
func server(capacity, noise float64, seed uint64) func(context.Context, float64) (*Result, error) {
	random := rand.New(rand.NewPCG(seed, 0))
	return func(_ context.Context, rate float64) (*Result, error) {
		r := &Result{Offered: rate, Scheduled: 10_000, Total: Series{Count: 10_000, Latency: NewHistogram()}, Errors: map[string]*Failure{}}
		p99 := highest
		if rate < capacity {
			p99 = int64(2000 / (1 - rate/capacity) * math.Exp(noise*random.NormFloat64()))
		} else {
			r.Total.Count = int64(10_000 * capacity / rate)
		}
		return r, r.Total.Latency.RecordValues(min(p99, highest), 100)
	}
}

func TestSearch(t *testing.T) {
	s := SLO{0.99, 20 * time.Millisecond} // kept up to 0.9 of the capacity
	for _, tt := range []struct{ capacity, first, noise, off float64 }{
		{10_000, 100, 0, 0.03},
		{10_000, 9_000, 0, 0.03},
		{10_000, 500_000, 0, 0.03},
		{3, 1000, 0, 0.03},
		{10_000, 1000, 0.15, 0.08},
	} {
		for seed := range uint64(20) {
			best, tried, err := Search(t.Context(), s, tt.first, server(tt.capacity, tt.noise, seed))
			want := tt.capacity * 0.9
			if err != nil || best < want*(1-tt.off) || best > want*(1+tt.off) {
				t.Errorf("%+v, seed %d: %v, want %v; %v", tt, seed, best, want, err)
			}
			if limit := 30; len(tried) > limit {
				t.Errorf("%+v, seed %d: %d runs", tt, seed, len(tried))
			}
			kept := 0
			for _, try := range tried {
				if try.Rate == best && try.Met {
					kept++
				}
			}
			if kept < 2 {
				t.Errorf("%+v, seed %d: %v was seen to keep it %d times", tt, seed, best, kept)
			}
		}
	}
}

func TestSearchEnds(t *testing.T) {
	s := SLO{0.99, 20 * time.Millisecond}
	if best, tried, err := Search(t.Context(), s, 100, server(0.01, 0, 1)); best != 0 || err != nil || len(tried) > most {
		t.Errorf("a server that cannot: %v, %v, %d runs", best, err, len(tried))
	}
	if best, tried, err := Search(t.Context(), s, 100, server(1e12, 0, 1)); best != atMost || err != nil || len(tried) > most {
		t.Errorf("a server that can do anything: %v, %v, %d runs", best, err, len(tried))
	}
	if _, _, err := Search(t.Context(), s, 0, nil); err == nil {
		t.Error("from nowhere")
	}
	broken, n := errors.New("broken"), 0
	best, tried, err := Search(t.Context(), s, 100, func(ctx context.Context, rate float64) (*Result, error) {
		if n++; n == 3 {
			return nil, broken
		}
		return server(10_000, 0, 1)(ctx, rate)
	})
	if !errors.Is(err, broken) || best != 200 || len(tried) != 2 {
		t.Errorf("%v, %v, %d runs", best, err, len(tried))
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, tried, err = Search(ctx, s, 100, func(ctx context.Context, rate float64) (*Result, error) {
		cancel()
		r, err := server(10_000, 0, 1)(ctx, rate)
		r.Cut = true
		return r, err
	})
	if !errors.Is(err, context.Canceled) || len(tried) != 0 {
		t.Errorf("cancelled: %v, %d runs", err, len(tried))
	}
}
