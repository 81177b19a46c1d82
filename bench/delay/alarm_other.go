//go:build !linux

package delay

import (
	"net"
	"sync"
	"time"
)

// alarm wakes one goroutine at a moment, as exactly as the runtime's timers do.
type alarm struct {
	timer *time.Timer
	done  chan struct{}
	once  sync.Once
}

func newAlarm() (*alarm, error) {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &alarm{timer: t, done: make(chan struct{})}, nil
}

// set makes the alarm ring after d, above 0, in place of what was set before. One goroutine at a time may call it, also while another waits.
func (a *alarm) set(d time.Duration) { a.timer.Reset(d) }

// wait calls ready at once and again after each ring, and returns nil as soon as ready says true. ready's argument means nothing.
func (a *alarm) wait(ready func(uintptr) bool) error {
	for !ready(0) {
		select {
		case <-a.timer.C:
		case <-a.done:
			return net.ErrClosed
		}
	}
	select {
	case <-a.done:
		return net.ErrClosed
	default:
		return nil
	}
}

// close ends wait with an error.
func (a *alarm) close() error {
	a.once.Do(func() { close(a.done) })
	return nil
}
