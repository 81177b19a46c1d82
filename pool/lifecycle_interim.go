package pool

import (
	"context"

	"poolerd/wire"
)

// ShuttingDown tells whether the pooler takes no more clients, since it ends.
func (p *Pooler) ShuttingDown() bool { return p.draining.Load() }

// DrainServers lets transactions end and closes everyone else.
func (p *Pooler) DrainServers() { p.Drain() }

// DrainClients waits for the clients to leave.
func (p *Pooler) DrainClients() { p.Drain() }

func (p *Pooler) Pause(context.Context, string) *wire.Error { return nil }
func (p *Pooler) Resume(string) *wire.Error                 { return nil }
