package pool

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setUserTimeout sets tcp_user_timeout: for how long sent bytes may stay unacknowledged before the connection is given up. 0 leaves it to the system.
func setUserTimeout(raw syscall.RawConn, limit time.Duration) error {
	if limit <= 0 {
		return nil
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
	}); err != nil {
		return err
	}
	return failed
}
