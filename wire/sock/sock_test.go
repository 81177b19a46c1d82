package sock

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// pair gives the two ends of a TCP connection.
func pair(t testing.TB) (*Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	c := New(near)
	if !c.Armed() {
		t.Fatal("a TCP connection does not wait in the poller")
	}
	return c, far
}

// TestServe: the first call comes at once, the next when something arrived, and the request written in between is answered without a read that fails.
func TestServe(t *testing.T) {
	c, far := pair(t)
	go func() {
		b := make([]byte, 4)
		if _, err := io.ReadFull(far, b); err == nil {
			_, _ = far.Write([]byte("pong"))
		}
	}()
	calls := 0
	var got []byte
	err := c.Serve(func(uintptr) bool {
		calls++
		if calls == 1 {
			if n, err := c.TryWrite([]byte("ping")); n != 4 || err != nil {
				t.Errorf("wrote %d, %v", n, err)
			}
			return false
		}
		b := make([]byte, 16)
		n, err := c.TryRead(b)
		if errors.Is(err, ErrWait) {
			return false
		}
		got = b[:n]
		return true
	})
	if err != nil || string(got) != "pong" || calls != 2 {
		t.Errorf("%q, %v, %d calls", got, err, calls)
	}
}

func TestServeEnds(t *testing.T) {
	c, far := pair(t)
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if err := c.Serve(func(uintptr) bool { return false }); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a deadline: %v", err)
	}
	_ = c.SetReadDeadline(time.Time{})
	if c.Gone() || c.Readable() {
		t.Error("gone before it went")
	}
	_ = far.Close()
	err := c.Serve(func(uintptr) bool {
		_, err := c.TryRead(make([]byte, 1))
		return errors.Is(err, io.EOF)
	})
	if err != nil || !c.Gone() || !c.Readable() {
		t.Errorf("the end: %v, gone %v, readable %v", err, c.Gone(), c.Readable())
	}
}

// TestGoneBehindUnreadBytes: what has not been read does not hide that the peer has gone.
func TestGoneBehindUnreadBytes(t *testing.T) {
	c, far := pair(t)
	_, _ = far.Write([]byte("unread"))
	_ = far.Close()
	for end := time.Now().Add(5 * time.Second); !c.Gone(); {
		if time.Now().After(end) {
			t.Fatal("not noticed")
		}
	}
}

// TestWriteParks: a write larger than the kernel's buffers waits for the reader, and arrives as a whole.
func TestWriteParks(t *testing.T) {
	c, far := pair(t)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MB
	if n, err := c.TryWrite(want); !errors.Is(err, ErrWait) || n == 0 || n == len(want) {
		t.Fatalf("wrote %d, %v", n, err)
	} else {
		done := make(chan error, 1)
		go func() {
			_, err := c.Write(want[n:])
			done <- errors.Join(err, c.Close())
		}()
		got, err := io.ReadAll(far)
		if err := errors.Join(err, <-done); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes of %d arrived, %v", len(got), len(want), err)
		}
	}
}

// wrapped hides that it is a TCP connection, as TLS does.
type wrapped struct{ net.Conn }

func TestWrapped(t *testing.T) {
	c, far := pair(t)
	w := New(wrapped{c.Conn})
	if w.Armed() || w.Gone() || w.Readable() {
		t.Error("a wrapped connection cannot be asked")
	}
	go func() { _, _ = far.Write([]byte("ab")) }()
	var got []byte
	err := w.Serve(func(uintptr) bool {
		b := make([]byte, 1)
		n, err := w.TryRead(b)
		got = append(got, b[:n]...)
		return err != nil || len(got) == 2
	})
	if err != nil || string(got) != "ab" {
		t.Errorf("%q, %v", got, err)
	}
}
