package report

import (
	"fmt"
	"strings"
	"time"
)

func facts(h Header) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if h.Workload != "" {
		add("%s", strings.TrimSuffix(h.Workload+", "+h.Protocol, ", "))
	}
	if h.PostgreSQL != "" {
		add("PostgreSQL %s", h.PostgreSQL)
	}
	if h.Cores > 0 {
		add("%s", plural(h.Cores, "core"))
	}
	if h.Processor != "" {
		add("%s", h.Processor)
	}
	if !h.Started.IsZero() {
		add("%s", h.Started.UTC().Format("2 January 2006, 15:04 UTC"))
	}
	return out
}

// headline is the recommendation with its reasons; without one, how the targets compare; without several, what was measured.
func headline(results *Results, comparisons []versus) (title string, lines []string) {
	if r := results.Recommendation; r != nil {
		return unbroken(r.Text), r.Reasons
	}
	var targets []string
	for _, v := range comparisons {
		var parts []string
		for _, r := range v.overall {
			if r.Verdict == NoDifference {
				parts = append(parts, r.Figure+" no different beyond the noise")
			} else {
				parts = append(parts, r.Figure+" ×"+times(r.Ratio))
			}
		}
		if len(parts) > 0 {
			targets = append(targets, v.target)
			lines = append(lines, v.target+": "+strings.Join(parts, ", "))
		}
	}
	switch {
	case len(targets) > 0:
		title = strings.Join(targets, ", ") + " beside " + comparisons[0].base
	case len(results.Runs) == 0:
		title = "Nothing was measured"
	default:
		title = plural(len(results.Runs), "run") + " measured"
	}
	return title, append(lines, "the bench made no recommendation")
}

// unbroken keeps numbers and their units on one line.
func unbroken(text string) string {
	words := strings.Split(text, " ")
	var b strings.Builder
	for i, w := range words {
		unit := strings.TrimRight(w, ".,;:)")
		switch {
		case i == 0:
		case (unit == "ms" || unit == "µs" || unit == "s") && endsInDigit(words[i-1]):
			b.WriteString("\u00a0")
		default:
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	return b.String()
}

func endsInDigit(s string) bool { return s != "" && s[len(s)-1] >= '0' && s[len(s)-1] <= '9' }

func tiles(results *Results) []named {
	r := results.Recommendation
	if r == nil {
		return nil
	}
	var out []named
	add := func(name string, known bool, value string) {
		if known {
			out = append(out, named{name, value})
		}
	}
	add("pool size", r.PoolSize > 0, count(int64(r.PoolSize)))
	add("clients", r.Clients > 0, count(int64(r.Clients)))
	add("transactions a second", r.TPS > 0, number(r.TPS))
	add("p99 latency", r.P99US > 0, latency(r.P99US))
	return out
}

func how(results *Results) []named {
	h := results.Header
	var out []named
	add := func(name, value string) {
		if value != "" {
			out = append(out, named{name, value})
		}
	}
	add("Command", h.Command)
	add("Program", h.Program)
	if !h.Started.IsZero() {
		add("Started", h.Started.Format(time.RFC3339))
	}
	add("System", h.System)
	add("Processor", h.Processor)
	if h.Cores > 0 {
		add("Cores", count(int64(h.Cores)))
	}
	add("PostgreSQL", h.PostgreSQL)
	add("Workload", h.Workload)
	add("Protocol", h.Protocol)
	add("Objective", h.SLO)
	add("Targets", strings.Join(h.Targets, ", "))
	add("Runs", count(int64(len(results.Runs))))
	add("Latency", "from the start of a transaction, in an open loop from when it was due, to its end; quantiles are medians over rounds, distributions all rounds together")
	return out
}

// pageAdvice is a finding as the page shows it.
type pageAdvice struct {
	Severity, Class, Title string
	Evidence               []evidence
	Remedy, Pool           string
}

// evidence is a plan where it has several lines, else a sentence.
type evidence struct {
	Text string
	Plan bool
}

func adviceOf(advice []Advice) []pageAdvice {
	out := make([]pageAdvice, 0, len(advice))
	for _, a := range advice {
		p := pageAdvice{Severity: a.Severity, Title: a.Title, Remedy: a.Remedy, Pool: a.Pool}
		switch a.Severity {
		case "costly", "fine":
			p.Class = a.Severity
		case "worth a look":
			p.Class = "look"
		}
		for _, e := range a.Evidence {
			p.Evidence = append(p.Evidence, evidence{e, strings.Contains(e, "\n")})
		}
		out = append(out, p)
	}
	return out
}

// pageError is one code: of one load, or where it is part of the load, of all of a target's.
type pageError struct {
	Target, Load, Code, Count, Share, Text string
	Expected                               bool
}

func errorsOf(cells []*merged) []pageError {
	var out []pageError
	for _, c := range cells {
		byCode := c.errors()
		all := c.attempts()
		for _, code := range codes(byCode) {
			if f := byCode[code]; !f.Expected {
				out = append(out, pageError{c.Target, c.load(), code, count(f.Count), part(f.Count, all), f.Text, false})
			}
		}
	}
	for _, g := range groups(cells) {
		expected, all := map[string]Failure{}, int64(0)
		for _, c := range g {
			all += c.attempts()
			for code, f := range c.errors() {
				if f.Expected {
					f.Count += expected[code].Count
					expected[code] = f
				}
			}
		}
		for _, code := range codes(expected) {
			f := expected[code]
			out = append(out, pageError{g[0].Target, "all loads", code, count(f.Count), part(f.Count, all), f.Text, true})
		}
	}
	return out
}

// attempts are a cell's transactions, with those that failed.
func (m *merged) attempts() int64 {
	all := int64(0)
	for _, r := range m.runs {
		all += r.Transactions + r.unexpected()
	}
	return all
}

func part(of, all int64) string {
	if all <= 0 {
		return dash
	}
	return percent(float64(of) / float64(all))
}
