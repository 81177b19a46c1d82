package pool

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/auth"
	"poolerd/wire/secure"
)

// Authentication towards PostgreSQL (its documentation, "Frontend/Backend Protocol", "Start-up"): the client's side of password, md5, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS.

// conversation is where one authentication has come to.
type conversation struct {
	asked  bool         // the server has asked for a proof
	prover *auth.Prover // of a SCRAM exchange that is under way
	proved bool         // the server has proved in a SCRAM exchange that it knows the secret
	scram  bool         // a SCRAM exchange has begun
	over   bool         // the server has let us in
}

// end wipes what is secret.
func (c *conversation) end() {
	if c.prover != nil {
		c.prover.Zero()
		c.prover = nil
	}
}

// errLogin is why we cannot log in, for one of our own reasons. told is for clients, cause for the log.
type errLogin struct{ told, cause string }

func (e *errLogin) Error() string { return e.cause }

// What clients are told, in PgBouncer's words.
const (
	toldWrongType  = "server login failed: wrong password type"
	toldNoSecret   = "server login failed: no password is known for the server"
	toldMechanism  = "server login failed: none of the server's SASL authentication mechanisms are supported"
	toldSignature  = "server login failed: invalid server signature"
	toldMethod     = "server login failed: unknown or unsupported authentication method"
	toldBrokenAuth = "server login failed: the server broke the protocol of its authentication"
)

// The requests in Authentication messages.
const (
	authOK           = 0
	authCleartext    = 3
	authMD5          = 5
	authSASL         = 10
	authSASLContinue = 11
	authSASLFinal    = 12
)

// authenticate answers a request for authentication. pass says that pgconn is to hear of it.
func (c *loginConn) authenticate(body []byte) (pass bool, _ error) {
	if len(body) < 4 {
		return false, c.cannot(&errLogin{toldBrokenAuth, "authentication request without a code"})
	}
	code, data := binary.BigEndian.Uint32(body), body[4:]
	switch {
	case c.auth.over:
		return false, c.cannot(&errLogin{toldBrokenAuth, "protocol error: authentication request after the authentication"})
	case code == authOK:
		if c.auth.scram && !c.auth.proved {
			return false, c.cannot(&errLogin{toldSignature, "the server ended the SCRAM exchange without proving that it knows the secret"})
		}
		c.auth.over = true
		return true, nil
	}
	answer, err := c.answer(code, data)
	if err != nil {
		return false, c.cannot(err)
	}
	if len(answer) == 0 {
		return false, nil
	}
	defer clear(answer)
	if _, err := c.Conn.Write(answer); err != nil {
		return false, c.fail(reasonServerGone, err)
	}
	return false, nil
}

// cannot logs why there is no answer.
func (c *loginConn) cannot(err *errLogin) error {
	c.launch.log(c.id, c.at).Error().Msg(err.cause)
	return c.fail(reasonAuthRefused, err)
}

// answer gives the message that answers a request; none when there is nothing to say.
func (c *loginConn) answer(code uint32, data []byte) ([]byte, *errLogin) {
	switch code {
	case authCleartext, authMD5, authSASL:
		if c.auth.asked {
			return nil, &errLogin{toldBrokenAuth, "protocol error: the server asked for a second authentication"}
		}
		c.auth.asked = true
	case authSASLContinue, authSASLFinal:
		if c.auth.prover == nil {
			return nil, &errLogin{toldBrokenAuth, "protocol error: SASL message without prior AuthenticationSASL"}
		}
	}
	switch code {
	case authCleartext:
		return c.answerCleartext()
	case authMD5:
		return c.answerMD5(data)
	case authSASL:
		return c.answerSASL(data)
	case authSASLContinue:
		reply, err := c.auth.prover.Next(data)
		if err != nil {
			return nil, &errLogin{toldWrongType, "cannot do SCRAM authentication: " + err.Error()}
		}
		return encodeAnswer(&pgproto3.SASLResponse{Data: reply})
	case authSASLFinal:
		if err := c.auth.prover.Final(data); err != nil {
			return nil, &errLogin{toldSignature, "cannot do SCRAM authentication: " + err.Error()}
		}
		c.auth.proved = true
		c.auth.end()
		return nil, nil
	}
	return nil, &errLogin{toldMethod, fmt.Sprintf("unknown/unsupported auth method: %d", code)}
}

func (c *loginConn) answerCleartext() ([]byte, *errLogin) {
	known := c.launch.known(c.at)
	if known.Secret.Kind() != config.PlainSecret {
		return nil, wrongType("password", known)
	}
	return encodeAnswer(&pgproto3.PasswordMessage{Password: known.Secret.Reveal()})
}

func (c *loginConn) answerMD5(salt []byte) ([]byte, *errLogin) {
	if len(salt) != 4 {
		return nil, &errLogin{toldBrokenAuth, "protocol error: md5 request without a salt"}
	}
	known := c.launch.known(c.at)
	if kind := known.Secret.Kind(); kind != config.PlainSecret && kind != config.MD5Secret {
		return nil, wrongType("MD5", known)
	}
	return encodeAnswer(&pgproto3.PasswordMessage{Password: auth.MD5Answer(c.launch.conf.User, known.Secret.Reveal(), salt)})
}

func (c *loginConn) answerSASL(data []byte) ([]byte, *errLogin) {
	var mechanisms []string
	for {
		name, rest, ok := wire.CString(data)
		if !ok {
			return nil, &errLogin{toldBrokenAuth, "protocol error: SASL request whose list of mechanisms has no end"}
		}
		if len(name) == 0 {
			break
		}
		mechanisms, data = append(mechanisms, string(name)), rest
	}
	known := c.launch.known(c.at)
	if known.Keys != nil {
		defer known.Keys.Zero() // they are a copy
	}
	switch {
	case known.Secret.Kind() == config.PlainSecret:
		c.auth.prover = auth.NewProver(known.Secret.Reveal(), c.endPoint())
	case known.Keys != nil:
		c.auth.prover = auth.NewKeyProver(*known.Keys, c.endPoint())
	default:
		return nil, wrongType("SCRAM", known)
	}
	c.auth.scram = true
	mechanism, first, err := c.auth.prover.First(mechanisms)
	if err != nil {
		return nil, &errLogin{toldMechanism, err.Error()}
	}
	return encodeAnswer(&pgproto3.SASLInitialResponse{AuthMechanism: mechanism, Data: first})
}

// endPoint is the channel binding of a TLS connection, nil when there is none.
func (c *loginConn) endPoint() []byte {
	conn, ok := c.Conn.(*tls.Conn)
	if !ok {
		return nil
	}
	state := conn.ConnectionState()
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	data, err := secure.EndPoint(state.PeerCertificates[0])
	if err != nil { // a signature for which no binding is defined
		return nil
	}
	return data
}

// wrongType says that what is known does not serve the method that the server asks for.
func wrongType(method string, known Credentials) *errLogin {
	switch {
	case known.Secret.Kind() == config.NoSecret && known.Keys == nil:
		return &errLogin{toldNoSecret, "cannot do " + method + " authentication: no password is known, neither from the database's settings, auth_file or auth_query, nor from the client's login or a password file"}
	case method == "SCRAM" && known.Secret.Kind() == config.SCRAMSecret:
		return &errLogin{toldWrongType, "cannot do SCRAM authentication: password is SCRAM secret but client authentication did not provide SCRAM keys"}
	}
	return &errLogin{toldWrongType, "cannot do " + method + " authentication: wrong password type"}
}

func encodeAnswer(m pgproto3.FrontendMessage) ([]byte, *errLogin) {
	b, err := m.Encode(nil)
	if err != nil {
		return nil, &errLogin{toldWrongType, "the answer to an authentication request is too long"}
	}
	return b, nil
}
