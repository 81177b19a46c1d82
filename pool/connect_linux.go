package pool

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"poolerd/pool/config"
)

// tune sets tcp_user_timeout (for how long sent bytes may stay unacknowledged before the connection is given up) and tcp_socket_buffer; 0 leaves each to the system. On a
// socket that will connect it comes before that: the window that the kernel offers then fits the buffer. One that shrinks later takes so little of a full segment that
// the other side sends by its persist timer, 8 KiB in 200 ms.
func tune(raw syscall.RawConn, global *config.Config) error {
	var failed error
	if err := raw.Control(func(fd uintptr) {
		set := func(level, option, value int) {
			if value > 0 {
				failed = errors.Join(failed, unix.SetsockoptInt(int(fd), level, option, value))
			}
		}
		set(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(global.TCPUserTimeout.Milliseconds()))
		set(unix.SOL_SOCKET, unix.SO_SNDBUF, global.TCPSocketBuffer)
		set(unix.SOL_SOCKET, unix.SO_RCVBUF, global.TCPSocketBuffer)
	}); err != nil {
		return err
	}
	return failed
}
