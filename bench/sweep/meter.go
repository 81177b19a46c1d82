package sweep

import (
	"context"
	"time"

	"poolerd/bench/console"
	"poolerd/bench/proc"
	"poolerd/bench/report"
)

// meter reads what a run costs beside the load generator: at the opening of the measured window, and at its end.
type meter struct {
	subject *subject
	server  int // postmaster, 0: not known
	console *console.Console
	ctx     context.Context

	opened    time.Time
	length    time.Duration
	base, end readings
}

// readings are the meters' stand.
type readings struct {
	pooler, server time.Duration
	waits          *console.Totals
}

// newMeter opens the pooler's console, where there is one.
func newMeter(ctx context.Context, s *subject, server int) *meter {
	m := &meter{subject: s, server: server, ctx: ctx}
	if s.console {
		// Without a console, or the right to it, the queue's wait stays unknown.
		m.console, _ = console.Open(ctx, s.url)
	}
	return m
}

func (m *meter) close() {
	if m.console != nil {
		_ = m.console.Close()
	}
}

func (m *meter) open() {
	m.base = m.read()
	m.opened = time.Now()
}

func (m *meter) shut() {
	m.length = time.Since(m.opened)
	m.end = m.read()
}

// read never fails: what cannot be read stays zero, and is left out of the run.
func (m *meter) read() (r readings) {
	if m.console != nil {
		if waits, err := m.console.Waits(m.ctx); err == nil {
			r.waits = &waits
		}
	}
	if m.subject.pooler != 0 {
		r.pooler, _ = proc.CPU(m.subject.pooler)
	}
	if m.server != 0 {
		r.server, _ = proc.TreeCPU(m.server)
	}
	return r
}

// fill puts the differences into a run of so many transactions.
func (m *meter) fill(run *report.Run, transactions int64) {
	if m.length <= 0 || transactions == 0 {
		return
	}
	if used := m.end.pooler - m.base.pooler; m.subject.pooler != 0 && used > 0 {
		run.Pooler = usage(used, m.length, transactions)
		run.Pooler.RSS, _ = proc.RSS(m.subject.pooler)
	}
	if used := m.end.server - m.base.server; m.server != 0 && used > 0 {
		run.Server = usage(used, m.length, transactions)
	}
	if m.base.waits != nil && m.end.waits != nil {
		since := m.end.waits.Minus(*m.base.waits)
		if wait, known := since.MeanWait(); known {
			queue := us(wait)
			run.QueueUS = &queue
			run.QueriesPerTransaction = float64(since.Queries) / float64(since.Transactions)
		}
	}
}

// usage is processor time as a share and as a price.
func usage(used, window time.Duration, transactions int64) *report.Usage {
	return &report.Usage{
		CPUPerTransactionUS: float64(used) / float64(time.Microsecond) / float64(transactions),
		Cores:               used.Seconds() / window.Seconds(),
	}
}
