package pool

import (
	"poolerd/wire/sock"
)

// attendant passes on what a server says while its client waits: notifications, notices, its end. Only clients that keep their server between
// transactions have one, since nobody else's server speaks unasked.
type attendant struct {
	server *Server
	done   chan struct{}
}

// startAttending is called when the client's goroutine is about to wait.
func (c *Client) startAttending() {
	if !c.keeps() || !c.busy.pipe.Settled() || !c.busy.replies.boundary() {
		return
	}
	a := &attendant{server: c.busy, done: make(chan struct{})}
	c.attend = a
	c.pooler.tasks.Go(func() {
		defer close(a.done)
		a.run(c)
	})
}

// stopAttending is called when the client's goroutine goes on: from then on it alone reads the server.
func (c *Client) stopAttending() {
	a := c.attend
	if a == nil {
		return
	}
	c.attend = nil
	_ = a.server.conn.SetReadDeadline(past)
	<-a.done
	_ = a.server.conn.SetReadDeadline(noDeadline)
}

func (a *attendant) run(c *Client) {
	s := a.server
	r := &s.replies
	r.client = c
	err := s.conn.Serve(func(fd uintptr) bool {
		if !s.conn.Readable() {
			return false // without a buffer
		}
		if r.boundary() {
			r.start(c)
		}
		for {
			r.makeRoom()
			space := r.b[r.to:]
			n, err := s.conn.TryRead(space)
			if err != nil {
				if err == sock.ErrWait { //nolint:errorlint // never wrapped
					if r.boundary() {
						r.last().free()
					}
					return false
				}
				r.err = err
				return true
			}
			r.to += n
			if r.err = s.walk(); r.err != nil || r.fatal != nil {
				return true
			}
			if r.flush(); r.clientErr != nil {
				return true
			}
		}
	})
	if r.err == nil && r.fatal == nil && r.clientErr == nil && err != nil {
		return // the client goes on
	}
	_ = c.conn.SetReadDeadline(past) // the client's goroutine deals with it
}
