package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how a bench goes on: a bar with the time left on a terminal, else a line now and then.
type progress struct {
	w        io.Writer
	terminal bool
	bar      *progressbar.ProgressBar // nil before Begin, and where there is no terminal
	began    time.Time
	told     time.Time
}

const (
	barSteps  = 1000
	tellEvery = 10 * time.Second // where there is no bar
)

func newProgress(w *os.File) *progress {
	return &progress{w: w, terminal: term.IsTerminal(int(w.Fd()))}
}

// Log implements sweep.Watcher.
func (p *progress) Log(format string, args ...any) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	_, _ = fmt.Fprintf(p.w, format+"\n", args...)
}

// Begin implements sweep.Watcher.
func (p *progress) Begin(runs int, about time.Duration) {
	p.Log("%d runs, about %v", runs, about.Round(time.Second))
	p.began = time.Now()
	if p.terminal {
		p.bar = progressbar.NewOptions(barSteps,
			progressbar.OptionSetWriter(p.w), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetPredictTime(true), progressbar.OptionSetElapsedTime(true), progressbar.OptionThrottle(100*time.Millisecond),
		)
	}
}

// Advance implements sweep.Watcher.
func (p *progress) Advance(doing string, part float64) {
	if p.bar != nil {
		p.bar.Describe(doing)
		_ = p.bar.Set(int(part * barSteps))
		return
	}
	if now := time.Now(); now.Sub(p.told) >= tellEvery {
		p.told = now
		left := time.Duration(0)
		if part > 0.01 {
			left = time.Duration(float64(now.Sub(p.began)) * (1 - part) / part)
		}
		p.Log("%3.0f%%, about %v left: %s", part*100, left.Round(time.Second), doing)
	}
}

// finish takes the bar away.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
