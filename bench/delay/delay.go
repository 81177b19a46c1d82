package delay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultHold is how many bytes wait in each direction of a connection unless Options say otherwise: 400 MB/s at a round trip of 20 ms.
const DefaultHold = 4 << 20

const (
	maxClocks   = 4
	dialLimit   = 10 * time.Second
	acceptPause = 50 * time.Millisecond // after an accept that failed for want of descriptors
)

// Options say what is delayed and how much.
type Options struct {
	// Target is where connections go: "host:port", or the path of a unix socket ("/run/postgresql/.s.PGSQL.5432").
	Target string
	// Listen is the address to accept on; "" means a free port of 127.0.0.1.
	Listen string

	// RTT is the time added to a round trip, half of it in each direction. 0 only hands on.
	RTT time.Duration
	// Jitter is the most that chance adds to a round trip, half of it in each direction, evenly distributed. Order is kept: what follows
	// a late byte waits with it.
	Jitter time.Duration

	// Hold is how many bytes may wait in each direction of a connection before its sender is held back; 0 means DefaultHold.
	Hold int

	// Log receives one line, without a line feed, for each connection that could not be made. Nil is silent.
	Log func(format string, args ...any)
}

// Proxy delays what passes through it. Its methods may be called from several goroutines.
type Proxy struct {
	opts     Options
	network  string // of the target
	listener net.Listener
	start    time.Time
	clocks   []*clock
	blocks   *blocks
	delay    atomic.Int64 // each way, in ns

	life context.Context // ends first of all when the proxy closes
	end  context.CancelFunc
	gone chan struct{} // closed when nothing is left
	work sync.WaitGroup
	err  error // of closing, once gone

	mu     sync.Mutex
	links  map[*link]struct{} // nil once closed
	opened int64
}

// Stats are counts since Listen.
type Stats struct {
	Connections int64         // accepted
	Open        int           // now
	Waiting     int64         // bytes that wait now, and that the next hop has not taken yet
	Deliveries  int64         // writes that were due: what came in one read goes out in one write
	MeanLate    time.Duration // how long after it was due a delivery began, on the average
	MaxLate     time.Duration // the worst; a Pause counts as lateness
}

// Listen starts a proxy, which lives until Close or until ctx ends. It does not ask whether the target is there: a connection that cannot be made is
// reset after one round trip, and logged.
func Listen(ctx context.Context, o Options) (*Proxy, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	p := &Proxy{gone: make(chan struct{}), start: time.Now(), blocks: newBlocks(), links: map[*link]struct{}{}}
	p.opts, p.network = o, network(o.Target)
	p.delay.Store(int64(o.RTT / 2))
	for range min(runtime.GOMAXPROCS(0), maxClocks) {
		c, err := newClock(p)
		if err != nil {
			return nil, errors.Join(err, p.closeClocks())
		}
		p.clocks = append(p.clocks, c)
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("delaying proxy for %s: %w", o.Target, err), p.closeClocks())
	}
	p.listener = l
	for _, c := range p.clocks {
		p.work.Go(c.run)
	}
	p.life, p.end = context.WithCancel(ctx)
	p.work.Go(p.accept)
	go p.shut()
	return p, nil
}

// complete puts the defaults in and refuses what cannot be.
func (o *Options) complete() error {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Hold == 0 {
		o.Hold = DefaultHold
	}
	switch {
	case o.RTT < 0:
		return fmt.Errorf("round trip %v: must not be negative", o.RTT)
	case o.Jitter < 0:
		return fmt.Errorf("jitter %v: must not be negative", o.Jitter)
	case o.Hold < 0:
		return fmt.Errorf("hold of %d bytes: must not be negative", o.Hold)
	}
	if network(o.Target) == "unix" {
		if s, err := os.Stat(o.Target); err == nil && s.IsDir() {
			return fmt.Errorf("target %s: is a folder; name the socket in it, such as %s/.s.PGSQL.5432", o.Target, strings.TrimRight(o.Target, "/"))
		}
		return nil
	}
	if _, _, err := net.SplitHostPort(o.Target); err != nil {
		return fmt.Errorf("target %q: must be host:port or the path of a unix socket: %w", o.Target, err)
	}
	return nil
}

func network(target string) string {
	if strings.HasPrefix(target, "/") {
		return "unix"
	}
	return "tcp"
}

// Addr is the address that the proxy accepts on.
func (p *Proxy) Addr() net.Addr { return p.listener.Addr() }

// RTT is the round trip that is added now.
func (p *Proxy) RTT() time.Duration { return 2 * time.Duration(p.delay.Load()) }

// SetDelay changes the round trip, for bytes that come from now on; those that wait keep their time. Below 0 counts as 0.
func (p *Proxy) SetDelay(rtt time.Duration) { p.delay.Store(int64(max(rtt, 0) / 2)) }

// Pause holds all bytes in both directions, as a network or a server that has stopped does, until Resume. Connections are still accepted.
func (p *Proxy) Pause() {
	for _, c := range p.clocks {
		c.pause()
	}
}

// Resume hands on what Pause has held, in order, and all that follows in its time.
func (p *Proxy) Resume() {
	for _, c := range p.clocks {
		c.resume()
	}
}

// Stats tells what has passed so far.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	s := Stats{Connections: p.opened, Open: len(p.links)}
	for l := range p.links {
		s.Waiting += l.waiting()
	}
	p.mu.Unlock()
	var late time.Duration
	for _, c := range p.clocks {
		n, sum, worst := c.lateness()
		s.Deliveries += n
		late += sum
		s.MaxLate = max(s.MaxLate, worst)
	}
	if s.Deliveries > 0 {
		s.MeanLate = late / time.Duration(s.Deliveries)
	}
	return s
}

// Close resets all connections, drops the bytes that wait, and returns when nothing of the proxy is left. Closing twice is harmless.
func (p *Proxy) Close() error {
	p.end()
	<-p.gone
	return p.err
}

// shut closes everything once the proxy's life has ended.
func (p *Proxy) shut() {
	<-p.life.Done()
	p.err = p.listener.Close()
	p.mu.Lock()
	links := p.links
	p.links = nil
	p.mu.Unlock()
	for l := range links {
		l.end(reset)
	}
	p.err = errors.Join(p.err, p.closeClocks())
	p.work.Wait()
	close(p.gone)
}

func (p *Proxy) closeClocks() error {
	var all []error
	for _, c := range p.clocks {
		all = append(all, c.close())
	}
	return errors.Join(all...)
}

// now is the time on the proxy's clocks, in ns since its start.
func (p *Proxy) now() int64 { return int64(time.Since(p.start)) }

// wait is how long bytes that come now wait.
func (p *Proxy) wait() int64 {
	d := p.delay.Load()
	if j := int64(p.opts.Jitter / 2); j > 0 {
		d += rand.Int64N(j + 1)
	}
	return d
}

func (p *Proxy) accept() {
	for n := 0; ; n++ {
		nc, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			p.opts.Log("delaying proxy: accept: %v", err)
			if !p.sleep(acceptPause) {
				return
			}
			continue
		}
		l := newLink(p, p.clocks[n%len(p.clocks)], nc)
		if !p.add(l) {
			_ = nc.Close()
			return
		}
		p.work.Go(l.run)
	}
}

// sleep waits; false means that the proxy has ended.
func (p *Proxy) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.life.Done():
		return false
	}
}

// add takes a link into the books; false means that the proxy is closed.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.links == nil {
		return false
	}
	p.links[l] = struct{}{}
	p.opened++
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}
