package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"poolerd/bench/report/browsertest"
)

// odd are results that are unlike what a whole sweep leaves.
func odd(t testing.TB) map[string]*Results {
	t.Helper()
	all := several().make(t)
	only := func(keep func(Run) bool) *Results {
		r := &Results{Header: all.Header}
		for _, run := range all.Runs {
			if keep(run) {
				r.Runs = append(r.Runs, run)
			}
		}
		return r
	}
	failed := only(func(r Run) bool { return r.Target == "first" })
	for i := range failed.Runs {
		r := &failed.Runs[i]
		r.TPS, r.Transactions, r.Latency, r.Histogram, r.Lag, r.Pooler, r.Server, r.Generator, r.QueueUS, r.Intervals = 0, 0, Quantiles{}, "", nil, nil, nil, nil, nil, nil
		r.Errors = map[string]Failure{"connect": {Count: 40, Text: "connection refused"}}
	}
	cut := only(func(r Run) bool { return r.Target == "first" && r.Round < 3 })
	for i := range cut.Runs {
		cut.Runs[i].Cut = cut.Runs[i].Round == 2 || cut.Runs[i].Clients == 256
		cut.Runs[i].Histogram = cut.Runs[i].Histogram[:len(cut.Runs[i].Histogram)/2]
	}
	hostile := withWords(only(func(r Run) bool { return r.Target != "direct" && r.Round == 1 }))
	const evil = `</script><script>throw "bad"</script><img src=x onerror="throw 1">`
	for i := range hostile.Runs {
		r := &hostile.Runs[i]
		r.Target, r.Workload, r.Protocol = evil+r.Target, evil, `"'`+"`"+`{{.}}<!--`
		r.Errors = map[string]Failure{evil: {Count: 1, Text: evil}}
	}
	hostile.Header.Targets = nil
	hostile.Header.Notes, hostile.Header.Command, hostile.Header.Processor = []string{evil}, evil, evil
	hostile.Recommendation.Text, hostile.Recommendation.Reasons = evil, []string{evil}
	hostile.Advice = []Advice{{Severity: evil, Title: evil, Evidence: []string{evil, "a\n" + evil}, Remedy: evil, Pool: evil}}
	hostile.Model.Lines = []string{evil}
	return map[string]*Results{
		"nothing":        {},
		"no runs":        {Header: all.Header},
		"one run":        only(func(r Run) bool { return r.Target == "first" && r.PoolSize == 4 && r.Clients == 16 && r.Round == 1 }),
		"one pool":       only(func(r Run) bool { return r.PoolSize == 4 && r.Target == "first" }),
		"one clients":    only(func(r Run) bool { return r.Clients == 16 && r.Target == "first" }),
		"open loop only": only(func(r Run) bool { return r.OfferedRate > 0 }),
		"errors only":    failed,
		"cut":            cut,
		"hostile names":  hostile,
	}
}

var chartsOfPage = regexp.MustCompile(`(?s)<script type="application/json" id="charts">(.*?)</script>`)

// chartsIn reads the charts off a page, as its script does.
func chartsIn(t *testing.T, page []byte) []chart {
	t.Helper()
	m := chartsOfPage.FindSubmatch(page)
	if m == nil {
		t.Fatal("the page has no charts")
	}
	var charts []chart
	if err := json.Unmarshal(m[1], &charts); err != nil {
		t.Fatalf("the charts are no JSON: %v", err)
	}
	return charts
}

func render(t testing.TB, r *Results) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := HTML(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestPagesOfOddResults(t *testing.T) {
	var page *browsertest.Page
	all := odd(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		results := all[name]
		charts := chartsIn(t, render(t, results))
		for _, c := range charts {
			if c.Start < 0 || c.Start >= len(c.Facets) {
				t.Errorf("%s: %s starts at facet %d of %d", name, c.ID, c.Start, len(c.Facets))
			}
			for _, f := range c.Facets {
				for _, s := range f.Series {
					if len(s.Y) != len(f.X) {
						t.Errorf("%s: %s: %q has %d values for %d places", name, c.ID, s.Name, len(s.Y), len(f.X))
					}
				}
			}
		}
		if path := pageFile(t, "odd", results); page == nil {
			page = browsertest.Open(t, path)
		} else {
			page.Load(path)
		}
		plots := page.Plots()
		if len(plots) != len(charts) {
			t.Errorf("%s: %d plots for %d charts", name, len(plots), len(charts))
		}
		for _, p := range plots {
			if p.Inked == 0 || len(p.Series) == 0 {
				t.Errorf("%s: %s is blank", name, p.ID)
			}
		}
		page.Resize(400, 800)
		if over := page.Overflow(); over > 0 {
			t.Errorf("%s: the page is %d pixels too wide", name, over)
		}
		page.Screenshot(pictures(t) + "/odd-" + strings.ReplaceAll(name, " ", "-") + ".png")
		page.Resize(1200, 900)
		if problems := page.Problems(); len(problems) > 0 {
			t.Errorf("%s: the page has problems: %q", name, problems)
		}
	}
}

func TestOddResultsInText(t *testing.T) {
	for name, results := range odd(t) {
		t.Run(name, func(t *testing.T) {
			var table, lines bytes.Buffer
			if err := Table(&table, results, 100); err != nil {
				t.Error(err)
			}
			if err := CSV(&lines, results); err != nil {
				t.Error(err)
			}
			if strings.Contains(table.String(), "NaN") || strings.Contains(table.String(), "Inf") {
				t.Errorf("no figure:\n%s", table.String())
			}
			if len(results.Runs) == 0 && !strings.Contains(table.String(), "No run has been measured.") {
				t.Errorf("no runs, and it does not say so:\n%s", table.String())
			}
		})
	}
}

func TestThePageLoadsNothing(t *testing.T) {
	page := render(t, withWords(several().make(t)))
	for _, loads := range []string{`(?i)\s(src|srcset|action|poster|background)=`, `(?i)<(link|a|base)[^>]*href="(?:[^#d"]|d[^a])`, `(?i)@import`, `(?i)url\(\s*['"]?[a-z]+:`, `(?i)<(iframe|object|embed|form)`} {
		if found := regexp.MustCompile(loads).Find(page); found != nil {
			t.Errorf("the page has %q", found)
		}
	}
	if !bytes.Contains(page, []byte("default-src 'none'")) {
		t.Error("the page's policy allows to load things")
	}
	if !bytes.Contains(page, []byte("Copyright (c) 2022 Leon Sorokin")) {
		t.Error("uPlot's licence is missing")
	}
	if strings.Contains(strings.ToLower(uPlotScript), "</script") {
		t.Error("uPlot's script would end the page's")
	}
}

// TestFiguresOfThePage follows some numbers from the results to the page.
func TestFiguresOfThePage(t *testing.T) {
	results := small(t)
	page := string(render(t, results))
	for _, want := range []string{
		results.Recommendation.Reasons[0], "pool_size 8: 4,120 requests/s at p99 11\u00a0ms; 16 gains", "create index on dialogue (scene_id);", "71% of the database&#39;s time",
		`<td data-v="` + decimal(results.Runs[0].TPS) + `">` + number(results.Runs[0].TPS) + "</td>", "synthetic: made by a formula",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	var throughput chart
	for _, c := range chartsIn(t, []byte(page)) {
		if c.ID == "group1-tps-pool" {
			throughput = c
		}
	}
	if len(throughput.Facets) != 1 || len(throughput.Facets[0].Series) != 2 {
		t.Fatalf("throughput against pool size: %+v", throughput)
	}
	for j, clients := range []int{16, 64} {
		s := throughput.Facets[0].Series[j]
		if want := fmt.Sprintf("%d clients", clients); s.Name != want {
			t.Errorf("line %d is %q, want %q", j, s.Name, want)
		}
		for i, pool := range []int{4, 8} {
			low, high := math.Inf(1), 0.0
			for _, r := range results.Runs {
				if r.Target == "first" && r.PoolSize == pool && r.Clients == clients && r.OfferedRate == 0 {
					low, high = min(low, r.TPS), max(high, r.TPS)
				}
			}
			if *s.Low[i] != low || *s.High[i] != high || math.Abs(*s.Y[i]-(low+high)/2) > 1e-9 {
				t.Errorf("pool %d, %d clients: %v (%v..%v), want the median of %v and %v", pool, clients, *s.Y[i], *s.Low[i], *s.High[i], low, high)
			}
		}
	}
}

func TestDistributionIsTheHistogram(t *testing.T) {
	cells := merge(sweep().make(t))
	h := cells[0].distributionOf()
	if h == nil || h.TotalCount() != 3*2000 {
		t.Fatal("the rounds' histograms were not added up")
	}
	f := curves("", []string{"a"}, []*hdrhistogram.Histogram{h})
	for i, x := range f.X {
		if want := float64(h.ValueAtPercentile(100 * (1 - 1/x))); *f.Series[0].Y[i] != want {
			t.Errorf("at 1 in %v: %v, want %v", x, *f.Series[0].Y[i], want)
		}
	}
	if last := f.X[len(f.X)-1]; last > 6000 || last < 4000 {
		t.Errorf("the curve of 6,000 transactions ends at 1 in %v", last)
	}
}

func FuzzHTML(f *testing.F) {
	f.Add("poolerd", "57014", 8, 64, 0.0, 4000.0, 1.5e4, "")
	f.Add("</script>", "\x00", -1, 0, 1e308, 1e308, -1.0, "HISTFAAAAB4=")
	f.Add("a", "", math.MaxInt, math.MinInt, 5e-324, 0.0, 1e-300, "x")
	f.Fuzz(func(t *testing.T, target, code string, pool, clients int, rate, tps, us float64, histogram string) {
		run := Run{
			Target: target, Round: 1, PoolSize: pool, Clients: clients, OfferedRate: rate, Seconds: 1, TPS: tps, Latency: Quantiles{Count: 1, P50: us, P99: us * 2}, Histogram: histogram,
			Errors: map[string]Failure{code: {Count: int64(pool), Text: target}}, QueueUS: &us, Pooler: &Usage{CPUPerTransactionUS: us},
		}
		other := run
		other.Target, other.TPS = target+"2", tps*1.1
		results := &Results{Runs: []Run{run, other, run}, Model: &Model{Predictions: []Prediction{{PoolSize: pool, Clients: clients, TPS: tps, MeasuredTPS: us}}}}
		chartsIn(t, render(t, results))
		if _, err := Compare(results, &Results{Runs: []Run{other}}, Options{}); err != nil && rate == rate {
			t.Error(err) // not a number is equal to nothing, itself too
		}
	})
}
