package main

import "time"

// window adds up the progress lines between two of them: the transactions
// that were counted after its opening line, up to its closing one.
type window struct {
	opened, closed time.Time
	transactions   float64
	latencySum     float64 // mean latency times transactions, seconds
}

// open starts the window at a line, whose own transactions came before it.
func (w *window) open(p progress) {
	*w = window{opened: p.at, closed: p.at}
}

// add takes in the next line.
func (w *window) add(p progress) {
	count := p.tps * p.at.Sub(w.closed).Seconds()
	w.transactions += count
	w.latencySum += count * p.latency.Seconds()
	w.closed = p.at
}

// length is the time between the first and the last line.
func (w *window) length() time.Duration { return w.closed.Sub(w.opened) }

// tps is transactions a second, 0 for an empty window.
func (w *window) tps() float64 {
	if w.length() <= 0 {
		return 0
	}
	return w.transactions / w.length().Seconds()
}

// latency is the mean over all transactions, 0 for an empty window.
func (w *window) latency() time.Duration {
	if w.transactions <= 0 {
		return 0
	}
	return time.Duration(w.latencySum / w.transactions * float64(time.Second))
}
