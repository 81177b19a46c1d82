package browsertest

import (
	"context"
	"os"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Plot is one chart of a report as it stands on the page.
type Plot struct {
	ID     string   `json:"id"`
	Title  string   `json:"title"`
	Width  int      `json:"width"` // of its canvas
	Height int      `json:"height"`
	Inked  int      `json:"inked"`  // pixels that are drawn, axes and labels with them
	Series []Series `json:"series"` // of the facet that is shown
	Facets []string `json:"facets"` // their names; none where there is one
	Rows   int      `json:"rows"`   // of the table below it
}

// Series is one line of a plot.
type Series struct {
	Name   string `json:"name"`
	Pixels int    `json:"pixels"` // of its colour, 0 where others hide it
}

// script reads the plots off the page. A series' colour is its mark's in the legend.
const script = `[...document.querySelectorAll("figure.chart")].map((figure) => {
  const canvas = figure.querySelector("canvas");
  const out = {id: figure.id, title: figure.querySelector("h3").textContent, width: 0, height: 0, inked: 0, series: [],
    facets: [...figure.querySelectorAll(".facets button")].map((b) => b.textContent), rows: figure.querySelectorAll("details tbody tr").length};
  if (!canvas) return out;
  out.width = canvas.width; out.height = canvas.height;
  const copy = Object.assign(document.createElement("canvas"), {width: canvas.width, height: canvas.height}); // reading the original makes the browser complain
  const pen = copy.getContext("2d", {willReadFrequently: true});
  pen.drawImage(canvas, 0, 0);
  const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  const rows = [...figure.querySelectorAll(".u-legend .u-series")].slice(1).filter((r) => !r.classList.contains("u-off"));
  const colours = rows.map((r) => getComputedStyle(r.querySelector(".u-marker")).borderTopColor.match(/[\d.]+/g).slice(0, 3).map(Number));
  out.series = rows.map((r) => ({name: r.querySelector(".u-label").textContent, pixels: 0}));
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] === 0) continue;
    out.inked++;
    if (data[i + 3] < 200) continue;
    colours.forEach((c, k) => { if (Math.abs(data[i] - c[0]) + Math.abs(data[i + 1] - c[1]) + Math.abs(data[i + 2] - c[2]) < 9) out.series[k].pixels++; });
  }
  return out;
})`

// Plots are the page's charts, from top to bottom.
func (p *Page) Plots() []Plot {
	p.t.Helper()
	p.settle()
	return Eval[[]Plot](p, script)
}

// Overflow is by how many pixels the page is wider than its window: 0 where nothing has to be scrolled sideways.
func (p *Page) Overflow() int {
	p.t.Helper()
	return Eval[int](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
}

// PDF writes what a printer would get.
func (p *Page) PDF(path string) {
	p.t.Helper()
	pdf := run(p, func(ctx context.Context, target *chromedp.Target) ([]byte, error) {
		r, err := cdp.Call(ctx, target, page.PrintToPDF, page.PrintToPDFParams{})
		return r.Data, err
	})
	if err := os.WriteFile(path, pdf, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
