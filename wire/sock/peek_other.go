//go:build !unix

package sock

import (
	"errors"
	"net"
)

// Peek is not known on this system.
func Peek(net.Conn) (byte, error) { return 0, errors.ErrUnsupported }

// Pending is not known on this system.
func Pending(net.Conn) bool { return false }
