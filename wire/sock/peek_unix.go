//go:build unix

package sock

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// Peek waits for the first byte that nc's peer sends, and leaves it to be read: what the connection is to become can be decided before anything is taken from it. The wait ends
// with the read deadline, as a Read does. It gives io.EOF at the end, and errors.ErrUnsupported where nc is no socket.
func Peek(nc net.Conn) (byte, error) {
	raw, err := rawConn(nc)
	if err != nil {
		return 0, err
	}
	var b [1]byte
	var n int
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		n, failed = peek(int(fd), b[:])
		return !errors.Is(failed, syscall.EAGAIN)
	})
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, failed
	case n == 0:
		return 0, io.EOF
	}
	return b[0], nil
}

// Pending tells whether the peer has sent bytes that nobody has read yet. The end of the connection is none; nor is anything where nc is no socket.
func Pending(nc net.Conn) bool {
	raw, err := rawConn(nc)
	if err != nil {
		return false
	}
	n := 0
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _ = peek(int(fd), b[:])
	})
	return err == nil && n > 0
}

// peek looks at what has come on a descriptor that does not block.
func peek(fd int, p []byte) (int, error) {
	for {
		n, _, err := syscall.Recvfrom(fd, p, syscall.MSG_PEEK)
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}
