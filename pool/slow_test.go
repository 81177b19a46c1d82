package pool

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"poolerd/pool/config"
)

// TestSlowdown: each failure of an address costs more, up to a limit; others cost nothing, and time heals.
func TestSlowdown(t *testing.T) {
	s := newSlowdown()
	now := time.Unix(1000, 0)
	guesser, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	var pauses []time.Duration
	for range 12 {
		pauses = append(pauses, s.failed(guesser, now))
	}
	for i, pause := range pauses {
		switch {
		case i < slowFree && pause != 0:
			t.Errorf("failure %d costs %v", i+1, pause)
		case i == slowFree && pause != slowFirst:
			t.Errorf("the first that costs is %v", pause)
		case i > slowFree && pause != min(2*pauses[i-1], slowMost):
			t.Errorf("failure %d costs %v after %v", i+1, pause, pauses[i-1])
		}
	}
	if last := pauses[len(pauses)-1]; last != slowMost {
		t.Errorf("the longest pause is %v", last)
	}
	if pause := s.failed(other, now); pause != 0 {
		t.Errorf("another address waits for %v", pause)
	}
	if pause := s.failed(guesser, now.Add(slowForget+time.Second)); pause != 0 {
		t.Errorf("after a time without failures: %v", pause)
	}
}

// TestSlowdownSources: a subscriber's IPv6 addresses are one source, and the table is bounded.
func TestSlowdownSources(t *testing.T) {
	s := newSlowdown()
	now := time.Unix(1000, 0)
	var pause time.Duration
	for i := range slowFree + 1 {
		pause = s.failed(netip.MustParseAddr(fmt.Sprintf("2001:db8:0:1::%d", i)), now)
	}
	if pause == 0 {
		t.Error("each address of a network starts anew")
	}
	if pause := s.failed(netip.MustParseAddr("2001:db8:0:2::1"), now); pause != 0 {
		t.Error("another network waits")
	}
	for i := range 2 * slowSources {
		s.failed(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), now)
	}
	if len(s.sources) != slowSources || s.recent.Len() != slowSources {
		t.Errorf("%d and %d sources are remembered", len(s.sources), s.recent.Len())
	}
	if pause := s.failed(netip.Addr{}, now); pause != 0 { // a Unix socket
		t.Errorf("a Unix socket waits for %v", pause)
	}
}

// TestSlowdownEnds: nobody waits longer than the pooler runs.
func TestSlowdownEnds(t *testing.T) {
	s := newSlowdown()
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}
	for range 10 {
		s.failed(sourceOf(addr), time.Now())
	}
	over, stop := context.WithCancel(context.Background())
	stop()
	began := time.Now()
	s.wait(over, addr)
	if d := time.Since(began); d >= slowMost {
		t.Errorf("waited for %v", d)
	}
}

// TestFailuresWaitAlone: after many wrong passwords from an address a wrong one waits, and a right one does not.
func TestFailuresWaitAlone(t *testing.T) {
	f := startFake(t)
	h := openHouse(t, f.url(), func(c *config.Config, dir string) { c.AuthType, c.AuthFile = config.AuthPlain, usersFile(t, dir) }, func(p *Pooler) {
		p.slowdown = newSlowdown()
		for range 20 {
			p.slowdown.failed(netip.MustParseAddr("127.0.0.1"), time.Now())
		}
	})
	h.expect("dbname=d user=plain password=foo", "") // opens the server
	began := time.Now()
	h.expect("dbname=d user=plain password=foo", "")
	if d := time.Since(began); d >= slowMost {
		t.Errorf("a right password took %v", d)
	}
	began = time.Now()
	h.expect("dbname=d user=nobody password=foo", "password authentication failed")
	if d := time.Since(began); d < slowMost {
		t.Errorf("a wrong password took %v, want %v", d, slowMost)
	}
}
