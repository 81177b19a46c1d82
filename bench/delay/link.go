package delay

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"poolerd/wire/sock"
)

// ending is how a direction or a connection ends.
type ending uint8

const (
	goesOn  ending = iota
	orderly        // end of stream
	reset
)

// link is a client's connection and its counterpart to the target.
type link struct {
	proxy    *Proxy
	clock    *clock
	accepted int64
	open     atomic.Int32  // directions that have not ended
	gone     chan struct{} // closed once the link has ended

	once   sync.Once
	client net.Conn
	mu     sync.Mutex
	server net.Conn // nil until it is made
	over   ending

	pipes [2]*pipe // guarded by clock.mu; nil until the server is connected
}

func newLink(p *Proxy, c *clock, client net.Conn) *link {
	l := &link{proxy: p, clock: c, client: client, accepted: p.now(), gone: make(chan struct{})}
	l.open.Store(2)
	return l
}

// run makes the connection to the target and reads both until they have ended.
func (l *link) run() {
	server, err := l.dial()
	if err != nil {
		if l.proxy.life.Err() == nil {
			l.proxy.opts.Log("delaying proxy: connect to %s: %v", l.proxy.opts.Target, err)
			l.proxy.sleep(time.Duration(l.accepted-l.proxy.now()) + l.proxy.RTT())
		}
		l.end(reset)
		return
	}
	if !l.connected(server) {
		return
	}
	// The client has sent its first bytes before TCP's handshake would have been over.
	shaken := l.accepted + int64(l.proxy.RTT())
	client, target := sock.New(l.client), sock.New(server)
	up := newPipe(l, client, target, shaken+int64(l.proxy.RTT()/2))
	down := newPipe(l, target, client, shaken)
	l.clock.mu.Lock()
	l.pipes = [2]*pipe{up, down}
	l.clock.mu.Unlock()
	l.proxy.work.Go(down.read)
	up.read()
}

// waiting is how many bytes wait in both directions.
func (l *link) waiting() (n int64) {
	l.clock.mu.Lock()
	defer l.clock.mu.Unlock()
	for _, p := range l.pipes {
		if p != nil {
			n += int64(p.held)
		}
	}
	return n
}

func (l *link) dial() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(l.proxy.life, dialLimit)
	defer cancel()
	return (&net.Dialer{}).DialContext(ctx, l.proxy.network, l.proxy.opts.Target)
}

// connected notes the connection to the target; false means that the link has ended already, and the connection with it.
func (l *link) connected(server net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over != goesOn {
		_ = server.Close()
		return false
	}
	l.server = server
	return true
}

// ended notes that a direction has ended in order.
func (l *link) ended() {
	if l.open.Add(-1) == 0 {
		l.end(orderly)
	}
}

// end closes both connections, once, without waiting for it: who closes a connection waits for its reader.
func (l *link) end(how ending) {
	l.once.Do(func() {
		l.mu.Lock()
		l.over = how
		l.mu.Unlock()
		close(l.gone)
		l.proxy.work.Go(func() {
			l.close(how)
			l.proxy.remove(l)
		})
	})
}

// close closes both connections. Their errors would say nothing that the peers cannot see.
func (l *link) close(how ending) {
	l.mu.Lock()
	server := l.server
	l.mu.Unlock()
	for _, c := range []net.Conn{l.client, server} {
		if c == nil {
			continue
		}
		if tcp, ok := c.(*net.TCPConn); ok && how == reset {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}

// closeWrite passes an end of stream on.
func closeWrite(c *sock.Conn) error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.New("connection cannot be closed by halves")
	}
	return half.CloseWrite()
}
