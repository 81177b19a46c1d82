package alarm

import (
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newAlarm(t *testing.T) *Alarm {
	t.Helper()
	a, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// TestLateness: never early, and half of the time less than 300 µs late, where Go's own timers are a millisecond late on an idle machine. Others work
// on this machine too, so nothing can be said of the worst.
func TestLateness(t *testing.T) {
	a := newAlarm(t)
	var late, goLate []time.Duration
	for i := range 200 {
		d := time.Duration(50+i*7) * time.Microsecond
		start := time.Now()
		if !a.Sleep(d) {
			t.Fatal("interrupted by nobody")
		}
		late = append(late, time.Since(start)-d)
		start = time.Now()
		time.Sleep(d)
		goLate = append(goLate, time.Since(start)-d)
	}
	slices.Sort(late)
	slices.Sort(goLate)
	t.Logf("late by: least %v, median %v, p90 %v, most %v; time.Sleep: median %v, p90 %v", late[0], late[100], late[180], late[199], goLate[100], goLate[180])
	if late[0] < 0 {
		t.Errorf("early by %v", -late[0])
	}
	if late[100] > 300*time.Microsecond {
		t.Errorf("half of the time at least %v late", late[100])
	}
}

func TestInterrupt(t *testing.T) {
	a := newAlarm(t)
	slept := make(chan bool)
	go func() { slept <- a.Sleep(time.Hour) }()
	a.Interrupt()
	if <-slept || a.Sleep(time.Hour) {
		t.Error("slept on")
	}
	if !a.Sleep(0) || !a.Sleep(-1) {
		t.Error("no sleep cannot be interrupted")
	}
	a.Resume()
	// The alarm may still be set for the sleep that was interrupted.
	start := time.Now()
	if !a.Sleep(2*time.Millisecond) || time.Since(start) < 2*time.Millisecond {
		t.Errorf("after Resume: awake after %v", time.Since(start))
	}
}

// TestStaleRing: a ring for a sleep that was interrupted does not end the next.
func TestStaleRing(t *testing.T) {
	a := newAlarm(t)
	for range 50 {
		done := make(chan struct{})
		go func() {
			a.Sleep(300 * time.Microsecond)
			close(done)
		}()
		a.Interrupt()
		<-done
		a.Resume()
		start := time.Now()
		if !a.Sleep(time.Millisecond) || time.Since(start) < time.Millisecond {
			t.Fatalf("awake after %v", time.Since(start))
		}
	}
}

func TestNoAllocations(t *testing.T) {
	a := newAlarm(t)
	if n := testing.AllocsPerRun(100, func() { a.Sleep(20 * time.Microsecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestClose(t *testing.T) {
	a := newAlarm(t)
	slept := make(chan bool)
	go func() { slept <- a.Sleep(time.Hour) }()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if <-slept {
		t.Error("slept on")
	}
}
