//go:build !linux

package alarm

import (
	"sync"
	"time"
)

// clock is a timer of Go's.
type clock struct {
	mu      sync.Mutex
	off     chan struct{} // closed while interrupted
	stopped bool
}

func (c *clock) open() error {
	c.off = make(chan struct{})
	return nil
}

func (c *clock) sleep(d time.Duration) bool {
	c.mu.Lock()
	off := c.off
	c.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-off:
		return false
	case <-t.C:
		return true
	}
}

// Interrupt ends the sleep under way, and all later ones until Resume.
func (c *clock) Interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped {
		c.stopped = true
		close(c.off)
	}
}

// Resume lets an interrupted alarm sleep again.
func (c *clock) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		c.stopped, c.off = false, make(chan struct{})
	}
}

// Close ends the sleep under way.
func (c *clock) Close() error {
	c.Interrupt()
	return nil
}
