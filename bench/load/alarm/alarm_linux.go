package alarm

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// clock is a timer of the kernel.
type clock struct {
	file  *os.File
	raw   syscall.RawConn
	step  func(fd uintptr) bool // ring, made once: a method value is an allocation
	spec  unix.ItimerSpec
	until time.Time
	set   bool
	err   error
}

func (c *clock) open() error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make a timer: %w", err)
	}
	c.file = os.NewFile(uintptr(fd), "timer")
	c.raw, err = c.file.SyscallConn()
	if err != nil {
		_ = c.file.Close()
		return fmt.Errorf("watch a timer: %w", err)
	}
	c.step = c.ring
	return nil
}

func (c *clock) sleep(d time.Duration) bool {
	c.until, c.set = time.Now().Add(d), false
	return c.raw.Read(c.step) == nil && c.err == nil
}

// ring is called when the poller watches the timer, which is the time to set it, and then whenever it has rung. That it rang for an earlier, interrupted sleep shows by the
// time. Nobody reads the timer: the poller wakes on each ring, read or not.
func (c *clock) ring(fd uintptr) bool {
	left := time.Until(c.until)
	if left <= 0 {
		return true
	}
	if c.set {
		return false
	}
	c.set = true
	c.spec.Value = unix.NsecToTimespec(int64(left))
	c.err = unix.TimerfdSettime(int(fd), 0, &c.spec, nil)
	return c.err != nil
}

// Interrupt ends the sleep under way, and all later ones until Resume.
func (c *clock) Interrupt() { _ = c.file.SetReadDeadline(time.Unix(1, 0)) }

// Resume lets an interrupted alarm sleep again.
func (c *clock) Resume() { _ = c.file.SetReadDeadline(time.Time{}) }

// Close ends the sleep under way, and gives the descriptor back.
func (c *clock) Close() error { return c.file.Close() }
