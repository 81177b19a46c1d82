package admin

import (
	"bufio"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"poolerd/wire"
)

const (
	mostMessage = 64 << 10         // bytes of a client's message; commands are short
	mostPending = 32 << 10         // bytes of replies that are kept back before they are written without being asked for
	writeLimit  = 30 * time.Second // after which a client that does not read is given up
)

// session is one connection to the console. It belongs to one goroutine.
type session struct {
	console  *Console
	conn     net.Conn
	in       *bufio.Reader
	out      []byte // replies that are not written yet
	user     string
	extended extended
	asked    bool // this client asked for the end of the pooler, and need not be told why its session ends
}

func newSession(c *Console, conn net.Conn, user string) *session {
	return &session{console: c, conn: conn, in: bufio.NewReader(conn), user: user, extended: newExtended()}
}

// welcome sends what psql and drivers want to know before they ask anything.
func (s *session) welcome() error {
	secret := make([]byte, 4)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	superuser := "off"
	if s.console.pooler.Config().IsAdmin(s.user) {
		superuser = "on"
	}
	s.out = wire.AppendAuthenticationOK(s.out)
	for _, p := range append(parameters(), parameter{"is_superuser", superuser}, parameter{"session_authorization", s.user}) {
		s.out = wire.AppendParameterStatus(s.out, p.name, p.value)
	}
	s.out = wire.AppendBackendKeyData(s.out, processID(), secret)
	s.out = wire.AppendReadyForQuery(s.out, wire.TxIdle)
	return s.flush()
}

// errLeft ends a session whose client said goodbye.
var errLeft = errors.New("client left")

func (s *session) serve() error {
	for {
		typ, body, err := wire.ReadMessage(s.in, mostMessage)
		if err != nil {
			return s.farewell(err)
		}
		if err := s.handle(typ, body); err != nil {
			return err
		}
	}
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

// fail sends an error after which the session goes on.
func (s *session) fail(err *wire.Error) { s.out = err.Append(s.out) }

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
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeLimit))
	_, err := s.conn.Write(s.out)
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
