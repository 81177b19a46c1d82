//go:build !linux

package pool

import (
	"syscall"
	"time"
)

// setUserTimeout does nothing: tcp_user_timeout is Linux's.
func setUserTimeout(syscall.RawConn, time.Duration) error { return nil }
