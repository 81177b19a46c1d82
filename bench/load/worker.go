package load

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"
)

// worker is the goroutine of one client.
type worker struct {
	*run
	client  Client
	random  *rand.Rand
	rec     *recorder
	known   []namedCounts // names met so far, which are few
	window  map[string]*Failure
	outside map[string]*Failure
	failed  int                // failures without a success in between, of the kind that would make the loop spin
	handed  chan time.Duration // open loop: the scheduled start of this client's next transaction
}

type namedCounts struct {
	name string
	*counts
}

// run is what the workers of a run share.
type run struct {
	Config
	base        time.Time     // its start: all times are counted from here
	open, close time.Duration // the measured window's ends
	stopping    atomic.Bool   // nothing new is begun
	stop        chan struct{} // closed when stopping is set
	ctx         context.Context
	clock       func() (sleeper, error)
	queue       *queue // open loop
}

func (r *run) now() time.Duration { return time.Since(r.base) }

// inWindow tells whether a time lies in the measured window.
func (r *run) inWindow(t time.Duration) bool { return t >= r.open && t < r.close }

// note counts how a transaction ended. belongs tells whether it is one of the window's.
func (w *worker) note(done *Done, latency, end time.Duration, belongs bool) {
	if done.Code != "" {
		w.fail(done, belongs)
		if !done.Expected {
			return
		}
	}
	w.failed = 0
	if belongs {
		w.series(done.Name).add(latency)
	}
	if w.inWindow(end) {
		w.rec.intervals[(end-w.open)*parts/(w.close-w.open)].Add(1)
	}
}

func (w *worker) series(name string) *counts {
	for i := range w.known {
		if w.known[i].name == name {
			return w.known[i].counts
		}
	}
	c := w.rec.series(name)
	w.known = append(w.known, namedCounts{name, c})
	return c
}

func (w *worker) fail(done *Done, belongs bool) {
	into := w.window
	if !belongs {
		if done.Expected {
			return
		}
		into = w.outside
	}
	f := into[done.Code]
	if f == nil {
		f = &Failure{Text: done.Text, Expected: done.Expected}
		into[done.Code] = f
	}
	f.Count++
	f.Expected = f.Expected && done.Expected
	if spins(done.Code) {
		w.failed++
	} else {
		w.failed = 0
	}
}

// spins tells whether a failure is of the kind that comes back at once and again, so that a client in a loop would do nothing but fail: nobody there, or
// somebody who refuses to serve.
func spins(code string) bool {
	switch code {
	case "lost", "connect", "http-429", "http-502", "http-503", "http-504":
		return true
	}
	for _, class := range [...]string{"08", "28", "3D", "53", "57P"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}

// How long a client waits after failures in a row.
const (
	firstRest   = 10 * time.Millisecond
	longestRest = 100 * time.Millisecond
)

// rest keeps a client that fails and fails from spinning.
func (w *worker) rest() {
	if w.failed == 0 {
		return
	}
	d := longestRest
	if w.failed < 5 {
		d = min(firstRest<<(w.failed-1), longestRest)
	}
	w.pause(d)
}

// pause waits, but not beyond the end of the run.
func (w *worker) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.stop:
	case <-w.ctx.Done():
	}
}
