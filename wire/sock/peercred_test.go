package sock

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestPeerCredentials: the other end is this process.
func TestPeerCredentials(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system cannot be asked")
	}
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	far, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = far.Close() }()
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = near.Close() }()
	for _, nc := range []net.Conn{near, New(near)} {
		uid, gid, pid, err := PeerCredentials(nc)
		if err != nil || int(uid) != os.Getuid() || int(gid) != os.Getgid() || int(pid) != os.Getpid() {
			t.Errorf("uid %d, gid %d, pid %d, %v", uid, gid, pid, err)
		}
	}
	if _, _, _, err := PeerCredentials(wrapped{near}); err == nil {
		t.Error("a wrapped connection can be asked")
	}
}

// TestPeerCredentialsOfTCP: a TCP connection names nobody, and above all not root, whose id is 0.
func TestPeerCredentialsOfTCP(t *testing.T) {
	c, _ := pair(t)
	if _, _, _, err := PeerCredentials(c); err == nil {
		t.Error("a TCP connection has a user")
	}
}
