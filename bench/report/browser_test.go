package report

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"poolerd/bench/report/browsertest"
)

// pageFile writes results as a page and returns its path.
func pageFile(t testing.TB, name string, results *Results) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".html")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := HTML(f, results); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// pictures is where screenshots go: POOLERD_SCREENSHOTS, for those who want to look at them.
func pictures(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("POOLERD_SCREENSHOTS"); dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	return t.TempDir()
}

func TestBrowserDrawsEveryPlot(t *testing.T) {
	for _, test := range []struct {
		name    string
		results *Results
		plots   []string       // all of them, in order
		series  map[string]int // how many lines some have
		facets  map[string]int
	}{
		{
			name: "sweep", results: withWords(sweep().make(t)),
			plots: []string{
				"group1-tps-pool", "group1-tps-clients", "group1-latency-pool", "group1-latency-clients", "group1-distribution", "group1-cpu", "group1-queue", "model-tps", "model-p99",
			},
			series: map[string]int{"group1-tps-pool": 4, "group1-tps-clients": 6, "group1-latency-pool": 3, "group1-distribution": 6, "group1-cpu": 3, "group1-queue": 4, "model-tps": 2},
			facets: map[string]int{"group1-latency-pool": 4, "group1-latency-clients": 6, "group1-distribution": 4, "model-tps": 4},
		},
		{
			name: "several", results: several().make(t),
			plots: []string{
				"ratios", "beside-tps", "beside-p99", "beside-cpu",
				"group1-tps-pool", "group1-tps-clients", "group1-latency-pool", "group1-latency-clients", "group1-distribution", "group1-cpu", "group1-queue",
				"group1-rate-latency", "group1-rate-tps", "group1-rate-distribution",
				"group2-tps-pool", "group2-tps-clients", "group2-latency-pool", "group2-latency-clients", "group2-distribution", "group2-cpu", "group2-queue",
				"group2-rate-latency", "group2-rate-tps", "group2-rate-distribution",
				"group3-tps-clients", "group3-latency-clients", "group3-distribution", "group3-cpu", "group3-rate-latency", "group3-rate-tps", "group3-rate-distribution",
			},
			series: map[string]int{"ratios": 2, "beside-tps": 3, "beside-p99": 3, "beside-cpu": 2, "group1-rate-latency": 4, "group1-rate-distribution": 5, "group3-cpu": 2},
			facets: map[string]int{"ratios": 7, "beside-tps": 2},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := browsertest.Open(t, pageFile(t, test.name, test.results))
			dir := pictures(t)
			for _, look := range []struct {
				name  string
				width int
				dark  bool
			}{{"1200", 1200, false}, {"400", 400, false}, {"1200-dark", 1200, true}} {
				page.Resize(look.width, 900)
				page.Dark(look.dark)
				page.Screenshot(filepath.Join(dir, test.name+"-"+look.name+".png"))
				if over := page.Overflow(); over > 0 {
					t.Errorf("%s: the page is %d pixels too wide", look.name, over)
				}
				plots := page.Plots()
				ids := []string{}
				for _, p := range plots {
					ids = append(ids, p.ID)
					checkPlot(t, look.name, look.width, p)
					if want, ok := test.series[p.ID]; ok && len(p.Series) != want {
						t.Errorf("%s: %s has %d lines, want %d: %v", look.name, p.ID, len(p.Series), want, p.Series)
					}
					if want, ok := test.facets[p.ID]; ok && len(p.Facets) != want {
						t.Errorf("%s: %s has %d facets, want %d: %q", look.name, p.ID, len(p.Facets), want, p.Facets)
					}
				}
				if !slices.Equal(ids, test.plots) {
					t.Errorf("%s: plots %q, want %q", look.name, ids, test.plots)
				}
			}
			page.PDF(filepath.Join(dir, test.name+".pdf"))
			if problems := page.Problems(); len(problems) > 0 {
				t.Errorf("the page has problems: %q", problems)
			}
		})
	}
}

func checkPlot(t *testing.T, look string, width int, p browsertest.Plot) {
	t.Helper()
	if p.Width < width/4 || p.Height < 200 {
		t.Errorf("%s: %s is %d by %d pixels", look, p.ID, p.Width, p.Height)
	}
	if p.Rows == 0 || len(p.Series) == 0 {
		t.Errorf("%s: %s has %d lines and a table of %d rows", look, p.ID, len(p.Series), p.Rows)
	}
	coloured := 0
	for _, s := range p.Series {
		coloured += s.Pixels
		// Where there is room each line has its name beside it; without, one may be hidden by another.
		if s.Pixels < 8 && width >= 1000 {
			t.Errorf("%s: %s shows %d pixels of %q", look, p.ID, s.Pixels, s.Name)
		}
	}
	if coloured < 50 {
		t.Errorf("%s: %s shows %d pixels of its lines", look, p.ID, coloured)
	}
}

// TestThePageAnswers clicks, sorts and points.
func TestThePageAnswers(t *testing.T) {
	page := browsertest.Open(t, pageFile(t, "page", withWords(sweep().make(t))))

	before := page.Plots()
	page.Click("#group1-latency-pool .facets button:first-child")
	pressed := browsertest.Eval[string](page, `document.querySelector("#group1-latency-pool .facets [aria-pressed=true]").textContent`)
	after := page.Plots()
	if pressed != "4 clients" || before[2].ID != "group1-latency-pool" || before[2].Series[0] == after[2].Series[0] {
		t.Errorf("pressed %q; drawn before %+v, after %+v", pressed, before[2], after[2])
	}

	column := `[...document.querySelectorAll("#runs thead th")].findIndex((h) => h.textContent === "TPS")`
	page.Click("#runs thead th:nth-child(" + strconv.Itoa(browsertest.Eval[int](page, column)+1) + ") button")
	tps := browsertest.Eval[[]float64](page, `[...document.querySelectorAll("#runs tbody tr")].map((r) => +r.cells[`+column+`].dataset.v)`)
	if len(tps) != 72 || !slices.IsSorted(tps) {
		t.Errorf("%d runs, not sorted by TPS: %v", len(tps), tps)
	}

	// The legend tells the values under the pointer.
	told := browsertest.Eval[[]string](page, `new Promise((done) => {
		const over = document.querySelector("#group1-tps-pool .u-over"), at = over.getBoundingClientRect();
		over.dispatchEvent(new MouseEvent("mouseenter", {clientX: at.left + 2, clientY: at.top + 50}));
		over.dispatchEvent(new MouseEvent("mousemove", {clientX: at.left + 2, clientY: at.top + 50, bubbles: true}));
		requestAnimationFrame(() => requestAnimationFrame(() => done([...document.querySelectorAll("#group1-tps-pool .u-value")].map((v) => v.textContent))));
	})`)
	cells := merge(sweep().make(t))
	want := []string{"1.00"}
	for _, c := range cells[:4] {
		want = append(want, figTPS.show(c.spread(figTPS)))
	}
	if len(told) != 5 || !slices.Equal(told[1:], want[1:]) {
		t.Errorf("the legend tells %q, want %q", told, want)
	}

	background := `getComputedStyle(document.body).backgroundColor`
	light := browsertest.Eval[string](page, background)
	page.Dark(true)
	if dark := browsertest.Eval[string](page, background); dark == light {
		t.Errorf("the page is %s in the dark too", dark)
	}
	if problems := page.Problems(); len(problems) > 0 {
		t.Errorf("the page has problems: %q", problems)
	}
}
