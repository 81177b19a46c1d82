package pool

import (
	"context"
	"time"

	"poolerd/wire"
)

// Suspend stops all: what is under way is answered, and nothing new begins, neither for clients without a server nor inside transactions, until Resume. It returns when
// nothing is under way any more, or after suspend_timeout; a query that still runs then goes on, since the pooler has nothing of it that could be flushed. When ctx ends
// before, it is undone.
func (p *Pooler) Suspend(ctx context.Context) *wire.Error {
	p.mu.Lock()
	err := p.mayHold()
	if err == nil && len(p.gates.paused) > 0 {
		err = errCommand("cannot suspend with paused databases")
	}
	if err != nil {
		p.mu.Unlock()
		return err
	}
	p.gates.all = holdSuspended
	then := p.regulate("")
	p.mu.Unlock()
	then()
	limit := never
	if t := p.config().SuspendTimeout; t > 0 {
		limit = t
	}
	flushing, stop := context.WithTimeout(ctx, limit)
	defer stop()
	p.await(flushing, func() bool {
		for _, c := range p.allClients() {
			if c.active() {
				return false
			}
		}
		return true
	})
	if ctx.Err() != nil {
		p.resumeAll(holdSuspended)
		return errCommandCanceled()
	}
	return nil
}

// active tells whether a server works for the client.
func (c *Client) active() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == StateActive
}

// freeze keeps a client that has a server from beginning anything while its pool is suspended.
func (c *Client) freeze() {
	p, w := c.pool, c.waiter
	for c.doom.Load() == nil {
		p.mu.Lock()
		if p.hold != holdSuspended || p.closed {
			p.mu.Unlock()
			break
		}
		w.since = time.Now()
		p.frozen.push(w)
		p.mu.Unlock()
		c.setState(StateWaiting)
		if c.doom.Load() != nil { // it may have looked before we were waiting
			p.withdraw(w, nil)
		}
		<-w.granted
	}
	c.setState(StateInTx)
}
