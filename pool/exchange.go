package pool

import (
	"errors"
	"os"
	"time"

	"poolerd/wire"
	"poolerd/wire/sock"
)

// One exchange with a server: the request is written and the replies are read, in one stay in the poller.

// longPart is how many bytes of a pipeline without a Sync are sent at once, at least, when it is looked whether the server has said something already: an error lets a
// client stop that has much to send. Behind a smaller part the clock looks, when the client has stopped.
const longPart = bufferSize / 2

// exchange sends what is to be sent and relays the replies until nothing more will come without another message of the client. Then the server is
// given back if the transaction is over, before the last replies are written.
func (c *Client) exchange() {
	s := c.busy
	r := &s.replies
	data := c.span
	if len(c.out) > 0 {
		data = c.out
	}
	c.sayFakes(s)
	if len(data) == 0 && !s.pipe.Expecting() {
		c.afterExchange(s)
		return
	}
	if r.boundary() {
		r.start(c)
	}
	c.setState(StateActive)
	if c.doom.Load() != nil { // whoever ended it may have looked before, and so does not see to it that what runs is cancelled
		c.pooler.tasks.Go(func() { c.interrupt(s) })
	}
	if c.asked.IsZero() {
		c.asked = time.Now()
	}
	if !c.counted {
		c.counted = true
		c.tally.queries++
	}
	if c.tally.began.IsZero() {
		c.tally.began = c.asked
	}
	if r.prepend(&c.reply); len(c.reply) > 0 {
		c.flushReply()
	}
	r.unsent = data
	r.run(s)
	c.sent()
	if c.attempt.stale && r.err == nil && r.fatal == nil && s.pipe.Settled() {
		c.retry(s)
		return
	}
	if s.pipe.NeedsSync() && r.err == nil {
		r.flush()
		c.sendSync()
		return
	}
	c.afterExchange(s)
}

// hear relays what the server says unasked, while the client waits. A client without a server may have stopped in the middle of a flight.
func (c *Client) hear() {
	c.stopAttending()
	s := c.busy
	if c.left != "" {
		return
	}
	if s == nil {
		if c.hasHalted() {
			c.process()
		}
		if c.left == "" {
			c.rest()
		}
		return
	}
	r := &s.replies
	if r.boundary() {
		r.start(c)
	}
	if r.err == nil && r.fatal == nil {
		if err := s.conn.Serve(s.listen); err != nil && r.err == nil {
			r.err = err
		}
	}
	if r.boundary() || r.err != nil || r.fatal != nil {
		c.afterExchange(s)
	}
	c.rest()
}

// readWhatIsThere is onReadable for hear: it does not wait.
func (s *Server) readWhatIsThere(uintptr) bool {
	r := &s.replies
	for r.err == nil && r.fatal == nil && r.clientErr == nil {
		r.makeRoom()
		n, err := s.conn.TryRead(r.b[r.to:])
		if err == sock.ErrWait { //nolint:errorlint // never wrapped
			break
		}
		if r.to += n; err == nil {
			err = s.walk()
		}
		r.err = err
		r.flush()
	}
	return true
}

// sent forgets what was sent.
func (c *Client) sent() {
	c.span = nil
	if cap(c.out) > bufferSize {
		c.out = nil
	}
	c.out = c.out[:0]
}

// sendSync ends the skipping of a server whose error hit what we sent ahead of a simple Query.
func (c *Client) sendSync() {
	c.busy.pipe.Sent(wire.OpSync, wire.ForClient, nil)
	c.out = wire.AppendEmpty(c.outgoing(), wire.ClientSync)
	c.exchange()
}

// sayFakes answers what the pooler answers by itself, as far as its turn has come.
func (c *Client) sayFakes(s *Server) {
	for o, ok := s.pipe.Turn(); ok; o, ok = s.pipe.Turn() {
		c.reply = appendFake(c.reply, o.Op)
		dropTag(c, o)
	}
}

// onReadable is called by the poller, first when the server's descriptor is armed: then the request is written, and the reply cannot be missed.
func (s *Server) onReadable(uintptr) bool {
	r := &s.replies
	if len(r.unsent) > 0 {
		n, err := s.conn.TryWrite(r.unsent)
		r.unsent = r.unsent[n:]
		switch {
		case err == sock.ErrWait: //nolint:errorlint // never wrapped
			r.startWriter(s)
		case err != nil:
			r.err = err // the server may have said why: what can be read is read
		}
		silent := !s.pipe.Expecting() && r.writer == nil && r.err == nil && !s.pipe.CopyIn() // no reply can be waited for
		switch {
		case silent && n < longPart:
			return true
		case silent: // it may have answered to what it was sent before
		case s.conn.Armed() && r.err == nil && r.fresh && !s.pipe.CopyIn():
			return false // no reply was there before the request
		}
	}
	for {
		r.makeRoom()
		space := r.b[r.to:]
		n, err := s.conn.TryRead(space)
		if err != nil {
			if err == sock.ErrWait && r.err == nil { //nolint:errorlint // never wrapped
				return r.writer == nil && s.rests() // a COPY whose server has nothing to say, or requests that no Sync has followed yet
			}
			if r.err == nil {
				r.err = err
			}
			return true
		}
		r.to += n
		if err := s.walk(); err != nil {
			r.err = err
			return true
		}
		if r.writer == nil && s.rests() {
			return true // the last part is written when the server has been given back
		}
		if r.flush(); r.clientErr != nil || r.fatal != nil {
			return true
		}
		// More is expected, so reading goes on until nothing is there: an end that came together with these bytes announces itself only once.
	}
}

// run waits for the poller until the replies are there.
func (r *replies) run(s *Server) {
	for {
		err := s.conn.Serve(s.step)
		if r.writer == nil {
			if err != nil && r.err == nil {
				r.err = err
			}
			return
		}
		woken := errors.Is(err, os.ErrDeadlineExceeded)
		if !woken {
			_ = s.conn.SetWriteDeadline(past) // something broke while the writer was at work
		}
		werr := <-r.writer
		r.writer = nil
		if derr := s.conn.SetDeadline(noDeadline); werr == nil {
			werr = derr
		}
		if r.err == nil && (!woken || werr != nil) {
			r.err = errors.Join(err, werr)
		}
		if r.err != nil || r.clientErr != nil || s.rests() {
			return
		}
	}
}

// rests reports that nothing has to come before the client's next message. The server may have stopped in the middle of a reply: it sends what fills its buffer, and the rest
// when more requests fill that again, or a Sync or Flush asks for it. Where nothing is owed it has not, so that what was begun is about to come.
func (s *Server) rests() bool {
	return !s.pipe.Expecting() && (s.replies.boundary() || !s.pipe.Settled())
}

// startWriter lets a goroutine write what the kernel did not take, while we go on reading: a server that cannot get rid of its replies reads no more requests.
func (r *replies) startWriter(s *Server) {
	done := make(chan error, 1)
	data := r.unsent
	r.writer, r.unsent = done, nil
	r.client.pooler.tasks.Go(func() {
		_, err := s.conn.Write(data)
		_ = s.conn.SetReadDeadline(past) // wakes whoever waits for replies that will not come before the client sends more
		done <- err
	})
}
