//go:build !linux

package sock

import (
	"errors"
	"io"
	"syscall"
)

func read(fd int, p []byte) (int, error) {
	n, err := syscall.Read(fd, p)
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return 0, ErrWait
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

func write(fd int, p []byte) (int, error) {
	n, err := syscall.Write(fd, p)
	if errors.Is(err, syscall.EAGAIN) {
		return 0, ErrWait
	}
	return max(n, 0), err
}

// Gone cannot be asked here without reading: the next read or write finds out.
func (c *Conn) Gone() bool { return false }

// Readable cannot be asked of the kernel here without reading: the next read finds out.
func (c *Conn) Readable() bool { return c.gate != nil && c.gate.unread.Load() }
