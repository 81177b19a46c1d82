package admin

import (
	"errors"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/wire"
)

// mostPrepared bounds the statements, and the portals, that one connection keeps.
const mostPrepared = 1000

// extended is what the extended protocol keeps between messages.
type extended struct {
	statements map[string]prepared
	portals    map[string]*portal
	failed     bool // everything up to the next Sync is skipped
}

// prepared is a statement: one command, or none for an empty text.
type prepared struct {
	command command
	empty   bool
}

// portal is a bound statement. It runs at its first Execute and keeps the rows that are left.
type portal struct {
	prepared
	formats []int16
	result  *result // nil before the first Execute
	done    bool
}

func newExtended() extended {
	return extended{statements: map[string]prepared{}, portals: map[string]*portal{}}
}

// forget does what a simple Query does to the extended protocol: the unnamed statement goes, and all portals.
func (e *extended) forget() {
	delete(e.statements, "")
	clear(e.portals)
}

// sync ends what is PostgreSQL's implicit transaction: portals go, statements stay.
func (s *session) sync() error {
	s.extended.failed = false
	clear(s.extended.portals)
	return s.ready()
}

// extend carries out one message of the extended protocol.
func (s *session) extend(typ byte, body []byte) error {
	handlers := map[byte]func([]byte) error{
		wire.ClientParse: s.parse, wire.ClientBind: s.bind, wire.ClientDescribe: s.describe, wire.ClientExecute: s.run, wire.ClientClose: s.close,
	}
	err := handlers[typ](body)
	var refused *wire.Error
	if errors.As(err, &refused) && refused.Severity == "ERROR" {
		s.fail(refused)
		s.extended.failed = true
		return s.flush()
	}
	if err != nil {
		return err
	}
	return s.spill()
}

func decode(m pgproto3.FrontendMessage, body []byte) error {
	if err := m.Decode(body); err != nil {
		return wire.Fatalf(wire.CodeProtocolViolation, "invalid message: %v", err)
	}
	return nil
}

func (s *session) parse(body []byte) error {
	var m pgproto3.Parse
	if err := decode(&m, body); err != nil {
		return err
	}
	if m.Name == "" {
		delete(s.extended.statements, "") // whatever becomes of its successor
	}
	if n := len(m.ParameterOIDs); n > 0 {
		return wire.Errorf(wire.CodeFeatureNotSupported, "the console takes no parameters, and the statement has %d", n)
	}
	commands, refused := split(m.Query)
	switch {
	case refused != nil:
		return refused
	case len(commands) > 1:
		return wire.Errorf(wire.CodeSyntaxError, "a prepared statement holds one command, and this one has %d", len(commands))
	}
	p := prepared{empty: true}
	if len(commands) == 1 {
		cmd, refused := s.find(commands[0])
		if refused != nil {
			return refused
		}
		p = prepared{command: cmd}
	}
	known := s.extended.statements
	if _, ok := known[m.Name]; ok {
		return wire.Errorf(wire.CodeDuplicatePreparedStatement, "prepared statement %q already exists", shorten(m.Name))
	}
	if len(known) >= mostPrepared {
		return wire.Errorf(wire.CodeProgramLimitExceeded, "too many prepared statements: a session of the console keeps %d, close some", mostPrepared)
	}
	known[m.Name] = p
	s.out = wire.AppendEmpty(s.out, wire.ServerParseComplete)
	return nil
}

func (s *session) bind(body []byte) error {
	var m pgproto3.Bind
	if err := decode(&m, body); err != nil {
		return err
	}
	p, ok := s.extended.statements[m.PreparedStatement]
	switch {
	case !ok:
		return noStatement(m.PreparedStatement)
	case len(m.Parameters) > 0:
		return wire.Errorf(wire.CodeProtocolViolation, "the console takes no parameters, and the message has %d", len(m.Parameters))
	}
	if n := len(m.ResultFormatCodes); n > 1 && n != len(p.command.columns) {
		return wire.Errorf(wire.CodeProtocolViolation, "the message has %d result formats for %d columns", n, len(p.command.columns))
	}
	for _, f := range m.ResultFormatCodes {
		if f != textFormat && f != binaryFormat {
			return wire.Errorf(wire.CodeInvalidParameterValue, "unknown result format %d", f)
		}
	}
	open := s.extended.portals
	if _, ok := open[m.DestinationPortal]; ok && m.DestinationPortal != "" {
		return wire.Errorf(codeDuplicatePortal, "portal %q already exists", shorten(m.DestinationPortal))
	}
	if len(open) >= mostPrepared {
		return wire.Errorf(wire.CodeProgramLimitExceeded, "too many portals: a session of the console keeps %d, close some", mostPrepared)
	}
	open[m.DestinationPortal] = &portal{prepared: p, formats: m.ResultFormatCodes}
	s.out = wire.AppendEmpty(s.out, wire.ServerBindComplete)
	return nil
}

func noStatement(name string) error {
	return wire.Errorf(wire.CodeUndefinedPreparedStatement, "prepared statement %q does not exist", shorten(name))
}

func noPortal(name string) error {
	return wire.Errorf(codeUndefinedPortal, "portal %q does not exist", shorten(name))
}

func (s *session) describe(body []byte) error {
	var m pgproto3.Describe
	if err := decode(&m, body); err != nil {
		return err
	}
	switch m.ObjectType {
	case 'S':
		p, ok := s.extended.statements[m.Name]
		if !ok {
			return noStatement(m.Name)
		}
		s.out = encode(s.out, &pgproto3.ParameterDescription{})
		s.out = appendDescription(s.out, p.command.columns, nil)
		return nil
	case 'P':
		p, ok := s.extended.portals[m.Name]
		if !ok {
			return noPortal(m.Name)
		}
		s.out = appendDescription(s.out, p.command.columns, p.formats)
		return nil
	}
	return wire.Fatalf(wire.CodeProtocolViolation, "invalid object type %d in a Describe message", m.ObjectType)
}

// run executes a portal, up to as many rows as the client wants now.
func (s *session) run(body []byte) error {
	var m pgproto3.Execute
	if err := decode(&m, body); err != nil {
		return err
	}
	p, ok := s.extended.portals[m.Portal]
	switch {
	case !ok:
		return noPortal(m.Portal)
	case p.empty:
		s.out = wire.AppendEmpty(s.out, wire.ServerEmptyQueryResponse)
		return nil
	case p.done && len(p.command.columns) == 0:
		return wire.Errorf(codePortalState, "portal %q cannot be run again", shorten(m.Portal))
	}
	if p.result == nil {
		r, refused := s.execute(p.command)
		if refused != nil {
			return refused
		}
		p.result = &r
	}
	part := *p.result
	p.result.notices, p.result.ends = nil, nil
	if most := int(m.MaxRows); most > 0 && most < len(part.rows) {
		return s.suspend(p, part, most)
	}
	p.done, p.result.rows = true, nil
	return s.reply(p.command, p.formats, part)
}

// suspend sends the first rows of what is left.
func (s *session) suspend(p *portal, part result, most int) error {
	for _, row := range part.rows[:most] {
		s.out = appendRow(s.out, p.command.columns, p.formats, row)
		if err := s.spill(); err != nil {
			return err
		}
	}
	p.result.rows = part.rows[most:]
	s.out = wire.AppendEmpty(s.out, wire.ServerPortalSuspended)
	return nil
}

func (s *session) close(body []byte) error {
	var m pgproto3.Close
	if err := decode(&m, body); err != nil {
		return err
	}
	switch m.ObjectType {
	case 'S':
		delete(s.extended.statements, m.Name)
	case 'P':
		delete(s.extended.portals, m.Name)
	default:
		return wire.Fatalf(wire.CodeProtocolViolation, "invalid object type %d in a Close message", m.ObjectType)
	}
	s.out = wire.AppendEmpty(s.out, wire.ServerCloseComplete)
	return nil
}
