package pool

import (
	"context"
	"slices"
	"time"

	"poolerd/wire"
)

// killLimit is for how long KILL and KILL_CLIENT wait for the clients to be gone.
const killLimit = 2 * time.Second

// Kill closes every client and server of a database at once, of all when it is empty, and pauses it: what runs is cancelled. New clients wait for a server until Resume. It returns when the
// clients are gone.
func (p *Pooler) Kill(database string) *wire.Error {
	if err := p.named(database, "kill"); err != nil {
		return err
	}
	p.mu.Lock()
	if err := p.mayHold(); err != nil {
		p.mu.Unlock()
		return err
	}
	if database != "" {
		p.gates.paused[database] = true
	} else {
		for key := range p.pools {
			p.gates.paused[key.Database] = true
		}
	}
	then := p.regulate(database)
	p.mu.Unlock()
	then()
	p.authCache.forget()
	p.endAll(p.clientsOf(database), reasonRemoved, wire.Fatalf(wire.CodeAdminShutdown, reasonRemoved))
	p.closeHubs(database)
	return nil
}

// KillClient closes one client, with what it runs. It returns when the client is gone.
func (p *Pooler) KillClient(id uint64) *wire.Error {
	all := slices.DeleteFunc(p.allClients(), func(c *Client) bool { return c.id != id })
	if len(all) == 0 {
		return errCommand("client not found")
	}
	p.endAll(all, reasonKilled, wire.Fatalf(wire.CodeAdminShutdown, reasonKilled))
	return nil
}

// endAll ends clients, and waits until they have left, for killLimit at most.
func (p *Pooler) endAll(clients []*Client, reason string, err *wire.Error) {
	for _, c := range clients {
		c.end(reason, err)
	}
	ctx, stop := context.WithTimeout(p.life, killLimit)
	defer stop()
	p.await(ctx, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return !slices.ContainsFunc(clients, func(c *Client) bool { _, there := p.clients[c]; return there })
	})
}
