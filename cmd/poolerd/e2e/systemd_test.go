package e2e

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newNotifySocket is the end of systemd's: what a service says is read from it.
func newNotifySocket(t *testing.T, dir string) *net.UnixConn {
	t.Helper()
	path := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	return conn
}

func wantNote(t *testing.T, notes *net.UnixConn, pattern string) {
	t.Helper()
	if err := notes.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := notes.Read(b)
	if err != nil || !regexp.MustCompile(pattern).Match(b[:n]) {
		t.Fatalf("systemd is told %q, %v, want %s", b[:n], err, pattern)
	}
}

// passedSocket is a socket that systemd has opened: its address, and the file that a service inherits.
func passedSocket(t *testing.T) (address string, file *os.File) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err = l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return l.Addr().String(), file
}

// sessionOf is the session of a process.
func sessionOf(pid int) (int, error) { return unix.Getsid(pid) }
