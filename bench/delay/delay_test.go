package delay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// medianOf is the median of n round trips.
func medianOf(t *testing.T, c net.Conn, n int, atLeast time.Duration) time.Duration {
	t.Helper()
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = roundTrip(t, c, "tick")
		if all[i] < atLeast {
			t.Fatalf("a round trip took %v: earlier than the delay of %v", all[i], atLeast)
		}
	}
	slices.Sort(all)
	return all[n/2]
}

// No byte may be early. How late they are depends on what else the machine does, so the best of several medians counts: a clock that is coarse by design
// (the runtime's timers are up to 1 ms late, twice a round trip) fails each time.
func TestRoundTrip(t *testing.T) {
	const limit = 800 * time.Microsecond
	target := serve(t, "tcp", "127.0.0.1:0", echo)
	for _, rtt := range []time.Duration{0, 500 * time.Microsecond, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
		t.Run(rtt.String(), func(t *testing.T) {
			p := proxied(t, Options{Target: target, RTT: rtt})
			c := dial(t, p)
			roundTrip(t, c, "warm")
			best := time.Duration(1 << 62)
			for range 8 {
				best = min(best, medianOf(t, c, 11, rtt))
				if best-rtt < limit {
					break
				}
			}
			t.Logf("%v over the delay; %+v", best-rtt, p.Stats())
			if best-rtt > limit {
				t.Errorf("round trip of %v took %v at best: the clock is too coarse", rtt, best)
			}
		})
	}
}

func TestFirstBytesWaitForTheHandshake(t *testing.T) {
	const rtt = 20 * time.Millisecond
	p := proxied(t, Options{Target: serve(t, "tcp", "127.0.0.1:0", echo), RTT: rtt})
	start := time.Now()
	c := dial(t, p)
	roundTrip(t, c, "hello")
	if took := time.Since(start); took < 2*rtt {
		t.Errorf("connect and one round trip took %v, want at least two round trips of %v", took, rtt)
	}
}

func TestSetDelay(t *testing.T) {
	p := proxied(t, Options{Target: serve(t, "tcp", "127.0.0.1:0", echo)})
	c := dial(t, p)
	roundTrip(t, c, "quick")
	p.SetDelay(30 * time.Millisecond)
	if took := roundTrip(t, c, "slow"); took < 30*time.Millisecond {
		t.Errorf("took %v after SetDelay(30ms)", took)
	}
	if got := p.RTT(); got != 30*time.Millisecond {
		t.Errorf("RTT() = %v, want 30ms", got)
	}
	p.SetDelay(-time.Second)
	best := patience
	for range 20 {
		best = min(best, roundTrip(t, c, "quick"))
	}
	if best >= 30*time.Millisecond {
		t.Errorf("took %v at best after the delay was taken away", best)
	}
}

// A change to a shorter delay must not let later bytes overtake earlier ones, and neither must chance.
func TestOrderIsKept(t *testing.T) {
	p := proxied(t, Options{Target: serve(t, "tcp", "127.0.0.1:0", echo), RTT: 8 * time.Millisecond, Jitter: 16 * time.Millisecond})
	c := dial(t, p)
	var sent bytes.Buffer
	for i := range 200 {
		line := fmt.Sprintf("%d\n", i)
		sent.WriteString(line)
		if _, err := io.WriteString(c, line); err != nil {
			t.Fatal(err)
		}
		p.SetDelay(time.Duration(rand.IntN(8)) * time.Millisecond)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent.Bytes()) {
		t.Errorf("got other bytes than were sent: %q", got)
	}
}

func TestJitter(t *testing.T) {
	const rtt, jitter = 4 * time.Millisecond, 20 * time.Millisecond
	p := proxied(t, Options{Target: serve(t, "tcp", "127.0.0.1:0", echo), RTT: rtt, Jitter: jitter})
	c := dial(t, p)
	roundTrip(t, c, "warm")
	var all []time.Duration
	for range 30 {
		all = append(all, roundTrip(t, c, "x"))
	}
	low, high := slices.Min(all), slices.Max(all)
	if low < rtt {
		t.Errorf("a round trip took %v, below %v", low, rtt)
	}
	// All 30 within a quarter of the range: less than once in 10^10 runs.
	if high-low < jitter/4 {
		t.Errorf("round trips from %v to %v: no jitter of %v", low, high, jitter)
	}
}

func TestPause(t *testing.T) {
	p := proxied(t, Options{Target: serve(t, "tcp", "127.0.0.1:0", echo), RTT: time.Millisecond})
	c := dial(t, p)
	roundTrip(t, c, "before")
	p.Pause()
	if _, err := io.WriteString(c, "held"); err != nil {
		t.Fatal(err)
	}
	late := dial(t, p) // connections are accepted all the same
	if _, err := io.WriteString(late, "held too"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(b); n > 0 {
		t.Fatalf("%q came through a paused proxy (%v)", b[:n], err)
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	p.Resume()
	for conn, want := range map[net.Conn]string{c: "held", late: "held too"} {
		if _, err := io.ReadFull(conn, b[:len(want)]); err != nil || string(b[:len(want)]) != want {
			t.Errorf("after Resume: %q, %v; want %q", b[:len(want)], err, want)
		}
	}
	roundTrip(t, c, "after")
}

func TestManyConnections(t *testing.T) {
	const n, rtt = 500, 5 * time.Millisecond
	p := proxied(t, Options{Target: serve(t, "tcp", "127.0.0.1:0", echo), RTT: rtt, Jitter: time.Millisecond})
	var all sync.WaitGroup
	for i := range n {
		c := dial(t, p)
		all.Go(func() {
			for j := range 3 {
				text := fmt.Sprintf("client %d, turn %d", i, j)
				b := make([]byte, len(text))
				start := time.Now()
				if _, err := io.WriteString(c, text); err != nil {
					t.Error(err)
					return
				}
				if _, err := io.ReadFull(c, b); err != nil || string(b) != text {
					t.Errorf("got %q, %v; want %q", b, err, text)
					return
				}
				if took := time.Since(start); took < rtt {
					t.Errorf("%s took %v, below %v", text, took, rtt)
				}
			}
		})
	}
	all.Wait()
	if s := p.Stats(); s.Connections != n || s.Open != n {
		t.Errorf("%+v, want %d connections", s, n)
	}
}

func TestUnixTarget(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	serve(t, "unix", path, echo)
	p := proxied(t, Options{Target: path, RTT: 2 * time.Millisecond})
	if took := roundTrip(t, dial(t, p), "through a file"); took < 2*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func TestTargetThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 8)
	const rtt = 30 * time.Millisecond
	p := proxied(t, Options{Target: target, RTT: rtt, Log: func(format string, args ...any) { lines <- fmt.Sprintf(format, args...) }})
	start := time.Now()
	c := dial(t, p)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %v, want a reset", err)
	}
	if took := time.Since(start); took < rtt {
		t.Errorf("refused after %v, before a round trip of %v", took, rtt)
	}
	if line := <-lines; !strings.Contains(line, target) {
		t.Errorf("log line %q does not name %s", line, target)
	}
}

func TestContextEndsTheProxy(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	p, err := Listen(ctx, Options{Target: serve(t, "tcp", "127.0.0.1:0", echo), RTT: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, p)
	if _, err := io.WriteString(c, "never to arrive"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "connected", func() bool { return p.Stats().Open == 1 })
	cancel()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %v, want a reset", err)
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	folder := t.TempDir()
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Target: "127.0.0.1"}, `target "127.0.0.1": must be host:port`},
		{Options{}, `target "": must be host:port`},
		{Options{Target: folder}, "is a folder; name the socket in it, such as " + folder + "/.s.PGSQL.5432"},
		{Options{Target: "a:1", RTT: -1}, "round trip -1ns"},
		{Options{Target: "a:1", Jitter: -1}, "jitter -1ns"},
		{Options{Target: "a:1", Hold: -1}, "hold of -1 bytes"},
		{Options{Target: "a:1", Listen: "256.0.0.1:0"}, "delaying proxy for a:1"},
	} {
		p, err := Listen(context.Background(), c.o)
		if err == nil {
			_ = p.Close()
			t.Errorf("%+v: accepted", c.o)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v; want %q in it", c.o, err, c.want)
		}
	}
}
