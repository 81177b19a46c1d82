package pool

import (
	"net"
	"slices"
	"time"

	"poolerd/wire"
)

// The ways to end: each stage goes further than the one before, and there is no way back.
const (
	stageServing        int32 = iota
	stageWaitForClients       // no new clients; those that are there stay
	stageWaitForServers       // clients go as soon as they have no server, servers as soon as they have no client
	stageClosing              // everything ends now
)

// farewellDelay is how long idle clients stay in stageWaitForServers while others still have their servers: what they ask for meanwhile is refused.
const farewellDelay = 500 * time.Millisecond

// Draining tells whether DrainClients, DrainServers or Close has been called.
func (p *Pooler) Draining() bool { return p.stage.Load() != stageServing }

// advance moves to a later stage; false: it has been reached already.
func (p *Pooler) advance(to int32) bool {
	for {
		at := p.stage.Load()
		if at >= to {
			return false
		}
		if p.stage.CompareAndSwap(at, to) {
			p.stageBegan.Store(time.Now().UnixNano())
			return true
		}
	}
}

// errDraining refuses a client that comes too late.
func errDraining() *wire.Error { return wire.Fatalf(wire.CodeAdminShutdown, "pooler is shutting down") }

// stopListening closes the TCP listeners. Those of Unix sockets stay for the console until Close; no other client comes in there.
func (p *Pooler) stopListening() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.listeners {
		if l.Addr().Network() != "unix" {
			_ = l.Close()
		}
	}
}

// DrainClients lets no new client in; Serve returns when those that are there have left by themselves.
func (p *Pooler) DrainClients() {
	if p.closeSuspended() {
		return
	}
	p.ending.Lock()
	defer p.ending.Unlock()
	if p.over || !p.advance(stageWaitForClients) {
		return
	}
	p.stopListening()
}

// DrainServers lets no new client in, and lets transactions end, and the sessions of clients that keep their server: then each one's server is closed, and the client with it. Serve returns when
// no server is left.
func (p *Pooler) DrainServers() {
	if p.closeSuspended() {
		return
	}
	p.ending.Lock()
	defer p.ending.Unlock()
	if p.over || !p.advance(stageWaitForServers) {
		return
	}
	p.stopListening()
	for _, pool := range p.allPools() {
		pool.finishUp(&ending{reason: reasonShutdown, err: errShutdown()})
	}
}

// closeSuspended ends everything where all is suspended: nothing that a drain waits for would ever come.
func (p *Pooler) closeSuspended() bool {
	_, suspended := p.HoldState()
	if suspended {
		p.log.Warn().Msg("suspend was in progress, going down immediately")
		p.Close()
	}
	return suspended
}

// finishUp closes the servers of a pool as they come free, and its clients as they have none.
func (p *Pool) finishUp(why *ending) {
	p.ending.Store(why)
	p.mu.Lock()
	free := p.takeFree()
	p.mu.Unlock()
	for _, s := range free {
		s.discard(why.reason)
	}
}

// tendStage looks whether what a stage waits for has come.
func (p *Pooler) tendStage(now time.Time) {
	switch p.stage.Load() {
	case stageWaitForClients:
		p.mu.Lock()
		n := len(p.clients)
		p.mu.Unlock()
		if n == 0 {
			p.log.Info().Msg("client connections dropped, exiting")
			p.Close()
		}
	case stageWaitForServers:
		if p.serversReleased(now) {
			p.log.Info().Msg("server connections dropped, exiting")
			p.Close()
		}
	}
}

// serversReleased ends the clients that have no server, and tells whether no server is in use.
func (p *Pooler) serversReleased(now time.Time) bool {
	p.mu.Lock()
	busy := p.connected("")
	p.mu.Unlock()
	late := now.UnixNano()-p.stageBegan.Load() > int64(farewellDelay)
	for _, c := range p.allClients() {
		if c.inTransaction() {
			busy = true
		} else if late {
			c.endUnserved(reasonShutdown, errShutdown())
		}
	}
	return !busy
}

// inTransaction tells whether the client has a server for a transaction, or was promised one by the answer to its BEGIN.
func (c *Client) inTransaction() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == StateActive || c.state == StateInTx && c.inside
}

// endUnserved ends the client unless it has a server, or was promised one.
func (c *Client) endUnserved(reason string, err *wire.Error) {
	c.mu.Lock()
	unserved := c.server == nil && (c.state <= StateIdle || c.state == StateWaiting && c.inTx.IsZero())
	c.mu.Unlock()
	if unserved {
		c.end(reason, err)
	}
}

// Close ends everything at once. Clients are told.
func (p *Pooler) Close() { p.close(errShutdown()) }

// CloseFast is Close without a word to clients, as PgBouncer's fast exit at a second signal: to them it is a broken connection.
func (p *Pooler) CloseFast() { p.close(nil) }

// close ends everything. farewell is for clients; nil: they are told nothing.
func (p *Pooler) close(farewell *wire.Error) {
	p.ending.Lock()
	defer p.ending.Unlock()
	if p.over {
		return
	}
	p.advance(stageClosing)
	p.endLogins()
	p.mu.Lock()
	listeners, conns := slices.Clone(p.listeners), make([]net.Conn, 0, len(p.conns))
	for nc := range p.conns {
		conns = append(conns, nc)
	}
	p.mu.Unlock()
	for _, l := range listeners {
		_ = l.Close()
	}
	clients := p.allClients()
	served := make(map[net.Conn]bool, len(clients))
	for _, c := range clients {
		served[c.socket] = true
	}
	for _, nc := range conns {
		if !served[nc] {
			_ = nc.SetReadDeadline(past) // a login, or a session of the console
		}
	}
	for _, c := range clients {
		c.end(reasonShutdown, farewell)
	}
	p.after(interruptLimit, func() {
		for _, nc := range conns {
			_ = nc.Close()
		}
	})
}
