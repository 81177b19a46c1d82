package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

// The page and what it is made of; assets/README.md says where from.
var (
	//go:embed assets/report.html
	pageTemplate string
	//go:embed assets/report.css
	pageStyle string
	//go:embed assets/report.js
	pageScript string
	//go:embed assets/uPlot.min.css
	uPlotStyle string
	//go:embed assets/uPlot.iife.min.js
	uPlotScript string
	//go:embed assets/uPlot.LICENSE.txt
	uPlotLicence string
)

// HTML writes results as one page that needs no other file and no network: the recommendation, plots, targets compared, the model beside the measurement,
// advice, errors and all runs. Names and texts of the results are shown as they are, whatever they hold.
func HTML(w io.Writer, results *Results) error {
	t, err := template.New("report").Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("the report's template: %w", err)
	}
	if err := t.Execute(w, pageOf(results)); err != nil {
		return fmt.Errorf("writing the HTML report: %w", err)
	}
	return nil
}

// page is what the template shows.
type page struct {
	Title    string
	Headline string   // the recommendation's text, or what stands in its place
	Reasons  []string // below it
	Tiles    []named
	Facts    []string
	Notes    []string
	Sections []section
	Advice   []pageAdvice
	Errors   []pageError
	Runs     *runTable
	How      []named
	Charts   []chart // of all sections, for the script

	Style, UPlotStyle   template.CSS
	Script, UPlotScript template.JS
}

type named struct{ Name, Value string }

// section is a heading with plots.
type section struct {
	ID, Title, Short string
	Lines            []string
	Comparison       *comparisonTable
	Charts           []chart
}

func pageOf(results *Results) page {
	cells := merge(results)
	h := results.Header
	p := page{
		Title: "poolerd bench", Notes: h.Notes, Facts: facts(h), Tiles: tiles(results), How: how(results),
		Advice: adviceOf(results.Advice), Errors: errorsOf(cells), Runs: runsOf(results),
		Style: template.CSS(pageStyle), UPlotStyle: template.CSS(uPlotStyle),
		Script: template.JS(pageScript), UPlotScript: template.JS("/*!\nuPlot\n" + uPlotLicence + "\n*/\n" + uPlotScript),
		Charts: []chart{},
	}
	comparisons := against(cells)
	p.Headline, p.Reasons = headline(results, comparisons)
	if h.Workload != "" {
		p.Title += ": " + h.Workload
	}
	p.Sections = sectionsOf(cells, comparisons, results)
	for _, s := range p.Sections {
		p.Charts = append(p.Charts, s.Charts...)
	}
	return p
}

// sectionsOf are the targets compared, each target and workload, and the model.
func sectionsOf(cells []*merged, comparisons []versus, results *Results) []section {
	var out []section
	if len(comparisons) > 0 {
		s := section{ID: "targets", Title: "Targets compared", Short: "Targets", Charts: targetCharts(cells, comparisons)}
		s.Comparison = comparisonOf(comparisons)
		out = append(out, s)
	}
	byGroup := groups(cells)
	var all []group
	for _, g := range byGroup {
		all = append(all, g[0].group())
	}
	short := groupNames(all)
	for i, g := range byGroup {
		id := fmt.Sprintf("group%d", i+1)
		title := g[0].group().Target
		if c := g[0].group().conditions(); c != "" {
			title += ": " + c
		}
		out = append(out, section{ID: id, Title: title, Short: short[i], Charts: sweepCharts(id, g, results)})
	}
	if results.Model != nil {
		out = append(out, section{ID: "model", Title: "Model", Short: "Model", Lines: results.Model.Lines, Charts: modelCharts(results)})
	}
	return out
}
