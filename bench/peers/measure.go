package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"poolerd/bench/proc"
)

// cell is one line of the table: a load and how many clients make it.
type cell struct {
	load    load
	clients int
}

func (c cell) String() string { return fmt.Sprintf("%s, %d clients", c.load.title, c.clients) }

// sample is what one peer did in one round of a cell.
type sample struct {
	window   window
	cpu      time.Duration // of the pooler in the window, 0 for PostgreSQL itself
	resident int64         // bytes of the pooler at the window's end
	failed   int64         // transactions that failed in the whole run
	trouble  []string      // what went wrong, in words
	broken   bool          // the run is no measurement: its figures do not count
}

// cpuEach is the pooler's processor time for one transaction in microseconds.
func (s sample) cpuEach() float64 {
	return float64(s.cpu) / float64(time.Microsecond) / s.window.transactions
}

// coarse tells that the window holds too few ticks for the third digit.
func (s sample) coarse() bool { return s.cpu > 0 && s.cpu < 50*proc.Tick }

// pgbenchArgs are the arguments of a run of a cell at an endpoint. Extent is
// pgbench's --time or --transactions.
func (b *bench) pgbenchArgs(c cell, e *endpoint, extent string) []string {
	args := []string{
		"--no-vacuum", "--progress=1", "--progress-timestamp",
		"--host=" + e.host, "--port=" + strconv.Itoa(e.port), "--username=" + b.target.user,
		"--protocol=" + c.load.protocol,
		"--client=" + strconv.Itoa(c.clients),
		"--jobs=" + strconv.Itoa(min(b.options.jobs, c.clients)),
		extent,
	}
	if c.load.builtin != "" {
		args = append(args, "--builtin="+c.load.builtin)
	} else {
		args = append(args, "--file="+b.target.script)
		for _, v := range postgrestVariables() {
			args = append(args, "--define="+v)
		}
	}
	return append(args, b.target.database)
}

// pgbench makes the run of a cell at an endpoint, which may last so many
// seconds beside its logins.
func (b *bench) pgbench(c cell, e *endpoint, extent string, seconds int, onProgress func(progress) bool) pgbench {
	return pgbench{
		path: b.target.pgbench, args: b.pgbenchArgs(c, e, extent), env: cleanEnvironment(b.target.password),
		limit:      time.Duration(seconds)*time.Second + loginLimit,
		onProgress: onProgress,
	}
}

// loginLimit is how long the logins of one run may take together.
const loginLimit = 60 * time.Second

// sample runs one peer once. It never fails: what goes wrong is part of the
// sample, so that it is shown and not lost.
func (b *bench) sample(ctx context.Context, c cell, e *endpoint) sample {
	var s sample
	m := meter{endpoint: e, warmup: b.options.warmup, seconds: b.options.seconds, sample: &s}
	// The time is only the latest end: a full window ends the run.
	seconds := b.options.warmup + b.options.seconds + 2
	run, err := b.pgbench(c, e, "--time="+strconv.Itoa(seconds), seconds, m.progress).run(ctx)
	s.failed = run.summary.failed
	s.trouble = run.trouble
	if more := run.troubles - len(run.trouble); more > 0 {
		s.trouble = append(s.trouble, fmt.Sprintf("(%d more lines)", more))
	}
	switch {
	case err != nil:
		s.fail(err)
	case m.err != nil:
		s.fail(m.err)
	case !m.full():
		s.fail(fmt.Errorf("the run ended before its window: %d progress lines, wanted %d", m.lines, m.wanted()))
	case s.window.transactions == 0:
		s.fail(fmt.Errorf("no transaction succeeded in the window"))
	}
	if err := e.died(); err != nil {
		s.fail(err)
	}
	return s
}

// fail marks the sample as no measurement.
func (s *sample) fail(err error) {
	s.broken = true
	s.trouble = append(s.trouble, strings.ReplaceAll(err.Error(), "\n", " / "))
}

// meter fills a sample from the progress lines of a run.
type meter struct {
	endpoint        *endpoint
	warmup, seconds int
	sample          *sample

	lines int
	start time.Duration // the pooler's processor time at the window's start
	err   error
}

// wanted is the number of the line that closes the window.
func (m *meter) wanted() int { return m.warmup + m.seconds }

func (m *meter) full() bool { return m.lines >= m.wanted() }

// progress takes in a line and tells whether the window is full.
func (m *meter) progress(p progress) bool {
	m.lines++
	switch {
	case m.lines < m.warmup:
	case m.lines == m.warmup:
		m.start = m.cpu()
		m.sample.window.open(p)
	default:
		m.sample.window.add(p)
		if m.full() {
			m.sample.cpu = m.cpu() - m.start
			m.sample.resident = m.resident()
		}
	}
	return m.full()
}

// cpu reads the pooler's processor time; the first error is kept.
func (m *meter) cpu() time.Duration {
	if m.endpoint.process == nil {
		return 0
	}
	t, err := proc.CPU(m.endpoint.process.PID())
	if err != nil && m.err == nil {
		m.err = err
	}
	return t
}

// resident reads the pooler's memory; the first error is kept.
func (m *meter) resident() int64 {
	if m.endpoint.process == nil {
		return 0
	}
	n, err := proc.RSS(m.endpoint.process.PID())
	if err != nil && m.err == nil {
		m.err = err
	}
	return n
}
