package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// report is all that is printed.
type report struct {
	options            options
	machine            string
	load               string // load average at the start
	subject, reference string // names, also of a reference that is not there
	alone              bool   // there is no reference
	notes              []string
	cells              []cellResult
	idle               []idleResult
}

// write prints the report in Markdown.
func (r report) write(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", r.title(), r.machine)
	fmt.Fprintf(&b, "Load average before the first run: %s.\n", r.load)
	for _, n := range r.notes {
		fmt.Fprintf(&b, "\n**%s**\n", n)
	}
	if len(r.cells) > 0 {
		r.writeLoad(&b)
		r.writeLatency(&b)
		r.writeSyscalls(&b)
	}
	if len(r.idle) > 0 {
		r.writeIdle(&b)
	}
	r.writeTrouble(&b)
	_, err := io.WriteString(out, b.String())
	return err
}

func (r report) title() string {
	if r.alone {
		return r.subject + " beside PostgreSQL without a pooler"
	}
	return r.subject + " beside " + r.reference
}

// measured collects one figure of a peer's sound samples by round.
func (c cellResult) measured(peer string, figure func(sample) float64) map[int]float64 {
	out := map[int]float64{}
	for round, s := range c.rounds[peer] {
		if !s.broken {
			out[round] = figure(s)
		}
	}
	return out
}

// spread of one figure of a peer over its rounds.
func (c cellResult) spread(peer string, figure func(sample) float64) spread {
	var values []float64
	for _, v := range c.measured(peer, figure) {
		values = append(values, v)
	}
	return spreadOf(values)
}

func tps(s sample) float64      { return s.window.tps() }
func resident(s sample) float64 { return megabytes(s.resident) }
func latency(s sample) float64  { return 1000 * milliseconds(s.window.latency()) }

// failures describes what failed for a peer in all rounds: transactions, and
// runs that were no measurement.
func (c cellResult) failures(peer string) string {
	samples, found := c.rounds[peer]
	if !found {
		return "absent"
	}
	var failed int64
	broken := 0
	for _, s := range samples {
		failed += s.failed
		if s.broken {
			broken++
		}
	}
	if broken > 0 {
		return fmt.Sprintf("%d and %d of %d runs broken", failed, broken, len(samples))
	}
	return fmt.Sprint(failed)
}

// coarse tells whether any sound window of a peer was short of ticks.
func (c cellResult) coarse(peer string) bool {
	for _, s := range c.rounds[peer] {
		if !s.broken && s.coarse() {
			return true
		}
	}
	return false
}

// processor prints a peer's processor time for one transaction, marked where
// it is coarse.
func (c cellResult) processor(peer string) string {
	s := c.spread(peer, sample.cpuEach).format(1)
	if c.coarse(peer) {
		s += " †"
	}
	return s
}

func (r report) writeLoad(b *strings.Builder) {
	o := r.options
	fmt.Fprintf(b, "\n## Load: pool of %d, %d rounds of %d s, %d threads of pgbench, seed %d\n\n", o.poolSize, o.rounds, o.seconds, o.jobs, o.seed)
	fmt.Fprintf(b, "Ratios are %s to %s within one round: median (lowest..highest). Below 1 is less processor time, above 1 is more throughput. Failed: %s / %s / direct. RSS: at the window's end, with all clients connected.\n\n",
		r.subject, r.reference, r.subject, r.reference)
	header := []string{
		"load", "clients", "CPU ratio", "CPU µs/tx " + r.subject, "CPU µs/tx " + r.reference,
		"TPS ratio", "TPS " + r.subject, "TPS " + r.reference, "TPS direct", "RSS MB", "failed",
	}
	row(b, header...)
	row(b, slices.Repeat([]string{"---"}, len(header))...)
	anyCoarse := false
	for _, c := range r.cells {
		anyCoarse = anyCoarse || c.coarse(r.subject) || c.coarse(r.reference)
		row(b,
			c.cell.load.title, fmt.Sprint(c.cell.clients),
			bold(r.ratio(c, sample.cpuEach).format(2)),
			c.processor(r.subject),
			c.processor(r.reference),
			bold(r.ratio(c, tps).format(2)),
			c.spread(r.subject, tps).formatMedian(0),
			c.spread(r.reference, tps).formatMedian(0),
			c.spread(direct{}.name(), tps).formatMedian(0),
			c.spread(r.subject, resident).formatMedian(0)+" / "+c.spread(r.reference, resident).formatMedian(0),
			c.failures(r.subject)+" / "+c.failures(r.reference)+" / "+c.failures(direct{}.name()),
		)
	}
	if anyCoarse {
		fmt.Fprintf(b, "\n† a window held fewer than 50 ticks of processor time: its figures are no better than 2%%.\n")
	}
}

// ratio is the subject's figure over the reference's, round by round.
func (r report) ratio(c cellResult, figure func(sample) float64) spread {
	return spreadOf(ratios(c.measured(r.subject, figure), c.measured(r.reference, figure)))
}

// writeLatency prints what a pooler adds for a lone client, where one was
// measured.
func (r report) writeLatency(b *strings.Builder) {
	started := false
	for _, c := range r.cells {
		if c.cell.clients != 1 {
			continue
		}
		if !started {
			started = true
			fmt.Fprintf(b, "\n## Added latency at 1 client\n\nMean latency of a transaction less that of the same round without a pooler, µs.\n\n")
			row(b, "load", "direct", "added by "+r.subject, "added by "+r.reference)
			row(b, "---", "---", "---", "---")
		}
		plain := c.measured(direct{}.name(), latency)
		row(b, c.cell.load.title, c.spread(direct{}.name(), latency).format(0),
			spreadOf(differences(c.measured(r.subject, latency), plain)).format(0),
			spreadOf(differences(c.measured(r.reference, latency), plain)).format(0))
	}
}

// writeSyscalls prints the counts of strace, where any were made.
func (r report) writeSyscalls(b *strings.Builder) {
	if !r.options.strace {
		return
	}
	fmt.Fprintf(b, "\n## System calls a transaction\n\nCounted by strace in a run of their own, which it slows: batches may differ from those at full speed.\n\n")
	row(b, "load", "clients", r.subject, r.reference)
	row(b, "---", "---", "---", "---")
	for _, c := range r.cells {
		row(b, c.cell.load.title, fmt.Sprint(c.cell.clients), c.syscalls[r.subject].format(), c.syscalls[r.reference].format())
	}
}

func (r report) writeIdle(b *strings.Builder) {
	n := r.options.idle
	fmt.Fprintf(b, "\n## %d idle clients\n\nResident bytes of the pooler for each, after its memory has settled.\n\n", n)
	row(b, "pooler", "before, MB", "logged in, bytes a client", "after one query each, bytes a client")
	row(b, "---", "---", "---", "---")
	for _, i := range r.idle {
		if i.err != nil {
			row(b, i.name, "broken: "+strings.ReplaceAll(i.err.Error(), "\n", " / "), "-", "-")
			continue
		}
		row(b, i.name, fmt.Sprintf("%.1f", megabytes(i.before)),
			fmt.Sprintf("%.0f", each(i.loggedIn, i.before, n)), fmt.Sprintf("%.0f", each(i.queried, i.before, n)))
	}
}

// writeTrouble lists everything that went wrong, with where.
func (r report) writeTrouble(b *strings.Builder) {
	var lines []string
	for _, c := range r.cells {
		for _, t := range c.trouble {
			lines = append(lines, fmt.Sprintf("%s: %s", c.cell, t))
		}
		for _, peer := range []string{r.subject, r.reference, direct{}.name()} {
			for round := range r.options.rounds {
				for _, t := range c.rounds[peer][round].trouble {
					lines = append(lines, fmt.Sprintf("%s, round %d, %s: %s", c.cell, round+1, peer, t))
				}
			}
		}
	}
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Trouble\n\n")
	for _, l := range lines {
		fmt.Fprintf(b, "- %s\n", l)
	}
}

// troubled tells whether any figure is missing or any transaction failed.
func (r report) troubled() bool {
	for _, c := range r.cells {
		if len(c.trouble) > 0 {
			return true
		}
		for _, samples := range c.rounds {
			for _, s := range samples {
				if s.broken || s.failed > 0 || len(s.trouble) > 0 {
					return true
				}
			}
		}
	}
	return slices.ContainsFunc(r.idle, func(i idleResult) bool { return i.err != nil })
}

func row(b *strings.Builder, fields ...string) {
	for _, f := range fields {
		b.WriteString("| " + strings.ReplaceAll(f, "|", `\|`) + " ")
	}
	b.WriteString("|\n")
}

func bold(s string) string {
	if s == "-" {
		return s
	}
	return "**" + s + "**"
}
