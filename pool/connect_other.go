//go:build !linux

package pool

import (
	"syscall"

	"poolerd/pool/config"
)

// tune does nothing: tcp_user_timeout is Linux's, and the buffers are left to the system.
func tune(syscall.RawConn, *config.Config) error { return nil }
