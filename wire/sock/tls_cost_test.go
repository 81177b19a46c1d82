//go:build !race

package sock

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// answer reads requests as the pool reads a client's, in one stay in the poller, and sends them back, until the end.
func answer(c *Conn) {
	buf := make([]byte, 4096)
	_ = c.Serve(func(uintptr) bool {
		for {
			n, err := c.TryRead(buf)
			if errors.Is(err, ErrWait) {
				return false
			}
			if err == nil {
				_, err = c.Write(buf[:n])
			}
			if err != nil {
				return true
			}
			if c.Drained() {
				return false
			}
		}
	})
}

// ask sends a request and waits for the answer.
func ask(t testing.TB, far net.Conn, buf []byte) {
	if _, err := far.Write(buf); err != nil {
		t.Error(err)
	}
	if _, err := far.Read(buf); err != nil {
		t.Error(err)
	}
}

// TestTLSAllocations: waiting in the poller costs no allocation beside those of crypto/tls.
func TestTLSAllocations(t *testing.T) {
	measure := func(serve func(*Conn)) float64 {
		c, far, _ := tlsPair(t, "tcp", clientConfig())
		done := make(chan struct{})
		go func() {
			serve(c)
			close(done)
		}()
		buf := make([]byte, 100)
		defer func() { _, _ = far.Close(), <-done }()
		least := testing.AllocsPerRun(200, func() { ask(t, far, buf) })
		for range 4 { // crypto/tls's pool of buffers is emptied now and then
			least = min(least, testing.AllocsPerRun(200, func() { ask(t, far, buf) }))
		}
		return least
	}
	armed := measure(answer)
	alone := measure(func(c *Conn) { _, _ = io.Copy(struct{ io.Writer }{c.Conn}, struct{ io.Reader }{c.Conn}) })
	t.Logf("allocations for a request and its answer, both sides of TLS: %v with crypto/tls alone, %v in the poller", alone, armed)
	if armed > alone {
		t.Errorf("%v allocations, %v with crypto/tls alone", armed, alone)
	}
}

// TestTLSIdleMemory tells what a connection takes that has had its first requests and waits. It cannot fail for the amount, which is crypto/tls's.
func TestTLSIdleMemory(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const many = 200
	for _, size := range []int{100, 16 << 10} {
		before := heap()
		conns := make([]*Conn, many)
		for i := range conns {
			c, far, _ := tlsPair(t, "tcp", clientConfig())
			_, _ = far.Write(make([]byte, size)) // far is garbage then: what is below it is kept by tlsPair
			receive(t, c, size, 16<<10)
			conns[i] = c
		}
		t.Logf("after requests of %d bytes: %d bytes for the server's side of a connection", size, (heap()-before)/many)
		runtime.KeepAlive(conns)
	}
}

// systemCalls gives how many reads and writes the process has made.
func systemCalls(b *testing.B) (reads, writes float64) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "syscr":
			reads = n
		case "syscw":
			writes = n
		}
	}
	return reads, writes
}

// BenchmarkRequest counts system calls, those of the peer included: a read that fails and one that does not for each answer, and a write.
func BenchmarkRequest(b *testing.B) {
	bench := func(c *Conn, far net.Conn) func(*testing.B) {
		go answer(c)
		return func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 100)
			reads, writes := systemCalls(b)
			for b.Loop() {
				ask(b, far, buf)
			}
			r, w := systemCalls(b)
			b.ReportMetric((r-reads)/float64(b.N), "reads/op")
			b.ReportMetric((w-writes)/float64(b.N), "writes/op")
		}
	}
	near, far := pair(b)
	b.Run("plain", bench(near, far))
	c, tlsFar, _ := tlsPair(b, "tcp", clientConfig())
	_, _ = tlsFar.SetDeadline(time.Time{}), c.SetDeadline(time.Time{})
	b.Run("tls", bench(c, tlsFar))
}
