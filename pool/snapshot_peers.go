package pool

import (
	"maps"
	"slices"
)

// PeerPoolInfo is what goes to one peer at an instant: a peer shows up with the first cancel request that was passed on to it.
type PeerPoolInfo struct {
	ID      int // its peer_id
	Cancels int // requests under way to it
}

// PeerPools gives what goes to the peers, by their peer_id.
func (p *Pooler) PeerPools() []PeerPoolInfo {
	p.peers.mu.Lock()
	defer p.peers.mu.Unlock()
	var all []PeerPoolInfo
	for _, id := range slices.Sorted(maps.Keys(p.peers.gates)) {
		all = append(all, PeerPoolInfo{id, len(p.peers.gates[id])})
	}
	return all
}
