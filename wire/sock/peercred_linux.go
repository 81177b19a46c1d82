package sock

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// PeerCredentials gives the user, the group and the process on the other end of a unix socket, as they were when it was connected (SO_PEERCRED, unix(7)). nc may be wrapped
// in a Conn. A process that the kernel cannot name here, such as one of another PID namespace, is 0.
func PeerCredentials(nc net.Conn) (uid, gid uint32, pid int32, err error) {
	if c, ok := nc.(*Conn); ok {
		nc = c.Conn
	}
	if a := nc.RemoteAddr(); a == nil || a.Network() != "unix" {
		return 0, 0, 0, errors.New("peer credentials: not a unix socket")
	}
	raw, err := rawConn(nc)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("peer credentials: %w", err)
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, failed); err != nil {
		return 0, 0, 0, fmt.Errorf("peer credentials: %w", err)
	}
	return cred.Uid, cred.Gid, cred.Pid, nil
}
