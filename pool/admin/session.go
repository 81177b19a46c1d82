package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"poolerd/pool"
	"poolerd/wire"
)

const (
	mostMessage = 64 << 10         // bytes of a client's message; commands are short
	mostPending = 32 << 10         // bytes of replies that are kept back before they are written without being asked for
	writeLimit  = 30 * time.Second // after which a client that does not read is given up
)

var past = time.Unix(1, 0) // a deadline that has passed; never changed

// session is one connection to the console. It belongs to one goroutine.
type session struct {
	*pool.ConsoleSession

	console  *Console
	in       *incoming
	out      []byte // replies that are not written yet
	extended extended
	asked    bool // this client asked for the end of the pooler, and need not be told why its session ends
}

func newSession(c *Console, of *pool.ConsoleSession) *session {
	return &session{ConsoleSession: of, console: c, in: read(of.Conn), extended: newExtended()}
}

// stop ends what the session has started. The connection stays open for a last word.
func (s *session) stop() {
	_ = s.Conn.SetReadDeadline(past)
	s.in.stop()
}

// welcome sends what psql and drivers want to know before they ask anything.
func (s *session) welcome() error {
	superuser := "off"
	if s.console.isAdmin(s.ConsoleSession) {
		superuser = "on"
	}
	s.out = wire.AppendAuthenticationOK(s.out)
	for _, p := range append(parameters(), parameter{"is_superuser", superuser}, parameter{"session_authorization", s.User}) {
		s.out = wire.AppendParameterStatus(s.out, p.name, p.value)
	}
	pid, secret := s.Key()
	s.out = wire.AppendBackendKeyData(s.out, pid, secret)
	s.out = wire.AppendReadyForQuery(s.out, wire.TxIdle)
	return s.flush()
}

// errLeft ends a session whose client said goodbye.
var errLeft = errors.New("client left")

func (s *session) serve() error {
	for m := range s.in.messages {
		if m.err != nil {
			return s.farewell(m.err)
		}
		if err := s.handle(m.typ, m.body); err != nil {
			return err
		}
	}
	return errLeft
}

// farewell tells the client why, when it is the pooler that ends.
func (s *session) farewell(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if s.asked {
		return errLeft
	}
	s.out = wire.Fatalf(wire.CodeAdminShutdown, "terminating connection: the pooler is shutting down").Append(s.out)
	if err := s.flush(); err != nil {
		return err
	}
	return errLeft
}

// ended gives what the caller should know of the end of a session: nothing, when the client left, in whatever way.
func ended(err error) error {
	var broken *wire.Error
	if errors.As(err, &broken) {
		return broken
	}
	var lost net.Error
	for _, usual := range []error{nil, errLeft, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed} {
		if errors.Is(err, usual) {
			return nil
		}
	}
	if errors.As(err, &lost) { // reset by the client, or it does not read
		return nil
	}
	return err
}

func (s *session) handle(typ byte, body []byte) error {
	switch typ {
	case wire.ClientTerminate:
		return errLeft
	case wire.ClientSync:
		return s.sync()
	case wire.ClientFlush:
		return s.flush()
	case wire.ClientCopyData, wire.ClientCopyDone, wire.ClientCopyFail:
		return nil // left over from a COPY that was refused: PostgreSQL ignores it too
	}
	if s.extended.failed { // PostgreSQL's documentation, "Message Flow: Extended Query": everything up to Sync is skipped
		return nil
	}
	switch typ {
	case wire.ClientQuery:
		return s.query(body)
	case wire.ClientFunctionCall:
		s.fail(wire.Errorf(wire.CodeFeatureNotSupported, "the console has no functions: SHOW HELP lists the commands"))
		return s.ready()
	case wire.ClientParse, wire.ClientBind, wire.ClientDescribe, wire.ClientExecute, wire.ClientClose:
		return s.extend(typ, body)
	}
	return wire.Fatalf(wire.CodeProtocolViolation, "invalid message type %d", typ)
}

// find gives the command that a statement names, with the columns that this session is shown.
func (s *session) find(one statement) (command, *wire.Error) {
	cmd, refused := s.console.find(one)
	if !s.Own {
		cmd.columns = shared(cmd.columns)
	}
	return cmd, refused
}

// execute runs a command. One that waits ends early when the client sends a cancel request or goes.
func (s *session) execute(cmd command) (result, *wire.Error) {
	select {
	case <-s.Cancelled(): // it came too late for the command before
	default:
	}
	ctx, cancel := context.WithCancel(s.in.present)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-s.Cancelled():
			s.Log.Info().Msg("admin cancel request")
			cancel()
		case <-ctx.Done():
		}
	}()
	defer func() {
		cancel()
		<-watched
	}()
	r, refused := s.console.execute(ctx, cmd, s.ConsoleSession)
	if !s.Own {
		for i, row := range r.rows {
			r.rows[i] = row[:min(len(row), len(cmd.columns))]
		}
	}
	return r, refused
}

// fail sends an error after which the session goes on.
func (s *session) fail(err *wire.Error) {
	s.Log.Error().Str("sqlstate", string(err.Code)).Msg(forLog(err.Message))
	s.out = err.Append(s.out)
}

// ready ends a request.
func (s *session) ready() error {
	s.out = wire.AppendReadyForQuery(s.out, wire.TxIdle)
	return s.flush()
}

// flush writes the replies that were kept back.
func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	_ = s.Conn.SetWriteDeadline(time.Now().Add(writeLimit))
	_, err := s.Conn.Write(s.out)
	s.out = s.out[:0]
	return err
}

// spill writes the replies when they have become many.
func (s *session) spill() error {
	if len(s.out) < mostPending {
		return nil
	}
	return s.flush()
}

// forLog is a message without the value of a SET that could not be read, which may be a password.
func forLog(message string) string {
	before, _, _ := strings.Cut(invalidCommand, "%s")
	text, ok := strings.CutPrefix(message, before)
	if words := strings.Fields(text); !ok || len(words) < 2 || !strings.EqualFold(words[0], "set") {
		return message
	}
	return fmt.Sprintf(invalidCommand, "SET ...")
}
