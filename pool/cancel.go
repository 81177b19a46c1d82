package pool

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"sync"
	"time"

	"poolerd/wire"
)

// cancelKey is what a client must show to cancel its query: a process id of our own making and a secret, 4 bytes long up to protocol 3.0 and 32 from 3.2 on.
type cancelKey struct {
	pid    uint32
	secret []byte
}

// keys finds clients by their cancel keys.
type keys struct {
	mu    sync.Mutex
	byPID map[uint32]*Client
}

// issue gives c a key that no other client has.
func (k *keys) issue(c *Client) {
	size := 4
	if c.version >= wire.Version32 {
		size = 32
	}
	c.key.secret = make([]byte, size)
	_, _ = rand.Read(c.key.secret) // never fails, says crypto/rand
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		var b [4]byte
		_, _ = rand.Read(b[:])
		pid := binary.BigEndian.Uint32(b[:]) >> 1 // some drivers take it for a signed number
		if _, taken := k.byPID[pid]; pid == 0 || taken {
			continue
		}
		c.key.pid = pid
		k.byPID[pid] = c
		return
	}
}

func (k *keys) revoke(c *Client) {
	k.mu.Lock()
	delete(k.byPID, c.key.pid)
	k.mu.Unlock()
}

func (k *keys) find(pid uint32, secret []byte) *Client {
	k.mu.Lock()
	c := k.byPID[pid]
	k.mu.Unlock()
	if c == nil || subtle.ConstantTimeCompare(c.key.secret, secret) != 1 {
		return nil
	}
	return c
}

// cancel carries out a client's cancel request: what runs for it is cancelled, or its wait for a server ends. A request that comes too late does nothing.
func (p *Pooler) cancel(pid uint32, secret []byte) {
	c := p.keys.find(pid, secret)
	if c == nil {
		p.log.Info().Msg("cancel request with an unknown key")
		return
	}
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

// cancelOn cancels what s runs, if it still runs it for c. While the request is under way the server is not given to anyone else, so it hits
// this client's query or none.
func (c *Client) cancelOn(s *Server) {
	c.mu.Lock()
	if c.server != s {
		c.mu.Unlock()
		return
	}
	s.pending.Add(1)
	s.cancels.Add(1)
	c.mu.Unlock()
	limit := c.pooler.config().CancelWaitTimeout
	if limit == 0 {
		limit = time.Minute
	}
	ctx, stop := context.WithTimeout(c.pooler.life, limit)
	defer stop()
	if err := s.cancel(ctx); err != nil {
		s.suspect.Store(true)
		c.pooler.log.Warn().Err(err).Uint32("pid", s.pid).Msg("cancel request failed")
	}
	s.pending.Add(-1)
	s.cancels.Done()
}
