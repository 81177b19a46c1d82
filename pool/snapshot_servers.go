package pool

import (
	"cmp"
	"net"
	"slices"
	"time"

	"poolerd/pool/config"
)

// ServerInfo is one server at an instant.
type ServerInfo struct {
	ID          uint64
	User        string
	Database    string // the clients' name for it
	State       ServerState
	Addr, Local net.Addr
	Connected   time.Time
	Requested   time.Time // when it was last given to a client
	PID         uint32
	ClientID    uint64 // who has it; 0: nobody
	Uses        uint64 // how many times it was given to a client
	Application string // of the client that has it
	TLS         string // version/cipher; empty: not encrypted
	Statements  int    // prepared statements that it has, or is about to have
	CloseNeeded bool   // it is closed as soon as it is free: the way to its like has changed
}

// ServerState is what a server is doing, in PgBouncer's words.
type ServerState string

const (
	ServerActive        ServerState = "active"         // a client has it
	ServerIdle          ServerState = "idle"           // nobody has
	ServerUsed          ServerState = "used"           // nobody has for longer than server_check_delay: it is checked before its next use
	ServerTested        ServerState = "tested"         // it is checked, or put right behind a client
	ServerBeingCanceled ServerState = "being_canceled" // it would be idle, but a cancel request may still hit it
)

// Servers gives every server, oldest first. Those of replication, which are their clients' own, are not among them.
func (p *Pooler) Servers() []ServerInfo {
	holders, conf, now := p.holders(), p.config(), time.Now()
	var all []ServerInfo
	for _, pool := range p.allPools() {
		pool.mu.Lock()
		for s, state := range pool.states(holders, conf, now) {
			i := ServerInfo{
				ID: s.id, User: pool.key.User, Database: pool.key.Database, State: state, Addr: s.conn.RemoteAddr(), Local: s.conn.LocalAddr(),
				Connected: s.created, Requested: s.created, PID: s.pid, Uses: s.uses.Load(), TLS: describeTLS(s.conn.Conn), Statements: s.stmts.Count(),
				CloseNeeded: pool.closeNeeded(s),
			}
			if at := s.requested.Load(); at != 0 {
				i.Requested = time.Unix(0, at)
			}
			if c, ok := holders[s.id]; ok {
				i.ClientID, i.Application = c.ID, c.Application
			}
			all = append(all, i)
		}
		pool.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b ServerInfo) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// holders gives the clients that have a server, by its id.
func (p *Pooler) holders() map[uint64]ClientInfo {
	holders := map[uint64]ClientInfo{}
	for _, c := range p.Clients() {
		if c.ServerID != 0 {
			holders[c.ServerID] = c
		}
	}
	return holders
}

// states gives what each server of the pool is doing. The pool's lock is held.
func (p *Pool) states(holders map[uint64]ClientInfo, conf *config.Config, now time.Time) map[*Server]ServerState {
	states := make(map[*Server]ServerState, len(p.servers))
	for s := range p.servers {
		_, held := holders[s.id]
		switch {
		case held:
			states[s] = ServerActive
		case s.pending.Load() > 0:
			states[s] = ServerBeingCanceled
		default:
			states[s] = ServerTested
		}
	}
	for _, s := range p.free {
		states[s] = ServerIdle
		if conf.ServerCheckQuery != "" && now.Sub(s.used) >= conf.ServerCheckDelay {
			states[s] = ServerUsed
		}
	}
	return states
}
