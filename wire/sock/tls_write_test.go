package sock

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

// fill writes until the kernel has taken nothing for a while, and gives what was taken: the other end's buffer may grow meanwhile.
func fill(t *testing.T, c *Conn) []byte {
	t.Helper()
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 1<<12) // 64 KB
	var taken []byte
	for {
		_ = c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := c.Write(chunk)
		taken = append(taken, chunk[:n]...)
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			_ = c.SetWriteDeadline(time.Now().Add(20 * time.Second))
			return taken
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
}

// TestTLSTryWrite: what the kernel does not take is kept, within bounds, and goes out first.
func TestTLSTryWrite(t *testing.T) {
	c, far, _ := tlsPair(t, "tcp", clientConfig())
	want := fill(t, c)
	if n := len(c.gate.pending); n == 0 || n > maxRecord+256 {
		t.Errorf("%d bytes are kept", n)
	}
	for n, err := 1, error(nil); n > 0; want = append(want, "x"[:n]...) {
		if n, err = c.TryWrite([]byte("x")); err != nil && !errors.Is(err, ErrWait) {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Write(nil) // the rest
		done <- errors.Join(err, c.Close())
	}()
	got, err := io.ReadAll(far)
	if err := errors.Join(err, <-done); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d arrived, %v", len(got), len(want), err)
	}
	if c.gate.pending != nil {
		t.Error("the memory is kept")
	}
}

// TestTLSWriteDeadline: a write that is broken off loses nothing of what it took, and the next goes on behind it.
func TestTLSWriteDeadline(t *testing.T) {
	c, far, _ := tlsPair(t, "tcp", clientConfig())
	want := fill(t, c) // by writes with deadlines
	done := make(chan error, 1)
	go func() {
		_, err := c.Write([]byte("found"))
		done <- errors.Join(err, c.Close())
	}()
	got, err := io.ReadAll(far)
	if err := errors.Join(err, <-done); err != nil || !bytes.Equal(got, append(want, "found"...)) {
		t.Errorf("%d bytes of %d arrived, %v", len(got), len(want)+5, err)
	}
}

// TestTLSCloseDoesNotWait: the farewell of TLS is not waited for where nobody reads.
func TestTLSCloseDoesNotWait(t *testing.T) {
	c, _, _ := tlsPair(t, "tcp", clientConfig())
	fill(t, c)
	done := make(chan struct{})
	go func() {
		_ = c.Close()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(4 * time.Second): // crypto/tls alone would take 5
		t.Error("Close waits")
	}
	if _, err := c.TryWrite([]byte("x")); err == nil || errors.Is(err, ErrWait) {
		t.Errorf("a write after Close: %v", err)
	}
}

// TestTLSBothWays: each side sends more than the buffers hold and reads what the other sends: as the pool does, one goroutine reads and a second writes when the kernel
// takes no more.
func TestTLSBothWays(t *testing.T) {
	c, far, _ := tlsPair(t, "tcp", clientConfig())
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MB
	failed := make(chan error, 3)
	n, err := c.TryWrite(want)
	if !errors.Is(err, ErrWait) {
		t.Fatalf("%d, %v", n, err)
	}
	go func() {
		_, err := far.Write(want)
		failed <- err
	}()
	go func() {
		got := make([]byte, len(want))
		_, err := io.ReadFull(far, got)
		if err == nil && !bytes.Equal(got, want) {
			err = errors.New("what came is not what was sent")
		}
		failed <- err
	}()
	go func() {
		_, err := c.Write(want[n:])
		failed <- err
	}()
	if got := receive(t, c, len(want), 32<<10); !bytes.Equal(got, want) {
		t.Error("what came is not what was sent")
	}
	for range 3 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

// TestGateBound: an answer to a KeyUpdate never waits, neither for the kernel nor for a writer that does, and a peer that asks on and on without reading is given up.
func TestGateBound(t *testing.T) {
	c, _, _ := tlsPair(t, "tcp", clientConfig())
	fill(t, c)
	parked := make(chan error, 1)
	go func() {
		_, err := c.Write([]byte("parks"))
		parked <- err
	}()
	c.gate.reading.Store(true) // as in a TryRead
	answer := make([]byte, 1<<10)
	kept := 0
	for {
		if _, err := c.gate.Write(answer); err != nil {
			break
		}
		if kept += len(answer); kept > maxPending {
			t.Fatal("kept without bounds")
		}
	}
	if _, err := c.TryWrite([]byte("x")); !errors.Is(err, errPending) {
		t.Errorf("then %v", err)
	}
	_ = c.Close()
	if err := <-parked; err == nil {
		t.Error("the writer was told of success")
	}
}

// TestTLSWriteBelow: whoever writes to the TLS connection itself waits until all of it is on its way.
func TestTLSWriteBelow(t *testing.T) {
	c, far, _ := tlsPair(t, "tcp", clientConfig())
	want := fill(t, c)
	rest := bytes.Repeat([]byte("fedcba9876543210"), 1<<16) // 1 MB
	done := make(chan error, 1)
	go func() {
		_, err := c.Conn.Write(rest)
		if c.gate.kept() != nil {
			err = errors.Join(err, errors.New("something was kept"))
		}
		done <- errors.Join(err, c.Close())
	}()
	got, err := io.ReadAll(far)
	if err := errors.Join(err, <-done); err != nil || !bytes.Equal(got, append(want, rest...)) {
		t.Errorf("%d bytes of %d arrived, %v", len(got), len(want)+len(rest), err)
	}
}
