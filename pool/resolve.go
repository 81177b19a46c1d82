package pool

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// resolver finds the addresses of servers' hosts by their names, and remembers what came of it: for dns_max_ttl, or for dns_nxdomain_ttl when a name has no address. What the name servers say of
// lifetimes is ignored, as PgBouncer ignores it. Of each name one look-up is under way at a time, for all who ask.
type resolver struct {
	lookup func(ctx context.Context, host string) ([]netip.Addr, error) // nil: the system's
	moved  func(host string, gone []netip.Addr)                         // told of addresses that a name no longer has; nil: nobody is

	mu    sync.Mutex
	known map[string]*hostName
}

// hostName is what is known of one name.
type hostName struct {
	addrs []netip.Addr
	err   error
	until time.Time // when that is forgotten
	next  int       // of addrs, is given first to whoever asks next
	query *lookup   // the look-up that is under way, nil when none is
}

// lookup is one look-up. Its result may be read once done is closed.
type lookup struct {
	done  chan struct{}
	addrs []netip.Addr
	err   error
}

// ttls is for how long an answer is believed.
type ttls struct{ found, failed time.Duration }

// errLookup is why a name has no address. remembered says that nobody was asked: the answer is an old one.
type errLookup struct {
	host       string
	err        error
	remembered bool
}

func (e *errLookup) Error() string { return "look up " + e.host + ": " + e.err.Error() }
func (e *errLookup) Unwrap() error { return e.err }

// resolve gives the addresses of a host, each time another one first. run starts the look-up's goroutine: it goes on when the caller has given up, since others may wait for it. The error is an
// *errLookup, or ctx's.
func (r *resolver) resolve(ctx context.Context, host string, ttl ttls, run func(func(context.Context))) ([]netip.Addr, error) {
	r.mu.Lock()
	e, ok := r.known[host]
	if !ok {
		if r.known == nil {
			r.known = map[string]*hostName{}
		}
		e = &hostName{}
		r.known[host] = e
	}
	if e.query == nil && time.Now().Before(e.until) {
		defer r.mu.Unlock()
		if e.err != nil {
			return nil, &errLookup{host, e.err, true}
		}
		return e.rotate(e.addrs), nil
	}
	f, first := e.query, false
	if f == nil {
		f, first = &lookup{done: make(chan struct{})}, true
		e.query = f
		run(func(ctx context.Context) { r.ask(ctx, host, e, f, ttl) })
	}
	r.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.err != nil {
		return nil, &errLookup{host, f.err, !first}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return e.rotate(f.addrs), nil
}

// rotate gives addrs from the next one on.
func (e *hostName) rotate(addrs []netip.Addr) []netip.Addr {
	at := e.next % len(addrs)
	e.next++
	return slices.Concat(addrs[at:], addrs[:at])
}

// ask looks a name up, and tells everyone who waits.
func (r *resolver) ask(ctx context.Context, host string, e *hostName, f *lookup, ttl ttls) {
	ask := r.lookup
	if ask == nil {
		ask = lookupIP
	}
	f.addrs, f.err = ask(ctx, host)
	if f.err == nil && len(f.addrs) == 0 {
		f.err = &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	r.mu.Lock()
	now := time.Now()
	var gone []netip.Addr
	if f.err != nil {
		e.addrs, e.err, e.until = nil, f.err, now.Add(ttl.failed)
	} else {
		for _, addr := range e.addrs {
			if !slices.Contains(f.addrs, addr) {
				gone = append(gone, addr)
			}
		}
		e.addrs, e.err, e.until = f.addrs, nil, now.Add(ttl.found)
	}
	e.query = nil
	moved := r.moved
	r.mu.Unlock()
	close(f.done)
	if len(gone) > 0 && moved != nil {
		moved(host, gone)
	}
}

// lookupIP asks the system.
func lookupIP(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, err
}

// NameInfo is what is known of one server's host name, for the console.
type NameInfo struct {
	Host  string
	TTL   time.Duration // until it is looked up again, at its next use; 0: at once
	Addrs []netip.Addr  // none: it has none
}

// Names gives the servers' host names that were looked up, sorted.
func (p *Pooler) Names() []NameInfo {
	r, now := &p.resolver, time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]NameInfo, 0, len(r.known))
	for host, e := range r.known {
		all = append(all, NameInfo{Host: host, TTL: max(e.until.Sub(now), 0), Addrs: slices.Clone(e.addrs)})
	}
	slices.SortFunc(all, func(a, b NameInfo) int { return strings.Compare(a.Host, b.Host) })
	return all
}

// hostMoved marks the servers at addresses that a name no longer has: they are closed as they come free.
func (p *Pooler) hostMoved(host string, gone []netip.Addr) {
	for _, pool := range p.allPools() {
		pool.mu.Lock()
		for s := range pool.servers {
			if s.at.host == host && slices.Contains(gone, s.at.addr()) {
				s.stale.Store(true)
			}
		}
		pool.mu.Unlock()
	}
	p.log.Info().Str("host", host).Int("gone", len(gone)).Msg("the addresses of a server's name have changed")
}
