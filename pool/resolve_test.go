package pool

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

var a1, a2, a3 = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")

// zone answers look-ups, and counts them.
type zone struct {
	mu      sync.Mutex
	addrs   []netip.Addr
	queries int
	hold    chan struct{} // look-ups wait for it; nil: they do not
}

func (z *zone) set(addrs ...netip.Addr) {
	z.mu.Lock()
	z.addrs = addrs
	z.mu.Unlock()
}

func (z *zone) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	z.mu.Lock()
	z.queries++
	addrs, hold := z.addrs, z.hold
	z.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addrs, nil
}

func inBackground(ask func(context.Context)) { go ask(context.Background()) }

// TestNames: answers are kept as long as they may be, good ones and bad ones, and the addresses of a name take turns.
func TestNames(t *testing.T) {
	z := &zone{addrs: []netip.Addr{a1, a2}}
	n := &resolver{lookup: z.lookup}
	resolve := func(ttl ttls) []netip.Addr {
		t.Helper()
		addrs, err := n.resolve(t.Context(), "db", ttl, inBackground)
		if err != nil {
			t.Fatal(err)
		}
		return addrs
	}
	hour := ttls{time.Hour, time.Hour}
	if got := resolve(hour); !slices.Equal(got, []netip.Addr{a1, a2}) {
		t.Errorf("first: %v", got)
	}
	if got := resolve(hour); !slices.Equal(got, []netip.Addr{a2, a1}) {
		t.Errorf("second: %v", got)
	}
	if z.queries != 1 {
		t.Errorf("%d look-ups within dns_max_ttl", z.queries)
	}
	n.known["db"].until = time.Time{}
	z.set()
	for i, remembered := range []bool{false, true} {
		_, err := n.resolve(t.Context(), "db", hour, inBackground)
		failed := new(errLookup)
		if !errors.As(err, &failed) || failed.remembered != remembered {
			t.Errorf("%d: %#v", i, err)
		}
	}
	if z.queries != 2 {
		t.Errorf("%d look-ups within dns_nxdomain_ttl", z.queries)
	}
	n.known["db"].until = time.Time{}
	z.set(a3)
	for range 2 { // nothing is kept, and yet it is an answer
		if got := resolve(ttls{}); !slices.Equal(got, []netip.Addr{a3}) {
			t.Errorf("without a cache: %v", got)
		}
	}
	if z.queries != 4 {
		t.Errorf("%d look-ups without a cache", z.queries)
	}
}

// TestNamesAskOnce: any number of connections to one host make one look-up, which goes on without those who give up.
func TestNamesAskOnce(t *testing.T) {
	z := &zone{addrs: []netip.Addr{a1}, hold: make(chan struct{})}
	n := &resolver{lookup: z.lookup}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := n.resolve(gone, "db", ttls{}, inBackground); !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: %v", err)
	}
	var all sync.WaitGroup
	var answers atomic.Int32
	for range 10 {
		all.Go(func() {
			if addrs, err := n.resolve(t.Context(), "db", ttls{time.Hour, 0}, inBackground); err == nil && len(addrs) == 1 {
				answers.Add(1)
			}
		})
	}
	close(z.hold)
	all.Wait()
	if answers.Load() != 10 || z.queries > 2 { // one more when all of them come after the first has ended
		t.Errorf("%d answers of %d look-ups", answers.Load(), z.queries)
	}
}

// TestHostMoved: servers at an address that a name no longer has are closed when they come free, others stay.
func TestHostMoved(t *testing.T) {
	p := &Pooler{log: zerolog.Nop(), pools: map[Key]*Pool{}}
	pool := &Pool{pooler: p, servers: map[*Server]struct{}{}}
	p.pools[Key{"d", "u"}] = pool
	at := func(host, address string) *Server {
		s := &Server{pool: pool, at: endpoint{host, "tcp", address}}
		pool.servers[s] = struct{}{}
		return s
	}
	left, stays, other := at("db", "192.0.2.1:5432"), at("db", "192.0.2.2:5432"), at("192.0.2.1", "192.0.2.1:5432")
	z := &zone{addrs: []netip.Addr{a1, a2}}
	p.resolver.lookup, p.resolver.moved = z.lookup, p.hostMoved
	for range 2 {
		if _, err := p.resolver.resolve(t.Context(), "db", ttls{}, inBackground); err != nil {
			t.Fatal(err)
		}
		z.set(a2, a3)
	}
	within(t, "the server is marked", left.stale.Load)
	if stays.stale.Load() || other.stale.Load() {
		t.Error("a server is marked that is where it should be")
	}
	if all := p.Names(); len(all) != 1 || all[0].Host != "db" || !slices.Equal(all[0].Addrs, []netip.Addr{a2, a3}) {
		t.Errorf("%+v", all)
	}
}
