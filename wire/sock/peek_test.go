package sock

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// sockets gives the two ends of a TCP connection.
func sockets(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

// TestPeek: the byte is seen, and is still there to be read; the end and a deadline are seen as a Read sees them.
func TestPeek(t *testing.T) {
	near, far := sockets(t)
	if Pending(near) {
		t.Error("bytes before any were sent")
	}
	_ = near.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := Peek(near); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nothing was sent: %v", err)
	}
	_ = near.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := far.Write([]byte("ab")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if b, err := Peek(near); b != 'a' || err != nil {
			t.Fatalf("%q, %v", b, err)
		}
	}
	if !Pending(near) {
		t.Error("two bytes were sent, none is pending")
	}
	got := make([]byte, 2)
	if _, err := io.ReadFull(near, got); err != nil || string(got) != "ab" {
		t.Errorf("read %q, %v", got, err)
	}
	if Pending(near) {
		t.Error("bytes are pending that were read")
	}
	_ = far.Close()
	if _, err := Peek(near); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	if Pending(near) {
		t.Error("the end of the connection is taken for bytes")
	}
	if _, err := Peek(struct{ net.Conn }{near}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("no socket: %v", err)
	}
}
