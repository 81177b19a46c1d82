//go:build !linux

package sock

import (
	"errors"
	"net"
)

// PeerCredentials cannot be asked here.
func PeerCredentials(net.Conn) (uid, gid uint32, pid int32, err error) {
	return 0, 0, 0, errors.New("peer credentials: not supported on this system")
}
