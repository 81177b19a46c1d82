package wiretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"poolerd/wire"
	"poolerd/wire/lex"
)

// pieceApart is the time between two pieces of SayInPieces, so that the other side reads them one by one.
const pieceApart = 200 * time.Microsecond

// FakeSession is one connection to a FakeServer.
type FakeSession struct {
	Number int           // of the session, from 0
	Start  *wire.Startup // what the client asked for

	conn   net.Conn
	ctx    context.Context // of the server
	status wire.TxStatus   // for Answer
	texts  map[string]string
	bound  string // the text behind the portal bound last
}

// FakePID is the process id that Welcome gives to a session: 1000 and its number.
func (s *FakeSession) FakePID() uint32 { return 1000 + uint32(s.Number) }

// Welcome lets a client in, with the parameters that pgx and psql ask for.
func Welcome(s *FakeSession) error {
	out := wire.AppendAuthenticationOK(nil)
	for _, p := range []wire.Param{
		{Name: "server_version", Value: "15.0"},
		{Name: "server_encoding", Value: "UTF8"},
		{Name: "client_encoding", Value: "UTF8"},
		{Name: "standard_conforming_strings", Value: "on"},
		{Name: "integer_datetimes", Value: "on"},
		{Name: "DateStyle", Value: "ISO, MDY"},
		{Name: "TimeZone", Value: "UTC"},
		{Name: "application_name", Value: ""},
	} {
		out = wire.AppendParameterStatus(out, p.Name, p.Value)
	}
	out = wire.AppendBackendKeyData(out, s.FakePID(), []byte{1, 2, 3, 4})
	return s.write(wire.AppendReadyForQuery(out, wire.TxIdle))
}

func (s *FakeSession) write(b []byte) error {
	_, err := s.conn.Write(b)
	return err
}

// Expect reads as many messages as types has bytes, which must be theirs.
func Expect(types string) Step {
	return func(s *FakeSession) error {
		for i := range len(types) {
			typ, body, err := wire.ReadMessage(s.conn, maxString)
			if err != nil {
				return fmt.Errorf("waiting for %q of %q: %w", types[i], types, err)
			}
			if typ != types[i] {
				return fmt.Errorf("want %q of %q, not %s", types[i], types, wire.AppendTrace(nil, wire.FromClient, envelope(typ, body)))
			}
		}
		return nil
	}
}

// Say sends messages in one write.
func Say(messages ...[]byte) Step {
	return func(s *FakeSession) error { return s.write(join(messages)) }
}

// SayInPieces sends messages in writes of size bytes.
func SayInPieces(size int, messages ...[]byte) Step {
	return func(s *FakeSession) error {
		for b := join(messages); len(b) > 0; {
			n := min(size, len(b))
			if err := s.write(b[:n]); err != nil {
				return err
			}
			b = b[n:]
			select {
			case <-time.After(pieceApart):
			case <-s.ctx.Done():
				return errOver
			}
		}
		return nil
	}
}

// SayPart sends the first n bytes of messages: a server that dies in the middle of a message.
func SayPart(n int, messages ...[]byte) Step {
	return func(s *FakeSession) error {
		b := join(messages)
		return s.write(b[:min(n, len(b))])
	}
}

func join(messages [][]byte) []byte {
	var b []byte
	for _, m := range messages {
		b = append(b, m...)
	}
	return b
}

// Await waits until a channel is closed: the test says when to go on.
func Await(c <-chan struct{}) Step {
	return func(s *FakeSession) error {
		select {
		case <-c:
			return nil
		case <-s.ctx.Done():
			return errOver
		}
	}
}

// Signal closes a channel: the session has come so far. It must be played once.
func Signal(c chan<- struct{}) Step {
	return func(*FakeSession) error {
		close(c)
		return nil
	}
}

// Hang answers nothing any more, until the client closes.
func Hang(s *FakeSession) error {
	if _, err := io.Copy(io.Discard, s.conn); err != nil && !errors.Is(err, io.EOF) {
		return errOver
	}
	return errOver
}

// HangUp closes the connection; what was not read makes it a reset on most systems, so say Expect before.
func HangUp(*FakeSession) error { return errOver }

// Reset closes the connection so that the client sees a reset.
func Reset(s *FakeSession) error {
	if tcp, ok := s.conn.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			return err
		}
	}
	return errOver
}

// Answer answers n messages in the shortest way that keeps a client content: no rows, transaction blocks by their keywords. A negative n is until the
// client leaves. It knows no errors, and so skips nothing.
func Answer(n int) Step {
	return func(s *FakeSession) error {
		for ; n != 0; n-- {
			typ, body, err := wire.ReadMessage(s.conn, maxString)
			if errors.Is(err, io.EOF) || err == nil && typ == wire.ClientTerminate {
				return errOver
			}
			if err != nil {
				return err
			}
			if err := s.write(s.answer(typ, body)); err != nil {
				return err
			}
		}
		return nil
	}
}

func (s *FakeSession) answer(typ byte, body []byte) []byte {
	switch typ {
	case wire.ClientParse:
		name, rest, _ := wire.CString(body)
		text, _, _ := wire.CString(rest)
		if s.texts == nil {
			s.texts = map[string]string{}
		}
		s.texts[string(name)] = string(text)
		return wire.AppendEmpty(nil, wire.ServerParseComplete)
	case wire.ClientBind:
		_, rest, _ := wire.CString(body)
		name, _, _ := wire.CString(rest)
		s.bound = s.texts[string(name)]
		return wire.AppendEmpty(nil, wire.ServerBindComplete)
	case wire.ClientDescribe:
		if body[0] == 'S' {
			return wire.AppendEmpty(envelope(wire.ServerParameterDescription, []byte{0, 0}), wire.ServerNoData)
		}
		return wire.AppendEmpty(nil, wire.ServerNoData)
	case wire.ClientExecute:
		return s.execute(nil, s.bound)
	case wire.ClientClose:
		return wire.AppendEmpty(nil, wire.ServerCloseComplete)
	case wire.ClientSync:
		return wire.AppendReadyForQuery(nil, s.status)
	case wire.ClientQuery:
		return wire.AppendReadyForQuery(s.execute(nil, strings.TrimRight(string(body), "\x00")), s.status)
	}
	return nil
}

func (s *FakeSession) execute(dst []byte, text string) []byte {
	tag := "SELECT 0"
	switch lex.Classify([]byte(text)) {
	case lex.Empty:
		return wire.AppendEmpty(dst, wire.ServerEmptyQueryResponse)
	case lex.Begin:
		s.status, tag = wire.TxActive, lex.BeginTag([]byte(text))
	case lex.Commit:
		s.status, tag = wire.TxIdle, "COMMIT"
	case lex.Rollback:
		s.status, tag = wire.TxIdle, "ROLLBACK"
	}
	return wire.AppendCommandComplete(dst, tag)
}
