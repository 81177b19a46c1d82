package replay

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/wire"
)

const (
	// writeAhead is how much is written without reading at the same time: a server that cannot get rid of its replies reads no more.
	writeAhead  = 16 << 10
	mostError   = 64 << 10
	goodbyeTime = time.Second
	// mostUnblocked bounds the attempts to bring a connection to rest.
	mostUnblocked = 8
)

// emptyBinaryCopy is a COPY in the binary format without a row (PostgreSQL's documentation, "COPY"): in place of data that are not recorded. In the text format nothing stands for nothing.
const emptyBinaryCopy = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\xff\xff"

// errStuck means that the server will not say what the recorded one did.
var errStuck = errors.New("the target does not answer as the recorded server did")

// conn is a connection to the target.
type conn struct {
	net.Conn
	r        *bufio.Reader
	out      []byte
	pipe     wire.Pipeline
	writing  chan error
	patience time.Duration

	binaryCopy bool   // the COPY under way is in the binary format
	code, text string // of the first error since the transaction began
	ready      bool   // the last message was ReadyForQuery
}

// dial logs in.
func dial(ctx context.Context, config *pgconn.Config, patience time.Duration) (*conn, error) {
	pg, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := pg.SyncConn(ctx); err != nil { // pgconn may still read behind a write of the login that was slow: the first answer would be lost to it
		_ = pg.Close(ctx)
		return nil, err
	}
	taken, err := pg.Hijack()
	if err != nil {
		_ = pg.Close(ctx)
		return nil, err
	}
	c := &conn{Conn: taken.Conn, r: bufio.NewReaderSize(taken.Conn, 16<<10), patience: patience}
	c.pipe.Reset()
	return c, nil
}

// add puts a message behind what will be sent.
func (c *conn) add(m *message) {
	if m.typ == wire.ClientCopyDone && c.pipe.CopyIn() && c.binaryCopy {
		c.out = append(append(c.out, wire.ClientCopyData, 0, 0, 0, byte(4+len(emptyBinaryCopy))), emptyBinaryCopy...)
	}
	c.out = append(c.out, m.raw...)
	if m.asks {
		c.pipe.Sent(m.op, wire.ForClient, nil)
		return
	}
	switch m.typ {
	case wire.ClientFlush:
		c.pipe.SentFlush()
	case wire.ClientCopyDone, wire.ClientCopyFail:
		c.pipe.SentCopyEnd()
	}
}

// flush sends what was added. What is long is written while replies are read.
func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	if err := c.written(); err != nil {
		return err
	}
	data := c.out
	c.out = c.out[:0]
	if len(data) <= writeAhead {
		_ = c.SetWriteDeadline(time.Now().Add(c.patience))
		_, err := c.Write(data)
		return err
	}
	_ = c.SetWriteDeadline(time.Now().Add(c.patience))
	c.writing, c.out = make(chan error, 1), nil
	go func(done chan<- error) {
		_, err := c.Write(data)
		done <- err
	}(c.writing)
	return nil
}

// written waits for the end of a long write.
func (c *conn) written() error {
	if c.writing == nil {
		return nil
	}
	err := <-c.writing
	c.writing = nil
	return err
}

// receive takes one message from the server.
func (c *conn) receive() error {
	_ = c.SetReadDeadline(time.Now().Add(c.patience))
	var head [wire.HeaderLen]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return err
	}
	typ, size, ok := wire.Header(head[:])
	if !ok {
		return errors.New("the target sent a message of an invalid length")
	}
	size -= wire.HeaderLen
	var status wire.TxStatus
	switch {
	case typ == wire.ServerErrorResponse && size <= mostError:
		body := make([]byte, size)
		if _, err := io.ReadFull(c.r, body); err != nil {
			return err
		}
		if c.code == "" {
			c.code = string(wire.ErrorCode(body))
			if e, err := wire.ParseError(body); err == nil {
				c.text = withoutValues(e.Message)
			}
		}
	case typ == wire.ServerCopyInResponse && size > 0:
		b, err := c.r.ReadByte()
		if err != nil {
			return err
		}
		c.binaryCopy = b == 1
		if _, err := c.r.Discard(size - 1); err != nil {
			return err
		}
	case typ == wire.ServerReadyForQuery && size == 1:
		b, err := c.r.ReadByte()
		if err != nil {
			return err
		}
		status = wire.TxStatus(b)
	default:
		if _, err := c.r.Discard(size); err != nil {
			return err
		}
	}
	c.ready = typ == wire.ServerReadyForQuery
	_, _, _, err := c.pipe.Receive(typ, status)
	return err
}

// withoutValues cuts an error's message before the value that it quotes.
func withoutValues(message string) string {
	short, _, _ := strings.Cut(message, `: "`)
	return short
}

// untilReady reads up to the next ReadyForQuery. Where the server waits for something that the recording has not, it is told that nothing comes.
func (c *conn) untilReady() error {
	for {
		for c.pipe.Expecting() {
			if err := c.receive(); err != nil {
				return err
			}
			if c.ready {
				return nil
			}
		}
		if more, err := c.unblock(); err != nil || !more {
			return err
		}
	}
}

// untilCopyIn reads up to CopyInResponse, or to where it is clear that none comes.
func (c *conn) untilCopyIn() error {
	for c.pipe.Expecting() {
		if err := c.receive(); err != nil {
			return err
		}
	}
	return nil
}

// unblock ends a COPY that the recording has no data for, and the skipping behind an error that it has not.
func (c *conn) unblock() (more bool, err error) {
	switch {
	case c.pipe.CopyIn():
		fail := ownMessage(wire.ClientCopyFail)
		if c.add(&fail); !c.pipe.Expecting() { // in the extended protocol
			c.sync()
		}
	case c.pipe.NeedsSync(), c.pipe.SkipsToSync(), c.pipe.Open():
		c.sync()
	default:
		return false, nil
	}
	return true, c.flush()
}

func (c *conn) sync() {
	m := ownMessage(wire.ClientSync)
	c.add(&m)
}

// settle brings the connection to the end of a transaction: whatever is owed is read, and a transaction that is open here and was not when it was recorded is rolled back, which rolled says.
func (c *conn) settle() (rolled bool, err error) {
	if err := c.flush(); err != nil {
		return false, err
	}
	for n := 0; !c.pipe.Idle(); n++ {
		if c.pipe.Doubtful() || n > mostUnblocked {
			return rolled, errStuck
		}
		if c.pipe.Settled() && !c.pipe.Open() { // in a transaction
			if rolled {
				return rolled, errStuck
			}
			rolled = true
			c.out = wire.AppendQuery(c.out, "ROLLBACK")
			c.pipe.Sent(wire.OpQuery, wire.ForClient, nil)
			if err := c.flush(); err != nil {
				return rolled, err
			}
		}
		if err := c.untilReady(); err != nil {
			return rolled, err
		}
	}
	return rolled, c.written()
}

// leave ends the connection as a well-behaved client does.
func (c *conn) leave() error {
	_ = c.SetDeadline(time.Now().Add(goodbyeTime))
	_, err := c.Write(wire.AppendEmpty(nil, wire.ClientTerminate))
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	if c.writing != nil {
		<-c.writing
	}
	return err
}

// drop closes the connection without a word.
func (c *conn) drop() {
	_ = c.Close()
	if c.writing != nil {
		<-c.writing
	}
}
