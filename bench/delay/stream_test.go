package delay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A delay must not limit throughput: 32 MB one after the other would take 512 round trips of 20 ms with a window of 64 kB.
func TestBulk(t *testing.T) {
	const size = 32 << 20
	p := proxied(t, Options{Target: serve(t, "tcp", "127.0.0.1:0", echo), RTT: 20 * time.Millisecond})
	c := dial(t, p)
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	start := time.Now()
	var sending sync.WaitGroup
	sending.Go(func() {
		if _, err := c.Write(data); err != nil {
			t.Error(err)
			return
		}
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(c)
	sending.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("got %d bytes, not those that were sent", len(got))
	}
	took := time.Since(start)
	t.Logf("%d MB there and back in %v: %.0f MB/s", size>>20, took, float64(size)/1e6/took.Seconds())
	if took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// A receiver that does not read holds the sender back: the proxy's memory is bounded.
func TestBackpressure(t *testing.T) {
	release := make(chan struct{})
	target := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		<-release
		n, _ := io.Copy(io.Discard, c)
		_, _ = fmt.Fprint(c, n)
	})
	const hold = 256 << 10
	p := proxied(t, Options{Target: target, RTT: 2 * time.Millisecond, Hold: hold})
	c := dial(t, p)
	const size = 64 << 20 // more than the kernel's buffers take
	var sent atomic.Int64
	var sending sync.WaitGroup
	sending.Go(func() {
		piece := make([]byte, 64<<10)
		for sent.Load() < size {
			if _, err := c.Write(piece); err != nil {
				t.Error(err)
				return
			}
			sent.Add(int64(len(piece)))
		}
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the pipe is full", func() bool { return p.Stats().Waiting >= hold })
	if w := p.Stats().Waiting; w > hold+readBlock {
		t.Errorf("%d bytes wait, more than the %d that may", w, hold+readBlock)
	}
	if n := sent.Load(); n >= size {
		t.Errorf("all %d bytes went out, to a target that reads none", n)
	}
	close(release)
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	sending.Wait()
	if string(answer) != fmt.Sprint(size) {
		t.Errorf("target counted %s bytes, %d were sent", answer, size)
	}
}

// Both halves are closed one after the other, each late.
func TestHalfClose(t *testing.T) {
	const rtt = 20 * time.Millisecond
	target := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		b, _ := io.ReadAll(c)
		_, _ = fmt.Fprintf(c, "%d bytes, and then the end", len(b))
	})
	p := proxied(t, Options{Target: target, RTT: rtt})
	c := dial(t, p)
	if _, err := io.WriteString(c, strings.Repeat("x", 1000)); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "1000 bytes, and then the end" {
		t.Errorf("got %q, %v", got, err)
	}
	if took := time.Since(start); took < rtt {
		t.Errorf("the end was back after %v, before one round trip", took)
	}
	eventually(t, "the connection is off the books", func() bool { return p.Stats().Open == 0 })
}

func TestResetPasses(t *testing.T) {
	for _, side := range []string{"client", "target"} {
		t.Run(side, func(t *testing.T) {
			seen := make(chan error, 1)
			target := serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
				b := make([]byte, 1)
				_, _ = io.ReadFull(c, b)
				if side == "target" {
					_ = c.(*net.TCPConn).SetLinger(0)
					return
				}
				_, err := c.Read(b)
				seen <- err
			})
			p := proxied(t, Options{Target: target, RTT: 2 * time.Millisecond})
			c := dial(t, p)
			if _, err := io.WriteString(c, "x"); err != nil {
				t.Fatal(err)
			}
			if side == "client" {
				// The byte must be through first, since a reset overtakes what the kernel still holds.
				eventually(t, "the byte is through", func() bool { return p.Stats().Deliveries == 1 })
				if err := errors.Join(c.SetLinger(0), c.Close()); err != nil {
					t.Fatal(err)
				}
			} else {
				_, err := c.Read(make([]byte, 1))
				seen <- err
			}
			if err := <-seen; !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the other side read %v, want a reset", err)
			}
			eventually(t, "the connection is off the books", func() bool { return p.Stats().Open == 0 })
		})
	}
}
