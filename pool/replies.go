package pool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"poolerd/pool/sock"
	"poolerd/wire"
)

// The way of a server's replies to the client: from the buffer they were read into, in as few writes as the reads allow. Each message's header is
// looked at; of the bodies only the few small ones that say something about the session.

const (
	repliesSize = 32 << 10
	// headroom is kept free before what is read, for answers of the pooler's own that go ahead of it in the same write.
	headroom = 1 << 10
)

// replies is what was read from a server and is on its way to the client: b[from:at] is ready to be sent, b[at:to] is not looked at yet.
type replies struct {
	b            []byte
	stock        *[repliesSize]byte // b, unless that had to grow
	from, at, to int
	body         int  // bytes still to come of a message whose start was looked at
	bodyDropped  bool // it is not for the client
	unsent       []byte
	client       *Client
	err          error       // why the server can be read no longer
	fatal        *wire.Error // what the server said before it went
	clientErr    error       // why the client can be written to no longer
	fresh        bool        // nothing was asked of the server before what is sent now
	parted       bool        // a part of a message has been sent to the client
	own          []byte      // an answer of the pooler's, while it is put in
	instead      *wire.Error // takes the place of the server's error
	failed       bool        // there was an error since the last ReadyForQuery
	rolledBack   bool        // the last CommandComplete was ROLLBACK
	writer       chan error  // of the goroutine that writes while we read
}

func (r *replies) boundary() bool { return r.body == 0 && r.at == r.to }

// reset forgets everything of the last client.
func (r *replies) reset() {
	r.last().free()
	*r = replies{}
}

// repliesStock keeps buffers: nothing in them has a meaning.
var repliesStock = sync.Pool{New: func() any { return new([repliesSize]byte) }}

func (r *replies) start(c *Client) {
	if r.b == nil {
		r.stock, _ = repliesStock.Get().(*[repliesSize]byte)
		r.b = r.stock[:]
	}
	r.client, r.from, r.at, r.to = c, headroom, headroom, headroom
	r.parted = false
}

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
	if c.asked.IsZero() {
		c.asked = time.Now()
	}
	if r.prepend(&c.reply); len(c.reply) > 0 {
		c.flushReply()
	}
	c.tally.received += uint64(len(data))
	r.unsent = data
	r.run(s)
	c.sent()
	if s.pipe.NeedsSync() && r.err == nil {
		c.sendSync()
		return
	}
	c.afterExchange(s)
}

// hear relays what the server says unasked, while the client waits.
func (c *Client) hear() {
	c.stopAttending()
	s := c.busy
	if s == nil || c.left != "" {
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
		c.reply = appendFake(c.reply, o.Op, s.pipe.Status())
		dropTag(c, o)
	}
}

func appendFake(dst []byte, op wire.Op, status wire.TxStatus) []byte {
	switch op {
	case wire.OpParse:
		return wire.AppendEmpty(dst, wire.ServerParseComplete)
	case wire.OpClose:
		return wire.AppendEmpty(dst, wire.ServerCloseComplete)
	case wire.OpQuery:
		if status == wire.TxFailed {
			dst = errFailedBlock().Append(dst)
		} else {
			dst = wire.AppendCommandComplete(dst, "DEALLOCATE")
		}
		return wire.AppendReadyForQuery(dst, status)
	}
	panic(fmt.Sprintf("no answer of our own to %v", op))
}

// dropTag gives back what a faked operation held to be undone.
func dropTag(c *Client, o wire.Owed) {
	if n, ok := o.Tag.(*nameChange); ok && o.Op != wire.OpParse && n.statement != nil {
		c.pooler.statements.Drop(n.statement)
	}
}

// prepend puts answers of our own before what is read next, if there is room.
func (r *replies) prepend(reply *[]byte) {
	if n := len(*reply); n <= r.from && r.from == r.at {
		r.from -= copy(r.b[r.from-n:], *reply)
		*reply = (*reply)[:0]
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
		if !s.pipe.Expecting() && r.writer == nil && r.err == nil && !s.pipe.CopyIn() {
			return true
		}
		if s.conn.Armed() && r.err == nil && r.fresh && !s.pipe.CopyIn() {
			return false // no reply was there before the request
		}
	}
	for {
		r.makeRoom()
		space := r.b[r.to:]
		n, err := s.conn.TryRead(space)
		if err != nil {
			if err == sock.ErrWait && r.err == nil { //nolint:errorlint // never wrapped
				return r.writer == nil && !s.pipe.Expecting() && r.boundary() // a COPY whose server has nothing to say
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
		if r.writer == nil && !s.pipe.Expecting() && r.boundary() {
			return true // the last part is written when the server has been given back
		}
		if r.flush(); r.clientErr != nil || r.fatal != nil {
			return true
		}
		// More is expected, so reading goes on until nothing is there: an end that came together with these bytes announces itself only once.
	}
}

// makeRoom moves what is not complete to the start, so that there is something to read into.
func (r *replies) makeRoom() {
	if r.from == r.at && r.at > headroom {
		r.to = headroom + copy(r.b[headroom:], r.b[r.at:r.to])
		r.from, r.at = headroom, headroom
	}
	if r.to == len(r.b) { // one message that must be whole fills it
		r.b, r.stock = append(r.b, make([]byte, len(r.b))...), nil
	}
}

// flush writes what is ready to the client.
func (r *replies) flush() {
	if r.from == r.at || r.clientErr != nil {
		r.from = r.at
		return
	}
	_, r.clientErr = r.client.conn.Write(r.b[r.from:r.at])
	r.client.tally.sent += uint64(r.at - r.from)
	r.from = r.at
	r.parted = r.body > 0 && !r.bodyDropped
}

// largeMessage is the size up to which every message is waited for as a whole.
const largeMessage = repliesSize - headroom

// walk looks at what was read, message by message. An error means that the server cannot be used any longer.
func (s *Server) walk() error {
	r := &s.replies
	for {
		if r.body > 0 {
			n := min(r.body, r.to-r.at)
			if n == 0 {
				return nil
			}
			r.body -= n
			r.take(n, r.bodyDropped)
			continue
		}
		if r.to-r.at < wire.HeaderLen {
			return nil
		}
		h := r.b[r.at:]
		typ, size := h[0], int(binary.BigEndian.Uint32(h[1:]))+1
		if size < wire.HeaderLen {
			return fmt.Errorf("server sent a message of length %d", size-1)
		}
		have := min(size, r.to-r.at)
		if have < size && !(typ == wire.ServerDataRow || typ == wire.ServerCopyData || size > largeMessage) {
			return nil
		}
		dropped, err := s.reply(typ, r.b[r.at+wire.HeaderLen:r.at+have])
		if err != nil {
			return err
		}
		r.body, r.bodyDropped = size-have, dropped
		r.take(have, dropped)
		if r.instead != nil {
			r.put(r.instead.Append(nil))
			r.instead = nil
		}
		if r.body == 0 {
			s.fakes()
		}
	}
}

// take moves over n bytes: they are sent, or dropped.
func (r *replies) take(n int, dropped bool) {
	if dropped {
		copy(r.b[r.from+n:], r.b[r.from:r.at]) // what is ready is short where anything is dropped
		r.from += n
	}
	r.at += n
}

// fakes puts the pooler's own answers whose turn has come behind what is ready.
func (s *Server) fakes() {
	r := &s.replies
	for o, ok := s.pipe.Turn(); ok; o, ok = s.pipe.Turn() {
		r.own = appendFake(r.own[:0], o.Op, s.pipe.Status())
		r.put(r.own)
		dropTag(r.client, o)
	}
}

// put puts a message of the pooler's own behind what is ready.
func (r *replies) put(msg []byte) {
	if r.from < len(msg) {
		r.flush()
	}
	if r.from < len(msg) { // longer than the headroom
		if r.clientErr == nil {
			_, r.clientErr = r.client.conn.Write(msg)
		}
		return
	}
	copy(r.b[r.from-len(msg):], r.b[r.from:r.at])
	r.from -= len(msg)
	copy(r.b[r.at-len(msg):], msg)
}

// reply looks at one message: what it means for the session, and whether it is dropped. body may be the start of a large one.
func (s *Server) reply(typ byte, body []byte) (dropped bool, err error) {
	r := &s.replies
	c := r.client
	var status wire.TxStatus
	switch typ {
	case wire.ServerDataRow:
		if o := s.pipe.Owed(); len(o) > 0 && o[0].For == wire.ForClient && (o[0].Op == wire.OpExecute || o[0].Op == wire.OpQuery) {
			return false, nil
		}
	case wire.ServerReadyForQuery:
		if len(body) != 1 {
			return false, errors.New("server sent a ReadyForQuery of a wrong length")
		}
		status = wire.TxStatus(body[0])
	case wire.ServerParameterStatus:
		s.note(body)
	case wire.ServerErrorResponse:
		if wire.Ends(body) {
			e, err := wire.ParseError(body)
			r.fatal = &e
			return true, err
		}
	}
	verdict, of, done, err := s.pipe.Receive(typ, status)
	if err != nil {
		return false, err
	}
	switch typ {
	case wire.ServerCommandComplete:
		if of.For == wire.ForClient {
			c.completed(s, body, of)
		}
	case wire.ServerErrorResponse:
		return c.failedAt(s, of, body, done)
	case wire.ServerReadyForQuery:
		c.ready(s, of, status)
	}
	return verdict == wire.Drop, nil
}

// last is what is ready to be sent, in memory that is the client's from now on: the server may work for another one while it is written.
type last struct {
	b     []byte
	stock *[repliesSize]byte
}

func (r *replies) last() last {
	l := last{r.b[r.from:r.at], r.stock}
	r.b, r.stock, r.from, r.at, r.to = nil, nil, 0, 0, 0
	return l
}

func (l last) free() {
	if l.stock != nil {
		repliesStock.Put(l.stock)
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
		if r.err != nil || r.clientErr != nil || !s.pipe.Expecting() && r.boundary() {
			return
		}
	}
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
