package listen

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/wire"
)

// maxReply is the longest message that a session accepts, in bytes. A notification has at most some 8,100.
const maxReply = 1 << 20

// session is one connection to the server.
type session struct {
	hub  *Hub
	conn net.Conn
	in   *bufio.Reader
	pid  uint32

	batch *batch        // what the server has been sent and has not answered; guarded by Hub.mu
	ended chan struct{} // closed when read has returned
	cause error         // why; the reader's until ended is closed
}

// connect opens a session. Its reader runs when connect returns.
func (h *Hub) connect() (*session, error) {
	pg, err := h.opts.Connect(h.life)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(h.life, h.opts.Timeout)
	defer cancel()
	if err := pg.SyncConn(ctx); err != nil {
		_ = pg.Close(ctx)
		return nil, err
	}
	hijacked, err := pg.Hijack()
	if err != nil {
		_ = pg.Close(ctx)
		return nil, err
	}
	if err := hijacked.Conn.SetDeadline(time.Time{}); err != nil {
		_ = hijacked.Conn.Close()
		return nil, err
	}
	s := &session{
		hub: h, conn: hijacked.Conn, in: bufio.NewReaderSize(hijacked.Conn, 16<<10), pid: hijacked.PID,
		ended: make(chan struct{}),
	}
	h.mu.Lock()
	h.info.Connected, h.info.PID, h.info.Since = true, s.pid, time.Now()
	h.info.Connects++
	h.mu.Unlock()
	h.opts.Log.Debug().Uint32("pid", s.pid).Msg("the listening connection is open")
	go s.read()
	return s, nil
}

// read deals with what the server says until the connection ends.
func (s *session) read() {
	defer close(s.ended)
	for {
		message, err := readMessage(s.in)
		if err == nil {
			err = s.receive(message)
		}
		if err != nil {
			s.cause = err
			break
		}
	}
	_ = s.conn.Close() // so that nobody waits in a write
}

// readMessage reads a whole message into memory of its own.
func readMessage(in *bufio.Reader) ([]byte, error) {
	header, err := in.Peek(wire.HeaderLen)
	if err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint32(header[1:]))
	if length < 4 || length > maxReply {
		return nil, fmt.Errorf("the server sent a message %q of %d bytes: at least 4, at most %d are understood", header[0], length, maxReply)
	}
	message := make([]byte, 1+length)
	_, err = io.ReadFull(in, message)
	return message, err
}

// receive deals with one message. An error ends the session.
func (s *session) receive(message []byte) error {
	switch typ := message[0]; typ {
	case wire.ServerNotificationResponse:
		return s.hub.deliver(message)
	case wire.ServerReadyForQuery:
		return s.ready(message)
	case wire.ServerErrorResponse:
		return s.failed(message)
	case wire.ServerCommandComplete, wire.ServerRowDescription, wire.ServerDataRow, wire.ServerEmptyQueryResponse,
		wire.ServerNoticeResponse, wire.ServerParameterStatus:
		return nil
	default:
		return fmt.Errorf("the server sent a message %q to a session that only listens", typ)
	}
}

func (s *session) ready(message []byte) error {
	if len(message) != wire.HeaderLen+1 || wire.TxStatus(message[wire.HeaderLen]) != wire.TxIdle {
		return errors.New("the server is in a transaction that nobody began")
	}
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.batch == nil {
		return errors.New("the server is ready for a second time")
	}
	if s.batch.ready() {
		h.settle(s.batch)
		s.batch = nil
	}
	return nil
}

// failed hears of a statement's failure, or of the session's end.
func (s *session) failed(message []byte) error {
	var e pgproto3.ErrorResponse
	if err := e.Decode(message[wire.HeaderLen:]); err != nil {
		return fmt.Errorf("read an error of the server: %w", err)
	}
	err := pgconn.ErrorResponseToPgError(&e)
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if severity := err.SeverityUnlocalized; severity == "FATAL" || severity == "PANIC" || !s.batch.fail(err) {
		return err // nothing follows such an error
	}
	return nil
}

// write sends a batch, whose replies the reader then deals with.
func (s *session) write(b *batch) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.hub.opts.Timeout)); err != nil {
		return err
	}
	_, err := s.conn.Write(b.append(nil))
	return err
}

// close says farewell where the server may still hear it, and waits for the reader.
func (s *session) close() {
	_ = s.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = s.conn.Write(wire.AppendEmpty(nil, wire.ClientTerminate))
	_ = s.conn.Close()
	<-s.ended
}
