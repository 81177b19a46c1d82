package report

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCellsAreMergedAndOrdered(t *testing.T) {
	run := func(target string, round, pool, clients int, tps float64) Run {
		return Run{Target: target, Round: round, PoolSize: pool, Clients: clients, Seconds: 1, TPS: tps}
	}
	results := &Results{
		Header: Header{Targets: []string{"b", "a"}},
		Runs:   []Run{run("a", 2, 8, 4, 30), run("a", 1, 8, 4, 10), run("c", 1, 1, 1, 1), run("a", 3, 8, 4, 20), run("a", 1, 2, 64, 5), run("b", 1, 2, 64, 5), run("a", 1, 2, 4, 5)},
	}
	var order []string
	cells := merge(results)
	for _, c := range cells {
		order = append(order, c.Target+" "+c.load())
	}
	want := "b pool 2, 64 clients|a pool 2, 4 clients|a pool 2, 64 clients|a pool 8, 4 clients|c pool 1, 1 client"
	if got := strings.Join(order, "|"); got != want {
		t.Errorf("cells\n%s, want\n%s", got, want)
	}
	if got := cells[3].spread(figTPS); got != (Spread{20, 10, 30, 3}) {
		t.Errorf("three rounds give %+v", got)
	}
	if got := cells[3].noise(); got != 0.5 {
		t.Errorf("noise %v, want half of 20 over 20", got)
	}
}

func TestCutRunsCountOnlyWhereThereIsNoOther(t *testing.T) {
	run := func(clients, round int, tps float64, cut bool) Run {
		return Run{Clients: clients, Round: round, Seconds: 1, TPS: tps, Cut: cut}
	}
	cells := merge(&Results{Runs: []Run{run(1, 1, 10, false), run(1, 2, 99, true), run(2, 1, 20, true)}})
	if s := cells[0].spread(figTPS); s.N != 1 || s.Median != 10 || cells[0].cut {
		t.Errorf("a whole and a cut run: %+v, cut %v", s, cells[0].cut)
	}
	if s := cells[1].spread(figTPS); s.N != 1 || s.Median != 20 || !cells[1].cut {
		t.Errorf("a cut run alone: %+v, cut %v", s, cells[1].cut)
	}
	var out bytes.Buffer
	if err := Table(&out, &Results{Runs: []Run{run(2, 1, 20, true)}}, 0); err != nil || !strings.Contains(out.String(), "20.0†") || !strings.Contains(out.String(), "†: ended early") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestNoiseOfOneRoundComesFromItsIntervals(t *testing.T) {
	one := merge(&Results{Runs: []Run{{Clients: 1, Seconds: 1, TPS: 100, Intervals: []float64{90, 110, 90, 110}}}})[0]
	// The standard deviation is 11.547, the standard error half of that.
	if got := one.noise(); math.Abs(got-0.11547) > 1e-5 {
		t.Errorf("noise %v, want 0.11547", got)
	}
	few := merge(&Results{Runs: []Run{{Clients: 1, Seconds: 1, TPS: 100, Intervals: []float64{90, 110}}}})[0]
	if got := few.noise(); got != 0 {
		t.Errorf("two intervals tell a noise of %v", got)
	}
}

func TestWhatWasNotMeasuredIsADash(t *testing.T) {
	run := Run{Clients: 1, Seconds: 1, Pooler: &Usage{}, Lag: &Quantiles{}}
	for f := figTPS; f <= figLag; f++ {
		v, ok := f.of(&run)
		if f == figTPS && (!ok || v != 0) || f != figTPS && ok {
			t.Errorf("%v of a run without transactions: %v, %v", f, v, ok)
		}
	}
	if _, ok := figTPS.of(&Run{}); ok {
		t.Error("a run without a window has a throughput")
	}
}

func TestTablesKeepToTheWidth(t *testing.T) {
	results := several().make(t)
	for _, width := range []int{80, 100, 120, 160} {
		var out bytes.Buffer
		if err := Table(&out, results, width); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if n := utf8.RuneCountInString(line); n > width {
				t.Errorf("%d columns where there are %d: %s", n, width, line)
			}
		}
		for _, want := range []string{"TPS", "p99", "pooler µs/tx", "clients"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("at %d columns, %q is left out", width, want)
			}
		}
		if in := strings.Contains(out.String(), "p99.9"); width <= 80 && in || width >= 160 && !in {
			t.Errorf("at %d columns, p99.9 is in: %v", width, in)
		}
		if in := strings.Contains(out.String(), "(0.9"); in != (width >= 120) {
			t.Errorf("at %d columns, spreads of ratios are in: %v", width, in)
		}
	}
}

func TestTerminalsAreSafeFromNames(t *testing.T) {
	const evil = "a\x1b]0;owned\x07\r\nb"
	results := &Results{
		Header: Header{Notes: []string{evil}, Processor: evil, Workload: evil},
		Runs:   []Run{{Target: evil, Workload: evil, Clients: 1, Seconds: 1, TPS: 1, Errors: map[string]Failure{evil: {Count: 1, Text: evil}}}, {Target: evil + "2", Workload: evil, Clients: 1, Seconds: 1, TPS: 1}},
		Advice: []Advice{{Severity: evil, Title: evil, Evidence: []string{evil}, Remedy: evil, Pool: evil}}, Model: &Model{Lines: []string{evil}}, Recommendation: &Recommendation{Text: evil, Reasons: []string{evil}},
	}
	c, err := Compare(results, results, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.OnlyNew = []Cell{results.Runs[0].Cell()}
	for _, width := range []int{0, 80} {
		var out bytes.Buffer
		if err := Table(&out, results, width); err != nil {
			t.Fatal(err)
		}
		if err := c.WriteText(&out, width); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(out.String(), "\x1b\x07\r") {
			t.Errorf("control characters reach the terminal:\n%q", out.String())
		}
	}
}
