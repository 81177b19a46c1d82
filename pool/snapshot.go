package pool

import (
	"cmp"
	"net"
	"slices"
	"time"

	"poolerd/pool/config"
	"poolerd/pool/metrics"
	"poolerd/wire"
)

// What the console and the metrics see: copies, taken under the locks for an instant.

// ClientInfo is one client at an instant.
type ClientInfo struct {
	ID          uint64
	User        string
	Database    string // the client's name for it
	State       State
	Replication string // physical or logical; empty for a pooled client
	Pinned      string // why it keeps its server between transactions; empty when it does not
	Addr, Local net.Addr
	Connected   time.Time
	Since       time.Time // of State
	Transaction time.Time // when its transaction began; zero outside one
	ServerPID   uint32    // of the server that it has; 0: none
	ServerID    uint64
	Version     wire.Version
	Application string
	CancelPID   uint32
}

// ServerInfo is one server at an instant.
type ServerInfo struct {
	ID          uint64
	User        string
	Database    string // the clients' name for it
	State       string // active: a client has it; idle: nobody has
	Addr, Local net.Addr
	Connected   time.Time
	Requested   time.Time // when it was last given to a client
	PID         uint32
	ClientID    uint64 // who has it; 0: nobody
	Uses        uint64 // how many times it was given to a client
	Application string
}

// PoolInfo is one pool at an instant.
type PoolInfo struct {
	Database, User string
	Mode           config.Mode
	Size, Reserve  int
	Clients        int // logged in
	Active         int // clients that have a server or rest without one
	Waiting        int
	ServersBusy    int
	ServersIdle    int
	ServersOpening int
	LongestWait    time.Duration // of those that wait now
	Totals         metrics.Totals
	Last           metrics.Totals // of the last full stats_period
	LastTook       time.Duration
}

// Config gives the settings in force. They are not to be changed.
func (p *Pooler) Config() *config.Config { return p.config() }

// Began is when the pooler started.
func (p *Pooler) Began() time.Time { return p.began }

// Clients gives every client, oldest first.
func (p *Pooler) Clients() []ClientInfo {
	clients := p.allClients()
	all := make([]ClientInfo, 0, len(clients))
	for _, c := range clients {
		all = append(all, c.info())
	}
	slices.SortFunc(all, func(a, b ClientInfo) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (c *Client) info() ClientInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := ClientInfo{
		ID: c.id, User: c.user, Database: c.database, State: c.state, Pinned: c.pins.String(), Addr: c.addr, Local: c.local,
		Connected: c.began, Since: c.since, Transaction: c.inTx, Version: c.version, CancelPID: c.key.pid,
	}
	if c.replication != notReplication {
		i.Replication = c.replication.String()
	}
	if name, ok := c.base.Get("application_name"); ok {
		i.Application = name.Value
	}
	if c.server != nil {
		i.ServerPID, i.ServerID = c.server.pid, c.server.id
	}
	return i
}

// Servers gives every server, oldest first.
func (p *Pooler) Servers() []ServerInfo {
	holders := map[uint64]ClientInfo{}
	for _, c := range p.Clients() {
		if c.ServerID != 0 {
			holders[c.ServerID] = c
		}
	}
	var all []ServerInfo
	for _, pool := range p.allPools() {
		pool.mu.Lock()
		for s := range pool.servers {
			i := ServerInfo{
				ID: s.id, User: pool.key.User, Database: pool.key.Database, State: "idle", Addr: s.conn.RemoteAddr(), Local: s.conn.LocalAddr(),
				Connected: s.created, Requested: s.created, PID: s.pid, Uses: s.uses.Load(),
			}
			if c, ok := holders[s.id]; ok {
				i.State, i.ClientID, i.Application, i.Requested = "active", c.ID, c.Application, c.Since
			}
			all = append(all, i)
		}
		pool.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b ServerInfo) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Pools gives every pool, by database and user.
func (p *Pooler) Pools() []PoolInfo {
	now := time.Now()
	var all []PoolInfo
	for _, pool := range p.allPools() {
		pool.mu.Lock()
		i := PoolInfo{
			Database: pool.key.Database, User: pool.key.User, Mode: pool.conf.Mode, Size: pool.conf.Size, Reserve: pool.conf.ReserveSize,
			Clients: pool.totals.Clients, Waiting: pool.queue.len, Active: pool.totals.Clients - pool.queue.len,
			ServersBusy: pool.busy, ServersIdle: len(pool.servers) - pool.busy, ServersOpening: pool.opening,
			Totals: pool.totals, Last: pool.last, LastTook: pool.took,
		}
		if w := pool.queue.first; w != nil {
			i.LongestWait = now.Sub(w.since)
		}
		pool.mu.Unlock()
		i.ServersIdle = max(i.ServersIdle, 0)
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b PoolInfo) int {
		return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.User, b.User))
	})
	return all
}
