package pool

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"poolerd/pool/metrics"
	"poolerd/wire"
)

// relayBuffer is the size of the buffer of each direction of a replication connection, in bytes.
const relayBuffer = 64 << 10

// course follows the messages of a stream that is passed on unread, to know where one ends and which the last one was.
type course struct {
	head [wire.HeaderLen]byte
	have int  // bytes of head
	body int  // bytes still to come of the message
	lost bool // a header made no sense: there is no telling any more
	last byte // the type of the last message that began
}

// pass follows p.
func (c *course) pass(p []byte) {
	for len(p) > 0 && !c.lost {
		if c.body > 0 {
			n := min(c.body, len(p))
			c.body -= n
			p = p[n:]
			continue
		}
		n := copy(c.head[c.have:], p)
		c.have += n
		p = p[n:]
		if c.have < len(c.head) {
			return
		}
		typ, size, ok := wire.Header(c.head[:])
		c.last, c.have, c.body, c.lost = typ, 0, size-wire.HeaderLen, !ok
	}
}

// boundary tells whether a message may begin here.
func (c *course) boundary() bool { return c.have == 0 && c.body == 0 && !c.lost }

// relay passes bytes both ways until a side ends, and leaves the client. The server is closed by the caller.
func (r *replication) relay(client net.Conn) {
	c := r.client
	c.serving()
	if c.doom.Load() != nil { // before the deadline of the login was taken off
		_ = client.SetReadDeadline(past)
	}
	var up, down course
	var ended error
	served := make(chan struct{})
	go func() {
		defer close(served)
		ended = pump(client, r.server, func(b []byte) {
			down.pass(b)
			c.pool.count(func(t *metrics.Totals) { t.Sent += uint64(len(b)) })
		})
		_ = client.SetReadDeadline(past) // wakes the other direction
	}()
	err := pump(r.server, client, func(b []byte) {
		up.pass(b)
		c.pool.count(func(t *metrics.Totals) { t.Received += uint64(len(b)) })
	})
	select {
	case <-served: // it was woken
	default:
		r.finish(client, err, &up, served)
	}
	<-served
	switch {
	case c.doom.Load() != nil:
		r.leaveDoomed(client, down.boundary())
	case up.last == wire.ClientTerminate, errors.Is(err, io.EOF):
		c.leave(reasonClientClosed)
	case errors.Is(err, os.ErrDeadlineExceeded) && errors.Is(ended, io.EOF):
		c.leave(reasonServerGone)
	default:
		c.leave(reasonClientGone)
	}
	c.setState(StateClosing)
}

// serving makes the client one that keeps a server for another reason than a transaction, as others see it: whatever ends idle clients ends it.
func (c *Client) serving() {
	c.mu.Lock()
	c.pins = pinReplication
	c.state, c.since, c.inside = StateInTx, time.Now(), false
	c.mu.Unlock()
}

// finish ends the server after the client's side has ended with err. Where the client has merely stopped sending, the server may finish what it is saying.
func (r *replication) finish(client net.Conn, err error, up *course, served <-chan struct{}) {
	patience := time.Duration(0)
	switch {
	case errors.Is(err, io.EOF):
		patience = farewellLimit
	case r.client.doom.Load() != nil && up.boundary(): // the server's last message then comes whole
		patience = interruptLimit / 2
		_ = r.server.SetWriteDeadline(time.Now().Add(patience))
		_, _ = r.server.Write(wire.AppendEmpty(nil, wire.ClientTerminate))
	}
	if half, ok := r.server.(interface{ CloseWrite() error }); ok && patience > 0 && half.CloseWrite() == nil {
		select {
		case <-served:
			return
		case <-time.After(patience):
		}
	}
	_ = r.server.SetDeadline(past)
	_ = client.SetWriteDeadline(time.Now().Add(farewellLimit))
}

func (r *replication) leaveDoomed(client net.Conn, boundary bool) {
	d := r.client.doom.Load()
	if d.err != nil && boundary {
		_ = client.SetWriteDeadline(time.Now().Add(farewellLimit))
		_, _ = client.Write(d.err.Fatal().Append(nil))
	}
	r.client.leave(d.reason)
}

// pump passes bytes on until a side fails, and says how: io.EOF is the end of from. seen is called with all that is read.
func pump(to io.Writer, from io.Reader, seen func([]byte)) error {
	b := make([]byte, relayBuffer)
	for {
		n, err := from.Read(b)
		if n > 0 {
			seen(b[:n])
			if _, err := to.Write(b[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}
