package auth

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/wire"
)

// scramSteps is the server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), with PostgreSQL's strictness and messages (its backend/libpq/auth-scram.c). The name inside the
// messages is not used, as there.
type scramSteps struct {
	user       string
	salt       []byte
	iterations int
	verifier   func() (v verifier, derived bool) // is asked for when the proof is there; derived: that took the time of a derivation
	known      bool                              // false: mock keys, with which no proof is right
	stored     bool                              // the secret came as SCRAM keys, not as a password
	spend      func()                            // not nil: every failure takes a derivation, and this is one
	endPoint   []byte                            // not nil: channel binding is offered

	state       scramState
	binding     bindingFlag // what the client announced
	clientNonce string
	clientFirst string // without the header
	serverNonce string // both nonces
	serverFirst string
	keys        Keys
}

type scramState uint8

const (
	scramChoosing scramState = iota // the client has yet to choose a mechanism
	scramFirst                      // it has, and its first message is next
	scramFinal                      // its proof is next
)

func (s *scramSteps) start() []byte {
	offered := []string{mechanism}
	if s.endPoint != nil {
		offered = []string{mechanismPlus, mechanism}
	}
	return encode(&pgproto3.AuthenticationSASL{AuthMechanisms: offered})
}

func (s *scramSteps) renew(e *Exchange, secret secretText) bool {
	renewed := e.authenticator.newSCRAMSteps(s.user, secret, e.iterations)
	if s.state != scramFinal || !renewed.known || renewed.iterations != s.iterations || !bytes.Equal(renewed.salt, s.salt) {
		return false
	}
	s.verifier, s.known, s.stored, s.spend = renewed.verifier, true, renewed.stored, renewed.spend
	return true
}

func (s *scramSteps) next(body []byte) ([]byte, bool, *wire.Error) {
	switch s.state {
	case scramChoosing:
		data, given, err := s.choose(body)
		if err != nil {
			return nil, false, err
		}
		s.state = scramFirst
		if !given {
			return encode(&pgproto3.AuthenticationSASLContinue{}), false, nil // the client wants to be asked first
		}
		body = data
		fallthrough
	case scramFirst:
		message, err := text(body)
		if err == nil {
			err = s.first(message)
		}
		if err != nil {
			return nil, false, err
		}
		s.state = scramFinal
		return encode(&pgproto3.AuthenticationSASLContinue{Data: []byte(s.serverFirst)}), false, nil
	}
	message, err := text(body)
	if err != nil {
		return nil, false, err
	}
	answer, err := s.final(message)
	if err != nil {
		return nil, false, err
	}
	return encode(&pgproto3.AuthenticationSASLFinal{Data: []byte(answer)}), true, nil
}

// text takes the body of a SASL message, which is not to be empty and has no zero byte.
func text(body []byte) (string, *wire.Error) {
	switch message := string(body); {
	case message == "":
		return "", errMalformed("The message is empty.")
	case strings.Contains(message, "\x00"):
		return "", errMalformed("Message length does not match input length.")
	default:
		return message, nil
	}
}

// choose reads a SASLInitialResponse: the mechanism, and the first message if the client sends it along.
func (s *scramSteps) choose(body []byte) (data []byte, given bool, _ *wire.Error) {
	name, rest, ok := wire.CString(body)
	if !ok || len(rest) < 4 {
		return nil, false, errProtocol("malformed SASLInitialResponse message")
	}
	switch {
	case string(name) == mechanism:
	case string(name) == mechanismPlus && s.endPoint != nil:
		s.binding.data = s.endPoint
	default:
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

// first reads the client's first message, and makes the server's.
func (s *scramSteps) first(message string) *wire.Error {
	in := attributes{rest: message}
	if err := s.readBinding(&in); err != nil {
		return err
	}
	switch in.peek() {
	case 'a':
		return wire.Fatalf(wire.CodeFeatureNotSupported, "client uses authorization identity, but it is not supported")
	case ',':
		in.rest = in.rest[1:]
	default:
		return errMalformed(`Unexpected attribute "%s" in client-first-message.`, printable(in.peek()))
	}
	s.binding.header = message[:len(message)-len(in.rest)]
	s.clientFirst = in.rest
	if in.peek() == 'm' {
		return wire.Fatalf(wire.CodeFeatureNotSupported, "client requires an unsupported SCRAM extension")
	}
	if _, err := in.value('n'); err != nil {
		return err
	}
	var err *wire.Error
	if s.clientNonce, err = in.value('r'); err != nil {
		return err
	}
	if !isNonce(s.clientNonce) {
		return errProtocol("non-printable characters in SCRAM nonce")
	}
	for in.rest != "" { // extensions that may be ignored
		if _, _, err := in.any(); err != nil {
			return err
		}
	}
	s.serverNonce = s.clientNonce + nonce()
	s.serverFirst = fmt.Sprintf("r=%s,s=%s,i=%d", s.serverNonce, base64.StdEncoding.EncodeToString(s.salt), s.iterations)
	return nil
}

// readBinding reads what the client says of channel binding: n, it cannot; y, it could, and thinks that the server cannot, which is a lie of somebody in between when the server has
// offered it; p, it does.
func (s *scramSteps) readBinding(in *attributes) *wire.Error {
	chosen := s.binding.data != nil
	switch flag := in.peek(); {
	case (flag == 'n' || flag == 'y') && chosen:
		return errMalformed("The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.")
	case flag == 'y' && s.endPoint != nil:
		err := wire.Fatalf(wire.CodeInvalidAuthorization, "SCRAM channel binding negotiation error")
		err.Detail = "The client supports SCRAM channel binding but thinks the server does not.  However, this server does support channel binding."
		return err
	case flag == 'n' || flag == 'y':
		in.rest = in.rest[1:]
		return in.comma()
	case flag == 'p' && !chosen:
		return errMalformed("The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data.")
	case flag == 'p':
		kind, err := in.value('p')
		if err == nil && kind != endPointType {
			err = errProtocol(`unsupported SCRAM channel-binding type "` + clean(kind) + `"`)
		}
		return err
	default:
		return errMalformed(`Unexpected channel-binding flag "%s".`, printable(flag))
	}
}

// clean shows a client's word in an error, as PostgreSQL's sanitize_str: at most 30 characters, and those that cannot be printed as question marks.
func clean(word string) string {
	if len(word) > 30 {
		word = word[:30]
	}
	b := []byte(word)
	for i, c := range b {
		if c < 0x21 || c > 0x7e {
			b[i] = '?'
		}
	}
	return string(b)
}

// final reads the client's proof, and gives the server's.
func (s *scramSteps) final(message string) (string, *wire.Error) {
	in := attributes{rest: message}
	bound, err := in.value('c')
	if err != nil {
		return "", err
	}
	if subtle.ConstantTimeCompare([]byte(bound), []byte(s.binding.encoded())) == 0 {
		if s.binding.data != nil {
			return "", wire.Fatalf(wire.CodeInvalidAuthorization, "SCRAM channel binding check failed")
		}
		return "", errProtocol("unexpected SCRAM channel-binding attribute in client-final-message")
	}
	both, err := in.value('r')
	if err != nil {
		return "", err
	}
	var name byte
	var value, withoutProof string
	for name != 'p' { // extensions may come before the proof
		withoutProof = message[:len(message)-len(in.rest)]
		if name, value, err = in.any(); err != nil {
			return "", err
		}
	}
	proof, failed := base64.StdEncoding.DecodeString(value)
	switch {
	case failed != nil || len(proof) != keyLen:
		return "", errMalformed("Malformed proof in client-final-message.")
	case in.rest != "":
		return "", errMalformed("Garbage found at the end of client-final-message.")
	case subtle.ConstantTimeCompare([]byte(both), []byte(s.serverNonce)) == 0:
		err := errProtocol("invalid SCRAM response")
		err.Detail = "Nonce does not match."
		return "", err
	}
	return s.verify(strings.TrimSuffix(withoutProof, ","), proof)
}

// verify recovers ClientKey from the proof: its digest is StoredKey when the client knows the password.
func (s *scramSteps) verify(withoutProof string, proof []byte) (string, *wire.Error) {
	v, derived := s.verifier()
	conversation := s.clientFirst + "," + s.serverFirst + "," + withoutProof
	clientKey := xor(proof, sign(v.storedKey, conversation))
	defer clear(clientKey)
	digest := sha256.Sum256(clientKey)
	right := subtle.ConstantTimeCompare(digest[:], v.storedKey) == 1
	if !right || !s.known {
		if s.spend != nil && !derived {
			s.spend()
		}
		return "", errWrongPassword(s.user)
	}
	if s.stored {
		s.keys = Keys{ClientKey: clientKey, ServerKey: v.serverKey, Salt: v.salt, Iterations: v.iterations}.Clone()
	}
	return "v=" + base64.StdEncoding.EncodeToString(sign(v.serverKey, conversation)), nil
}

// encode makes a whole message of one that always fits.
func encode(m pgproto3.BackendMessage) []byte {
	b, err := m.Encode(nil)
	if err != nil {
		panic("authentication message: " + err.Error()) // longer than a message can be: nothing here is
	}
	return b
}
