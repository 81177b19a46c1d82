package main

import (
	"math"
	"testing"
	"time"
)

func line(second float64, tps float64, latency time.Duration) progress {
	return progress{at: time.UnixMilli(int64(1000 * second)), tps: tps, latency: latency}
}

// TestWindow counts by the time between the lines, not by their number: a line
// that comes late covers more.
func TestWindow(t *testing.T) {
	var w window
	w.open(line(10, 999999, time.Second)) // what came before the window is not in it
	w.add(line(11, 1000, time.Millisecond))
	w.add(line(13, 500, 4*time.Millisecond))
	if w.length() != 3*time.Second || math.Abs(w.transactions-2000) > 1e-9 {
		t.Fatalf("window of %v holds %v transactions; want 3s and 2000", w.length(), w.transactions)
	}
	if got := w.tps(); math.Abs(got-2000.0/3) > 1e-9 {
		t.Fatalf("tps = %v; want 666.7", got)
	}
	if got := w.latency().Round(time.Microsecond); got != 2500*time.Microsecond {
		t.Fatalf("latency = %v; want 2.5ms, weighted by transactions", got)
	}
}

func TestEmptyWindow(t *testing.T) {
	var w window
	w.open(line(10, 1, time.Second))
	if w.tps() != 0 || w.latency() != 0 {
		t.Fatalf("an empty window has %v tps and latency %v; want zeros", w.tps(), w.latency())
	}
}

// TestMeterWindow closes the window at the right line and takes no further one.
func TestMeterWindow(t *testing.T) {
	var s sample
	m := meter{endpoint: &endpoint{}, warmup: 2, seconds: 3, sample: &s}
	for i := 1; i <= 5; i++ {
		full := m.progress(line(float64(i), 100, time.Millisecond))
		if full != (i == 5) {
			t.Fatalf("after line %d the window is full: %v", i, full)
		}
	}
	if math.Abs(s.window.transactions-300) > 1e-9 || s.window.length() != 3*time.Second {
		t.Fatalf("window = %+v; want the 300 transactions of lines 3 to 5", s.window)
	}
}
