package pool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

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
	flushed      bool        // something of the exchange has been sent to the client
	executed     bool        // something that the client asked for was carried out in the exchange, or refused to the end
	failed       bool        // there was an error since the last ReadyForQuery
	writer       chan error  // of the goroutine that writes while we read
	most         int64       // bytes that a message may have: max_packet_size; 0: any number
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
	r.parted, r.flushed, r.executed = false, false, false
	r.most = c.pooler.config().MaxPacketSize
}

func appendFake(dst []byte, op wire.Op) []byte {
	switch op {
	case wire.OpParse:
		return wire.AppendEmpty(dst, wire.ServerParseComplete)
	case wire.OpClose:
		return wire.AppendEmpty(dst, wire.ServerCloseComplete)
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
	r.flushed = true
	r.clientErr = r.client.write(r.b[r.from:r.at])
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
		if r.most > 0 && int64(size) > r.most {
			r.fatal = errPacketSize(typ, size, r.most)
			return errors.New("server sent a message that is larger than max_packet_size")
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
		r.own = appendFake(r.own[:0], o.Op)
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
			r.clientErr = r.client.write(msg)
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
		if c.resets { // what it says is not what the client will have
			if c.told == nil {
				c.told = s.reported
			}
			s.note(body)
			return true, nil
		}
		s.note(body)
	case wire.ServerNotificationResponse:
		return c.heard(s, body), nil
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
	if d, ok := of.Tag.(*description); ok && typ != wire.ServerErrorResponse {
		whole := len(body) == int(binary.BigEndian.Uint32(r.b[r.at+1:]))-4
		if d.add(typ, body, whole); done && !c.described(s, d, of.For) {
			r.fatal = errStale() // what follows in this transaction is not what the client takes it for
			return true, errPrelude
		}
	}
	switch typ {
	case wire.ServerCommandComplete:
		if of.For == wire.ForClient {
			r.executed = true
			c.completed(s, body, of)
		}
	case wire.ServerErrorResponse:
		return c.failedAt(s, of, body, done)
	case wire.ServerReadyForQuery:
		r.executed = r.executed || of.For == wire.ForClient
		c.ready(s, of, status)
	case wire.ServerPortalSuspended, wire.ServerEmptyQueryResponse:
		r.executed = true
	}
	return verdict == wire.Drop || c.attempt.stale || c.toldWhy, nil
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
