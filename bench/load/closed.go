package load

import "time"

// closedLoop runs the client's transactions one after the other.
func (w *worker) closedLoop() {
	think, stopThinking := w.thinker()
	defer stopThinking()
	start := w.now()
	for !w.stopping.Load() {
		done := w.client.Run(w.ctx)
		end := w.now()
		if done.Code != "" && w.ctx.Err() != nil {
			return // it was cut: what it says is our doing
		}
		w.note(&done, end-start, end, w.inWindow(end))
		if w.failed > 0 || w.Think > 0 {
			w.rest()
			think()
			end = w.now()
		}
		start = end
	}
}

// thinker gives what a client does between two transactions, and what ends it.
func (w *worker) thinker() (think, stop func()) {
	if w.Think <= 0 {
		return func() {}, func() {}
	}
	length := func() time.Duration {
		if w.ThinkRandom {
			return time.Duration(float64(w.Think) * w.random.ExpFloat64())
		}
		return w.Think
	}
	clock, err := w.clock()
	if err != nil { // no descriptor left: less precise, then
		return func() { w.pause(length()) }, func() {}
	}
	over := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-w.stop:
		case <-w.ctx.Done():
		case <-over:
		}
		clock.Interrupt()
	}()
	return func() { clock.Sleep(length()) }, func() {
		close(over)
		<-done
		_ = clock.Close()
	}
}
