package pool

import (
	"time"

	"poolerd/wire"
)

// How a client is ended from outside its goroutine.

// doom ends a client from outside its goroutine.
type doom struct {
	reason string
	err    *wire.Error // sent before the end
}

// end ends the client from any goroutine: at once where it waits, else after its query was cancelled.
func (c *Client) end(reason string, err *wire.Error) {
	if !c.doom.CompareAndSwap(nil, &doom{reason, err}) {
		return
	}
	c.mu.Lock()
	state, s := c.state, c.server
	if state != StateWaiting && state != StateActive && c.conn != nil { // one of our own (borrow) has none
		_ = c.conn.SetReadDeadline(past)
	}
	c.mu.Unlock()
	switch state {
	case StateWaiting:
		c.pool.withdraw(c.waiter, err)
	case StateActive:
		c.pooler.tasks.Go(func() { c.interrupt(s) })
	case StateLogin:
		c.pooler.changed.ring() // it may wait for a place (awaitPlace)
	}
}

// endIfIdle ends the client unless it is in a transaction; then it ends with that.
func (c *Client) endIfIdle(reason string, err *wire.Error) {
	c.mu.Lock()
	idle := c.state == StateIdle || c.state == StateLogin || c.state == StateInTx && !c.inside
	c.mu.Unlock()
	if idle {
		c.end(reason, err)
	}
}

// interrupt cancels what runs, and takes the sockets from whoever waits for them when that does not help, or does not arrive: a server that is out of reach takes no cancel request either.
func (c *Client) interrupt(s *Server) {
	if s != nil {
		c.pooler.after(cancelPatience, c.takeSockets)
		c.cancelOn(s)
	}
	c.pooler.after(interruptLimit, c.takeSockets)
}

// takeSockets wakes a client whose time is over and who still waits for its server.
func (c *Client) takeSockets() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == StateActive {
		_ = c.conn.SetDeadline(past)
		if c.server != nil {
			_ = c.server.conn.SetDeadline(past)
		}
	}
}

// leaveDoomed is the end on the client's own goroutine, once that has noticed. The client is told why where a message may begin.
func (c *Client) leaveDoomed() {
	d := c.doom.Load()
	_ = c.conn.SetDeadline(time.Now().Add(farewellLimit))
	if d.err != nil && !c.toldWhy && c.body == 0 && (c.busy == nil || c.busy.replies.boundary()) {
		c.leaveWith(d.reason, d.err)
	}
	c.leave(d.reason)
}
