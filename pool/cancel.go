package pool

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"poolerd/wire"
)

// cancelKey is what a client must show to cancel its query: a process id of our own making and a secret, 4 bytes long up to protocol 3.0 and 32 from 3.2 on.
// Among peers some of its bits say whose it is: see peers.go.
type cancelKey struct {
	pid    uint32
	secret []byte
}

// canceller is whom a key stands for.
type canceller interface {
	// cancelRunning carries out a cancel request, and returns when it can hit nothing later.
	cancelRunning()
}

// holder is a key that was given out.
type holder struct {
	key  cancelKey
	peer bool // it says whose it is
	who  canceller
}

// keys finds clients by their cancel keys. The zero value is empty.
type keys struct {
	mu    sync.Mutex
	byPID map[uint32][]holder // one each, but that few process ids are left to a peer's keys
}

// pidTries is how often another process id is tried before one is given out twice, with another secret. Only the keys of a peer ever come to that.
const pidTries = 16

// issue gives who a key that nobody else has. peer is this process's number in its group, 0 when it has none.
func (k *keys) issue(who canceller, version wire.Version, peer int) cancelKey {
	size := 4
	if version >= wire.Version32 {
		size = 32
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byPID == nil {
		k.byPID = map[uint32][]holder{}
	}
	for try := 0; ; try++ {
		key := randomKey(size)
		if peer != 0 {
			key = key.of(peer)
		}
		others := k.byPID[key.pid]
		if key.pid == 0 || len(others) > 0 && (peer == 0 || try < pidTries) || find(others, key) != nil {
			continue
		}
		k.byPID[key.pid] = append(others, holder{key, peer != 0, who})
		return key
	}
}

func randomKey(size int) cancelKey {
	b := make([]byte, 4+size)
	_, _ = rand.Read(b)                                              // never fails, says crypto/rand
	return cancelKey{binary.BigEndian.Uint32(b) &^ (1 << 31), b[4:]} // some drivers take the process id for a signed number
}

func (k *keys) revoke(key cancelKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	left := slices.DeleteFunc(k.byPID[key.pid], func(h holder) bool { return h.key.equal(key) })
	if len(left) == 0 {
		delete(k.byPID, key.pid)
		return
	}
	k.byPID[key.pid] = left
}

func (k *keys) find(key cancelKey) canceller {
	k.mu.Lock()
	defer k.mu.Unlock()
	return find(k.byPID[key.pid], key)
}

func find(among []holder, key cancelKey) canceller {
	for _, h := range among {
		asked := key
		if h.peer {
			asked = key.fresh()
		}
		if h.key.equal(asked) {
			return h.who
		}
	}
	return nil
}

func (k cancelKey) equal(other cancelKey) bool {
	return k.pid == other.pid && subtle.ConstantTimeCompare(k.secret, other.secret) == 1
}

// cancel carries out a cancel request: what runs for the key's client is cancelled, or its wait for a server ends. A request that comes too late does nothing. One that
// means a client of a peer is passed on to it, unless the connection that it came on has to go before.
func (l *login) cancel(key cancelKey) {
	p := l.pooler
	if who := p.keys.find(key); who != nil { // the key is a proof as well
		p.lobby.leave(l.place)
		l.loggedIn()
		who.cancelRunning()
		return
	}
	conf := p.config()
	switch {
	case conf.PeerID != 0 && conf.PeerID != key.peer():
		p.forward(l.place.stay, key)
	case conf.PeerID == 0 && len(conf.Peers) > 0:
		p.log.Warn().Msg("cancel request with an unknown key: it may be for another one of [peers], but this pooler has no peer_id")
	default:
		p.log.Info().Msg("cancel request with an unknown key")
	}
}

// cancelRunning cancels what runs for the client, or its wait for a server.
func (c *Client) cancelRunning() {
	c.mu.Lock()
	state, s := c.state, c.server
	c.mu.Unlock()
	switch state {
	case StateWaiting:
		c.pool.withdraw(c.waiter, wire.Errorf(wire.CodeQueryCanceled, "canceling statement due to user request"))
	case StateActive:
		if s != nil {
			c.cancelOn(s)
		}
	}
}

// mostCancels is how many cancel requests may be under way to a server. Each is a connection to PostgreSQL; more of them say nothing new.
const mostCancels = 16

// cancelOn cancels what s runs, if it still runs it for c. While the request is under way the server is not given to anyone else, so it hits
// this client's query or none.
func (c *Client) cancelOn(s *Server) {
	c.mu.Lock()
	if c.server != s || s.pending.Load() >= mostCancels {
		c.mu.Unlock()
		return
	}
	s.pending.Add(1)
	s.cancels.Add(1)
	c.mu.Unlock()
	ctx, stop := c.pooler.cancelContext(c.pooler.life)
	defer stop()
	began := time.Now()
	if err := s.cancel(ctx); err != nil {
		s.suspect.Store(true)
		c.pooler.logCancelFailed(err, s.pid, began)
	}
	s.pending.Add(-1)
	s.cancels.Done()
}

// logCancelFailed says that a cancel request has not reached its server.
func (p *Pooler) logCancelFailed(err error, pid uint32, began time.Time) {
	message := "cancel request failed"
	if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
		message = closing(reasonCancelWait, began, time.Now())
	}
	p.log.Warn().Err(err).Uint32("pid", pid).Msg(message)
}

// cancelContext bounds a cancel request that is sent on.
func (p *Pooler) cancelContext(life context.Context) (context.Context, context.CancelFunc) {
	limit := p.config().CancelWaitTimeout
	if limit == 0 {
		limit = time.Minute
	}
	return context.WithTimeout(life, limit)
}

// sendCancel sends a cancel request, over TLS when conf is not nil, and waits until it has been carried out: the other side closes the connection then.
func (p *Pooler) sendCancel(ctx context.Context, to endpoint, conf *tls.Config, key cancelKey) error {
	nc, err := to.dialSecure(ctx, p.config(), conf)
	if err != nil {
		return fmt.Errorf("connect for a cancel request: %w", err)
	}
	defer func() { _ = nc.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(past) })
	defer stop()
	if _, err := nc.Write(wire.AppendCancelRequest(nil, key.pid, key.secret)); err != nil {
		return fmt.Errorf("send a cancel request: %w", err)
	}
	_, err = io.Copy(io.Discard, nc)
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF) { // PostgreSQL ends TLS without a word here
		return nil
	}
	if err != nil {
		return fmt.Errorf("wait for a cancel request: %w", err)
	}
	return nil
}
