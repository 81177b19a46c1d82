package delay

import (
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BenchmarkRoundTrip is what the proxy adds: processor time a round trip of short messages (the echo and the clients, about 10 µs, included), and how late a byte is
// while the machine works on others.
func BenchmarkRoundTrip(b *testing.B) {
	for _, rtt := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond} {
		for _, clients := range []int{1, 64} {
			b.Run(fmt.Sprintf("%v/%d", rtt, clients), func(b *testing.B) { roundTrips(b, rtt, clients) })
		}
	}
}

func roundTrips(b *testing.B, rtt time.Duration, clients int) {
	p, err := Listen(b.Context(), Options{Target: serve(b, "tcp", "127.0.0.1:0", echo), RTT: rtt})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	var conns []net.Conn
	for range clients {
		c, err := net.Dial("tcp", p.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		conns = append(conns, c)
	}
	b.ReportAllocs()
	b.ResetTimer()
	used := processor(b)
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() {
			message := []byte("SELECT abalance FROM pgbench_accounts WHERE aid = 1;")
			for range b.N/clients + min(1, max(0, b.N%clients-i)) {
				if _, err := c.Write(message); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(c, message); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64((processor(b)-used).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(p.Stats().MeanLate.Microseconds()), "late-µs")
}

// processor is the time that this process has used.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
