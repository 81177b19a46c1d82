package pool

import (
	"cmp"
	"net"
	"slices"
	"strings"
	"time"

	"poolerd/pool/vars"
	"poolerd/wire"
)

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
	TLS         string // version/cipher; empty: not encrypted
	PID         int32  // of the process at the other end of a Unix socket; 0: not known
	Statements  int    // prepared statements that it has names for
}

// Clients gives every client, oldest first, but for the console's sessions: see Consoles.
func (p *Pooler) Clients() []ClientInfo {
	clients := p.allClients()
	all := make([]ClientInfo, 0, len(clients))
	for _, c := range clients {
		all = append(all, c.info())
	}
	slices.SortFunc(all, func(a, b ClientInfo) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// applicationName is the application_name that a session with a Set has: as a server has reported it, else as it was set.
func applicationName(set *vars.Set) string {
	reported, _ := set.Reported()
	for _, r := range reported {
		if r.Name == "application_name" {
			return r.Value
		}
	}
	item, _ := set.Get("application_name")
	if item.Raw {
		return strings.Trim(item.Value, "'")
	}
	return item.Value
}

func (c *Client) info() ClientInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := ClientInfo{
		ID: c.id, User: c.user, Database: c.database, State: c.state, Pinned: c.pins.String(), Addr: c.addr, Local: c.local,
		Connected: c.began, Since: c.since, Transaction: c.inTx, Version: c.version, CancelPID: c.key.pid,
		TLS: describeTLS(c.conn.Conn), PID: peerPID(c.conn.Conn), Statements: c.names.Count(),
	}
	if c.replication != notReplication {
		i.Replication = c.replication.String()
	}
	i.Application = applicationName(cmp.Or(c.shown, c.base))
	if c.server != nil {
		i.ServerPID, i.ServerID = c.server.pid, c.server.id
	}
	return i
}
