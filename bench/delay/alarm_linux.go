package delay

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// alarm wakes one goroutine at a moment, to some 10 µs. It is a timerfd in the runtime's poller: the runtime rounds its own sleep up to
// whole milliseconds, and the kernel adds slack to a thread's sleep (50 µs), but not to a timerfd.
type alarm struct {
	file *os.File
	raw  syscall.RawConn
	fd   int             // valid until close; the clock calls set under a lock, and never after close
	spec unix.ItimerSpec // set's own
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a timer for the delaying proxy: %w", err)
	}
	file := os.NewFile(uintptr(fd), "timerfd")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("make a timer for the delaying proxy: %w", err)
	}
	return &alarm{file: file, raw: raw, fd: fd}, nil
}

// set makes the alarm ring after d, above 0, in place of what was set before. One goroutine at a time may call it, also while another waits.
func (a *alarm) set(d time.Duration) {
	a.spec.Value = unix.NsecToTimespec(int64(d))
	// It can only fail for a wrong descriptor or time, and neither can be.
	_ = unix.TimerfdSettime(a.fd, 0, &a.spec, nil)
}

// wait calls ready at once and again after each ring, and returns nil as soon as ready says true. The poller is armed before ready is called, so
// a ring in between is not lost; it is edge triggered, so the descriptor need not be read. ready's argument means nothing.
func (a *alarm) wait(ready func(uintptr) bool) error { return a.raw.Read(ready) }

// close ends wait with an error.
func (a *alarm) close() error { return a.file.Close() }
