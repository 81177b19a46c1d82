package pool

import (
	"encoding/binary"
	"time"

	"poolerd/wire"
	"poolerd/wire/record"
)

// tap cuts the bytes of one client into messages for the recorder, in both directions. It belongs to the client's goroutine, and looks at the bytes where they are read and written: so it
// sees each message once, whatever becomes of it.
type tap struct {
	recorder *recorder
	id       uint64
	asked    stream
	answered stream
	missing  uint64 // messages left out since the last that was recorded; then nothing is, up to the end of the transaction

	copies    uint64 // messages of COPY data that are not recorded yet
	copyBytes uint64
	code      [5]byte // of the first error since the last ReadyForQuery
	failed    bool
}

// headKept is how much is kept of a message that is too large to be recorded: room for its names.
const headKept = 1 << 10

// tap begins the recording of a client; nil when nothing is recorded.
func (r *recorder) tap(c *Client) *tap {
	if r == nil {
		return nil
	}
	t := &tap{recorder: r, id: c.id}
	t.put(entry{kind: record.KindOpened, bytes: []byte(c.user + "\x00" + c.database)})
	return t
}

// end records that the client has gone.
func (t *tap) end() {
	if t == nil {
		return
	}
	if t.missing > 0 {
		t.admit(time.Now().UnixNano())
	}
	e := entry{kind: record.KindClosed}
	if t.failed {
		e.bytes = t.code[:]
	}
	t.put(e)
}

// sent takes what the client has sent.
func (t *tap) sent(b []byte) {
	at := time.Now().UnixNano()
	t.asked.feed(b, keptOfClient, func(typ byte, body []byte, size int) {
		if typ == wire.ClientCopyData {
			t.copies++
			t.copyBytes += uint64(size - wire.HeaderLen)
			return
		}
		t.putCopies(at)
		if typ != wire.ClientTerminate {
			t.put(entry{kind: record.KindMessage, typ: typ, at: at, n: uint64(size), bytes: body})
		}
	})
	t.putCopies(at)
}

func (t *tap) putCopies(at int64) {
	if t.copies == 0 {
		return
	}
	var bytes [8]byte
	binary.BigEndian.PutUint64(bytes[:], t.copyBytes)
	t.put(entry{kind: record.KindMessage, typ: wire.ClientCopyData, at: at, n: t.copies, bytes: bytes[:]})
	t.copies, t.copyBytes = 0, 0
}

// replied takes what the client is about to be sent.
func (t *tap) replied(b []byte) {
	t.answered.feed(b, keptOfServer, func(typ byte, body []byte, size int) {
		switch typ {
		case wire.ServerErrorResponse:
			if code := wire.ErrorCode(body); !t.failed && len(code) == len(t.code) {
				t.failed = true
				copy(t.code[:], code)
			}
		case wire.ServerCopyInResponse:
			t.put(entry{kind: record.KindCopyIn})
		case wire.ServerReadyForQuery:
			if len(body) == 1 {
				t.ready(wire.TxStatus(body[0]))
			}
		}
	})
}

func (t *tap) ready(status wire.TxStatus) {
	failed := t.failed
	t.failed = false
	if t.missing > 0 {
		if status == wire.TxIdle {
			t.admit(time.Now().UnixNano())
		}
		return
	}
	e := entry{kind: record.KindReady, typ: byte(status)}
	if failed {
		e.bytes = t.code[:]
	}
	t.put(e)
}

// admit records that messages were left out. While there is no room for that either, it goes on like this.
func (t *tap) admit(at int64) {
	if t.recorder.put(entry{kind: record.KindLeftOut, session: t.id, at: at, n: t.missing}) {
		t.missing = 0
	}
}

// put hands an entry over, or counts it as left out.
func (t *tap) put(e entry) {
	e.session = t.id
	if e.at == 0 {
		e.at = time.Now().UnixNano()
	}
	if t.missing > 0 || !t.recorder.put(e) {
		t.missing++
		t.recorder.leftOut.Add(1)
	}
}

// stream cuts bytes that come in pieces into messages.
type stream struct {
	part   []byte // the start of a message that has not come as a whole
	rest   int    // bytes still to come of a message that was told of already
	broken bool   // what comes is no message
}

// feed calls tell for each message, as soon as what is kept of it is there: body has no more than that.
func (s *stream) feed(b []byte, kept func(typ byte, size int) int, tell func(typ byte, body []byte, size int)) {
	for len(b) > 0 && !s.broken {
		if s.rest > 0 {
			n := min(s.rest, len(b))
			s.rest -= n
			b = b[n:]
			continue
		}
		have := b
		if len(s.part) > 0 {
			have = s.part
		}
		if len(have) < wire.HeaderLen {
			n := min(wire.HeaderLen-len(s.part), len(b))
			s.part = append(s.part, b[:n]...)
			if b = b[n:]; len(s.part) < wire.HeaderLen {
				return
			}
			have = s.part
		}
		typ, size, ok := wire.Header(have)
		if !ok {
			s.broken, s.part = true, nil
			return
		}
		keep := kept(typ, size)
		if len(s.part) == 0 {
			if len(b) < keep {
				s.part = append(s.part, b...)
				return
			}
			tell(typ, b[wire.HeaderLen:keep], size)
			b = b[keep:]
		} else {
			n := min(keep-len(s.part), len(b))
			s.part = append(s.part, b[:n]...)
			if b = b[n:]; len(s.part) < keep {
				return
			}
			tell(typ, s.part[wire.HeaderLen:], size)
			if s.part = s.part[:0]; cap(s.part) > bufferSize {
				s.part = nil
			}
		}
		s.rest = size - keep
	}
}

// keptOfClient is how many bytes of a client's message are kept, header included.
func keptOfClient(typ byte, size int) int {
	switch {
	case typ == wire.ClientCopyData:
		return wire.HeaderLen
	case size > record.LargestMessage:
		return headKept
	}
	return size
}

// keptOfServer is the same of a server's: an SQLSTATE stands near the start.
func keptOfServer(typ byte, size int) int {
	switch typ {
	case wire.ServerErrorResponse, wire.ServerReadyForQuery:
		return min(size, headKept)
	}
	return wire.HeaderLen
}
