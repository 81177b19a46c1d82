package admin

import (
	"maps"
	"slices"

	"poolerd/pool"
	"poolerd/pool/config"
	"poolerd/wire"
)

func peerColumns() []column {
	return []column{{name: "peer_id", kind: int4}, {name: "host", kind: text}, {name: "port", kind: int4}, {name: "pool_size", kind: int4}}
}

func (c *Console) showPeers() (result, *wire.Error) { return rows(peerRows(c.pooler.Config())) }

func peerRows(conf *config.Config) [][]any {
	var all [][]any
	for _, id := range slices.Sorted(maps.Keys(conf.Peers)) {
		p := conf.Peers[id]
		all = append(all, []any{p.ID, p.Host, p.Port, conf.PeerPoolSize(p)})
	}
	return all
}

func peerPoolColumns() []column {
	return columnsOf(int4, "peer_id", "cl_active_cancel_req", "cl_waiting_cancel_req", "sv_active_cancel", "sv_login")
}

func (c *Console) showPeerPools() (result, *wire.Error) {
	return rows(peerPoolRows(c.pooler.PeerPools()))
}

func peerPoolRows(pools []pool.PeerPoolInfo) [][]any {
	var all [][]any
	for _, p := range pools {
		all = append(all, []any{p.ID, p.Cancels, 0, p.Cancels, 0})
	}
	return all
}
