package sock

import (
	"io"
	"syscall"
	"unsafe"
)

// The descriptors are non-blocking, so these calls never wait: RawSyscall spares the scheduler's bookkeeping around calls that may.

func read(fd int, p []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch errno {
		case 0:
			if n == 0 && len(p) > 0 {
				return 0, io.EOF
			}
			return int(n), nil
		case syscall.EAGAIN:
			return 0, ErrWait
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

func write(fd int, p []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EAGAIN:
			return 0, ErrWait
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

type pollFD struct {
	fd      int32
	events  int16
	revents int16
}

// From poll(2).
const (
	pollIn    = 0x1
	pollErr   = 0x8
	pollHup   = 0x10
	pollRDHup = 0x2000
)

func (c *Conn) poll(events int16) int16 {
	got := int16(0)
	if c.raw == nil {
		return 0
	}
	err := c.raw.Control(func(fd uintptr) { // keeps the descriptor from being closed and used for another connection meanwhile
		p := pollFD{fd: int32(fd), events: events}
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&syscall.Timespec{})), 0, 0, 0)
		if errno == 0 {
			got = p.revents
		}
	})
	if err != nil {
		return pollErr
	}
	return got
}

// Gone asks the kernel whether the peer has closed the connection, or its half of it, or the connection is broken. Unread bytes do not
// hide it. Safe from any goroutine; false where it cannot be asked.
func (c *Conn) Gone() bool { return c.poll(pollRDHup)&(pollRDHup|pollHup|pollErr) != 0 }

// Readable asks the kernel whether a read would find something: bytes, the end, or an error. Over TLS it may say so where TryRead finds nothing: a part of a record has arrived, or crypto/tls has
// not been asked since. Safe from any goroutine.
func (c *Conn) Readable() bool {
	return c.gate != nil && c.gate.unread.Load() || c.poll(pollIn|pollRDHup) != 0
}
