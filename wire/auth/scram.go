package auth

import (
	"encoding/binary"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"

	"poolerd/wire"
)

// mechanism is the only one offered: channel binding needs TLS.
const mechanism = "SCRAM-SHA-256"

// scramSteps is a SCRAM-SHA-256 conversation (RFC 5802, RFC 7677). The name inside its messages is not used, as in PostgreSQL.
type scramSteps struct {
	user        string
	credentials scram.StoredCredentials
	known       bool // false: mock credentials, with which no proof is right
	talk        *scram.ServerConversation
	answered    bool // the client's first message was answered
}

func (s *scramSteps) start() []byte {
	return encode(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{mechanism}})
}

func (s *scramSteps) next(body []byte) ([]byte, bool, *wire.Error) {
	switch {
	case s.talk == nil:
		data, given, err := s.choose(body)
		if err != nil {
			return nil, false, err
		}
		server, _ := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return s.credentials, nil }) // its error is always nil
		s.talk = server.NewConversation()
		if !given {
			return encode(&pgproto3.AuthenticationSASLContinue{}), false, nil // the client wants to be asked first
		}
		return s.first(data)
	case !s.answered:
		return s.first(body)
	}
	return s.final(body)
}

// choose reads a SASLInitialResponse: the mechanism, and the first message if the client sends it along.
func (s *scramSteps) choose(body []byte) (data []byte, given bool, _ *wire.Error) {
	name, rest, ok := wire.CString(body)
	if !ok || len(rest) < 4 {
		return nil, false, errProtocol("malformed SASLInitialResponse message")
	}
	if string(name) != mechanism {
		return nil, false, errProtocol("client selected an invalid SASL authentication mechanism")
	}
	size := int32(binary.BigEndian.Uint32(rest))
	rest = rest[4:]
	switch {
	case size == -1 && len(rest) == 0:
		return nil, false, nil
	case int(size) != len(rest):
		return nil, false, errProtocol("malformed SASLInitialResponse message")
	}
	return rest, true, nil
}

func (s *scramSteps) first(data []byte) ([]byte, bool, *wire.Error) {
	answer, err := s.talk.Step(string(data))
	if err != nil {
		return nil, false, errProtocol("malformed SCRAM message")
	}
	if s.talk.AuthzID() != "" {
		return nil, false, wire.Fatalf(wire.CodeFeatureNotSupported, "client uses authorization identity, but it is not supported")
	}
	s.answered = true
	return encode(&pgproto3.AuthenticationSASLContinue{Data: []byte(answer)}), false, nil
}

func (s *scramSteps) final(data []byte) ([]byte, bool, *wire.Error) {
	answer, err := s.talk.Step(string(data))
	switch {
	case err != nil && answer != scram.ErrInvalidProof:
		return nil, false, errProtocol("malformed SCRAM message")
	case err != nil || !s.known:
		return nil, false, errWrongPassword(s.user)
	}
	return encode(&pgproto3.AuthenticationSASLFinal{Data: []byte(answer)}), true, nil
}

// encode makes a whole message of one that always fits.
func encode(m pgproto3.BackendMessage) []byte {
	b, err := m.Encode(nil)
	if err != nil {
		panic("authentication message: " + err.Error()) // longer than a message can be: nothing here is
	}
	return b
}
