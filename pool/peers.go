package pool

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"poolerd/pool/config"
)

// Cancel requests across poolers. A balancer may give a client's cancel request, which comes over a connection of its own, to another pooler of the group than the one that has
// the client. The scheme is PgBouncer's, so that both may stand in one group (its documentation, "Section [peers]"): of the eight bytes of process id and secret
// the second and third name the pooler, low byte first, and the two lowest bits of the last say how often the request may still be passed on. The longer secrets of protocol 3.2
// begin alike; PgBouncer neither gives nor takes those.

// hopsLeft masks how often a request may be passed on, in the fourth byte of the secret. A key is given out with all of them.
const hopsLeft = 0x03

// of makes the key one that says whose it is.
func (k cancelKey) of(peer int) cancelKey {
	k.pid = k.pid&^0x00ffff00 | uint32(peer&0xff)<<16 | uint32(peer>>8&0xff)<<8
	return k.fresh()
}

// fresh is the key as it was given out, before it was passed on.
func (k cancelKey) fresh() cancelKey { return k.withHops(hopsLeft) }

func (k cancelKey) withHops(n byte) cancelKey {
	k.secret = slices.Clone(k.secret)
	k.secret[3] = k.secret[3]&^hopsLeft | n
	return k
}

// peer is the number of the pooler that has given out the key, if that one is in a group.
func (k cancelKey) peer() int { return int(k.pid>>16&0xff) | int(k.pid>>8&0xff)<<8 }

func (k cancelKey) hops() byte { return k.secret[3] & hopsLeft }

// peers bounds the cancel requests under way to each peer. The zero value has none under way.
type peers struct {
	mu    sync.Mutex
	gates map[int]chan struct{} // holds a token for each
}

// enter waits for room for one more request; leave gives it back.
func (p *peers) enter(ctx context.Context, id, most int) (leave func(), _ error) {
	p.mu.Lock()
	if p.gates == nil {
		p.gates = map[int]chan struct{}{}
	}
	gate := p.gates[id]
	if cap(gate) != most { // new, or a reload has changed it: those under way count no more
		gate = make(chan struct{}, most)
		p.gates[id] = gate
	}
	p.mu.Unlock()
	select {
	case gate <- struct{}{}:
		return func() { <-gate }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%d cancel requests are under way to the peer already (pool_size): %w", most, ctx.Err())
	}
}

// forward passes a cancel request on to the peer that has given out its key. What cannot be passed on is dropped, as nobody waits for an answer.
func (p *Pooler) forward(ctx context.Context, key cancelKey) {
	conf := p.config()
	log := p.log.With().Int("peer_id", key.peer()).Logger()
	peer, known := conf.Peers[key.peer()]
	switch {
	case key.hops() == 0:
		log.Warn().Msg("cancel request dropped: it was passed on three times already; does each pooler of the group have a peer_id of its own, and the same [peers]?")
		return
	case !known:
		log.Info().Msg("cancel request dropped: its peer is not in [peers]")
		return
	}
	if err := p.sendToPeer(ctx, peer, conf.PeerPoolSize(peer), key.withHops(key.hops()-1)); err != nil {
		log.Warn().Err(err).Msg("cancel request could not be passed on")
		return
	}
	log.Debug().Msg("cancel request passed on")
}

func (p *Pooler) sendToPeer(ctx context.Context, peer config.Peer, most int, key cancelKey) error {
	ctx, stop := p.cancelContext(ctx)
	defer stop()
	leave, err := p.peers.enter(ctx, peer.ID, most)
	if err != nil {
		return err
	}
	defer leave()
	network, address := peer.Address()
	return p.sendCancel(ctx, endpoint{network: network, address: address}, nil, key)
}
