package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table writes results for a terminal that is width columns wide (0: no limit): a table for each target and workload with a line for each pool size,
// number of clients and offered rate, then targets compared, the model, advice and the recommendation. Where the width does not suffice, columns of less weight are left out.
func Table(w io.Writer, results *Results, width int) error {
	out := &tableWriter{w: w, width: width}
	cells := merge(results)
	out.header(results)
	if len(cells) == 0 {
		out.line("No run has been measured.")
	}
	for _, g := range groups(cells) {
		out.group(g)
	}
	for _, v := range against(cells) {
		out.versus(v)
	}
	out.model(results.Model)
	out.advice(results.Advice)
	out.recommendation(results.Recommendation)
	return out.err
}

// tableWriter keeps the first error, so that what writes need not look at each.
type tableWriter struct {
	w     io.Writer
	width int
	err   error
}

func (t *tableWriter) Write(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	n, err := t.w.Write(p)
	t.err = err
	return n, err
}

func (t *tableWriter) line(text string) { fmt.Fprintln(t, wrap(text, t.width)) }

// block prints text that may have several lines, as plans and SQL do, each as it is.
func (t *tableWriter) block(first, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(first))
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintln(t, first+printable(strings.ReplaceAll(line, "\t", "    ")))
		first = indent
	}
}

// layout prints a table. Its error is kept by Write.
func (t *tableWriter) layout(l *layout) { _ = l.write(t, t.width) }

func (t *tableWriter) header(results *Results) {
	h := results.Header
	words := []string{}
	for _, s := range []string{h.Workload, h.Protocol, h.SLO} {
		if s != "" {
			words = append(words, printable(s))
		}
	}
	if h.PostgreSQL != "" {
		words = append(words, "PostgreSQL "+printable(h.PostgreSQL))
	}
	if h.Cores > 0 {
		words = append(words, fmt.Sprintf("%d cores", h.Cores))
	}
	if h.Processor != "" {
		words = append(words, printable(h.Processor))
	}
	if len(words) > 0 {
		t.line(strings.Join(words, " · "))
	}
	for _, n := range h.Notes {
		t.line("note: " + printable(n))
	}
}

func (t *tableWriter) group(cells []*merged) {
	g := cells[0].group()
	rounds := 0
	for _, c := range cells {
		rounds = max(rounds, len(c.runs))
	}
	fmt.Fprintf(t, "\n%s: %s, %s\n", printable(g.Target), printable(g.conditions()), plural(rounds, "round"))
	l := &layout{columns: []textColumn{
		{title: "pool"},
		{title: "clients"},
		{title: "offered/s"},
		{title: "TPS"},
		{title: "±", leave: 3},
		{title: "p50", leave: 4},
		{title: "p95", leave: 8},
		{title: "p99"},
		{title: "p99.9", leave: 9},
		{title: "lag p99", leave: 7},
		{title: "pooler µs/tx"},
		{title: "server µs/tx", leave: 5},
		{title: "bench µs/tx", leave: 10},
		{title: "queue", leave: 6},
		{title: "errors", left: true},
	}}
	cut := false
	for _, c := range cells {
		l.row(tableRow(c)...)
		cut = cut || c.cut
	}
	t.layout(l)
	if cut {
		t.line("  †: ended early, measured for less time than the others")
	}
	t.failures(cells)
}

func tableRow(c *merged) []string {
	pool, offered, noise, mark := "", "", "", ""
	if c.PoolSize > 0 {
		pool = count(int64(c.PoolSize))
	}
	if c.OfferedRate > 0 {
		offered = number(c.OfferedRate)
	}
	if n := c.noise(); n > 0 {
		noise = percent(n)
	}
	if c.cut {
		mark = "†"
	}
	return []string{
		pool, count(int64(c.Clients)), offered, figTPS.show(c.spread(figTPS)) + mark, noise,
		figP50.show(c.spread(figP50)), figP95.show(c.spread(figP95)), figP99.show(c.spread(figP99)), figP999.show(c.spread(figP999)), figLag.show(c.spread(figLag)),
		figPooler.show(c.spread(figPooler)), figServer.show(c.spread(figServer)), figGenerator.show(c.spread(figGenerator)), figQueue.show(c.spread(figQueue)),
		errorsInShort(c),
	}
}

// errorsInShort names the codes and counts that were no part of the load: "57014 ×3, lost ×1".
func errorsInShort(c *merged) string {
	byCode := c.errors()
	parts := make([]string, 0, len(byCode))
	for _, code := range codes(byCode) {
		if !byCode[code].Expected {
			parts = append(parts, printable(code)+" ×"+count(byCode[code].Count))
		}
	}
	return strings.Join(parts, ", ")
}

// failures says each unexpected code's first words once, and sums those that are part of the load.
func (t *tableWriter) failures(cells []*merged) {
	said, expected := map[string]bool{}, map[string]Failure{}
	for _, c := range cells {
		byCode := c.errors()
		for _, code := range codes(byCode) {
			f := byCode[code]
			if f.Expected {
				f.Count += expected[code].Count
				expected[code] = f
			} else if f.Text != "" && !said[code] {
				said[code] = true
				t.line("  " + printable(code) + ": " + printable(f.Text))
			}
		}
	}
	if len(expected) > 0 {
		parts := make([]string, 0, len(expected))
		for _, code := range codes(expected) {
			parts = append(parts, printable(code)+" ×"+count(expected[code].Count))
		}
		t.line("  errors that are part of the load: " + strings.Join(parts, ", "))
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return count(int64(n)) + " " + what + "s"
}
