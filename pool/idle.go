package pool

import (
	"slices"

	"poolerd/wire"
	"poolerd/wire/sock"
)

// What a server says that nobody has: it ends, or PostgreSQL has read its configuration again and tells of other defaults.

// alive is false when the idle server has ended, or says what it should not. What it says of its parameters is noted.
func (s *Server) alive() bool {
	return !s.conn.Readable() || s.conn.Armed() && s.hearIdle()
}

// hearIdle reads what is there: ParameterStatus and notices are harmless, all else is the end.
func (s *Server) hearIdle() bool {
	var buf [4096]byte
	n, err := s.conn.TryRead(buf[:])
	if err == sock.ErrWait { //nolint:errorlint // never wrapped; TLS, of which a part of a record has arrived, or nothing
		return true
	}
	if err != nil || n == len(buf) || s.conn.Readable() { // more than a server says of itself, or it has closed
		return false
	}
	told := s.reported
	for b := buf[:n]; len(b) > 0; {
		if len(b) < wire.HeaderLen {
			return false
		}
		typ, size, ok := wire.Header(b)
		if !ok || size > len(b) {
			return false
		}
		switch typ {
		case wire.ServerParameterStatus:
			s.note(slices.Clone(b[wire.HeaderLen:size]))
		case wire.ServerNoticeResponse:
		default:
			return false
		}
		b = b[size:]
	}
	s.changed = false
	if !slices.Equal(told, s.reported) { // for every server: what was known of Sets is not true any longer
		s.pool.space.Forget()
		s.vars.Learn(s.reported)
	}
	return true
}
