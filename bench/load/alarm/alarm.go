// Package alarm sleeps precisely. Go's own timers wake an idle process up to a millisecond late, since its poller waits in whole milliseconds; that is
// too coarse to send transactions on schedule, or to think for 200 µs between two statements. On Linux an Alarm is a timer of the kernel (timerfd_create(2)) that the poller
// watches like a connection; elsewhere it is a timer of Go's.
//
// It refuses to burn processor time in a loop for the last few microseconds.
package alarm

import "time"

// Alarm is one sleeper's alarm clock. One goroutine at a time may sleep; Interrupt and Resume may be called from any.
type Alarm struct {
	clock
}

// New makes an alarm, which holds a file descriptor until Close.
func New() (*Alarm, error) {
	a := &Alarm{}
	if err := a.open(); err != nil {
		return nil, err
	}
	return a, nil
}

// Sleep returns true after d, or at once if d is not above 0. It returns false when Interrupt has been called, or Close.
func (a *Alarm) Sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	return a.sleep(d)
}
