package auth

import (
	"crypto/rand"
	"sync"
	"sync/atomic"

	"poolerd/wire"
)

// Method is how a client proves that it knows its password.
type Method uint8

const (
	SCRAM Method = iota // SCRAM-SHA-256, and SCRAM-SHA-256-PLUS after Bind; for plain and SCRAM secrets
	MD5                 // for plain and md5 secrets; a user with a SCRAM secret gets SCRAM, as in PostgreSQL and PgBouncer, and one without any what the last one with a secret got
	Plain               // the password as it is; for every secret
)

func (m Method) String() string { return [...]string{"scram-sha-256", "md5", "plain"}[m] }

// Secrets knows users' passwords, or what PostgreSQL stores in their place: "md5..." or "SCRAM-SHA-256$...". ok is false, or the secret empty, for a user who
// cannot log in. It is called once for each Exchange.
type Secrets interface {
	Reveal(user string) (secret string, ok bool)
}

// Authenticator holds what logins share. It is safe for concurrent use.
type Authenticator struct {
	key      [32]byte // makes the salts of users that have none stored: unknown ones, and those with a plain password
	mu       sync.Mutex
	derived  map[string]*derivation // by user
	prepared atomic.Bool
	hashes   atomic.Bool // the last user with a secret whom md5 was for has a SCRAM secret
}

// New makes an Authenticator with a fresh random key.
func New() *Authenticator {
	a := &Authenticator{derived: map[string]*derivation{}}
	_, _ = rand.Read(a.key[:]) // never fails, says crypto/rand
	return a
}

// Begin starts a client's login as user. iterations is for SCRAM with plain passwords and unknown users; PostgreSQL's default is 4096, and 1 the
// least.
func (a *Authenticator) Begin(method Method, iterations int, secrets Secrets, user string) *Exchange {
	text, ok := secrets.Reveal(user)
	e := &Exchange{user: user, authenticator: a, iterations: iterations}
	secret := parseSecret(text)
	switch {
	case !ok:
		secret = secretText{}
	case method == MD5 && secret.kind != noSecret:
		a.hashes.Store(secret.kind == scramSecret)
	}
	if method == MD5 && (secret.kind == scramSecret || secret.kind == noSecret && a.hashes.Load()) {
		method = SCRAM
	}
	switch method {
	case SCRAM:
		e.steps = a.newSCRAMSteps(user, secret, iterations)
	case MD5:
		e.steps = newMD5Steps(user, secret, saltOfMD5())
	case Plain:
		e.steps = &plainSteps{user: user, secret: secret, mock: a.mock(user, iterations)}
	}
	return e
}

func (a *Authenticator) newSCRAMSteps(user string, secret secretText, iterations int) *scramSteps {
	s := &scramSteps{user: user, known: true, stored: secret.kind == scramSecret, salt: a.salt(user), iterations: iterations}
	switch secret.kind {
	case scramSecret:
		s.salt, s.iterations = secret.scram.salt, secret.scram.iterations
		s.verifier = func() (verifier, bool) { return secret.scram, false }
	case plainSecret:
		s.verifier = func() (verifier, bool) { return a.derive(user, secret.text, iterations) }
	default:
		s.known = false
		s.verifier = func() (verifier, bool) { return a.mock(user, iterations), false }
	}
	if !a.prepared.Load() {
		s.spend = func() { deriveKeys(user, s.salt, iterations) } // not the secret's own number, which a user may have chosen to be costly
	}
	return s
}

// Exchange is one login. It is used by one goroutine.
type Exchange struct {
	authenticator *Authenticator
	iterations    int
	user          string
	steps         steps
	ended         bool
}

// Renew replaces the secret by which the client's proof is judged, once Next has refused it, and reports whether Next may be given the same message again. That needs a secret with which
// the client would have been asked the same: plain passwords do always; the keys of a password that has been changed have another salt, which the client does not know.
func (e *Exchange) Renew(secrets Secrets) bool {
	text, ok := secrets.Reveal(e.user)
	if !ok || text == "" || !e.steps.renew(e, parseSecret(text)) {
		return false
	}
	e.ended = false
	return true
}

// Bind offers SCRAM-SHA-256-PLUS as well, which binds the login to its TLS connection: endPoint is the data of tls-server-end-point channel binding (RFC 5929), the digest
// of the server's certificate. It comes before Start, and does nothing for other methods, or without data. From then on a client that could bind, but thinks that it was not offered, is refused:
// somebody in between has hidden it.
func (e *Exchange) Bind(endPoint []byte) {
	if s, ok := e.steps.(*scramSteps); ok && len(endPoint) > 0 {
		s.endPoint = endPoint
	}
}

// SASL tells whether the client is asked for SCRAM, by whatever method.
func (e *Exchange) SASL() bool {
	_, ok := e.steps.(*scramSteps)
	return ok
}

// Keys gives, after the success of a SCRAM login whose secret was stored as SCRAM keys, what a login to a server with the same secret needs. ok is false before, for other methods,
// and for a secret that is a plain password, which serves such a login by itself. The bytes belong to the Exchange until Zero.
func (e *Exchange) Keys() (keys Keys, ok bool) {
	s, ok := e.steps.(*scramSteps)
	if !ok || s.keys.ClientKey == nil {
		return Keys{}, false
	}
	return s.keys, true
}

// Password gives, after the success of a Plain login, the password that the client sent.
func (e *Exchange) Password() (password string, ok bool) {
	s, ok := e.steps.(*plainSteps)
	if !ok || !s.passed {
		return "", false
	}
	return s.given, true
}

// Zero wipes what the Exchange has learned. Strings cannot be overwritten in Go: a plain password stays in memory until it is collected.
func (e *Exchange) Zero() {
	switch s := e.steps.(type) {
	case *scramSteps:
		s.keys.Zero()
	case *plainSteps:
		s.given, s.passed = "", false
	}
}

// steps is a method's part of an Exchange.
type steps interface {
	// start gives the request.
	start() []byte
	// next takes the body of a message. A nil verdict with done set is success.
	next(body []byte) (reply []byte, done bool, verdict *wire.Error)
	// renew takes another secret, of some kind, for the message that next has refused; false: it cannot.
	renew(e *Exchange, secret secretText) bool
}

// errWrongPassword is the error for every failure that may depend on the password or on the user.
func errWrongPassword(user string) *wire.Error {
	return wire.Fatalf(wire.CodeInvalidPassword, `password authentication failed for user "%s"`, user)
}

func errProtocol(text string) *wire.Error {
	return wire.Fatalf(wire.CodeProtocolViolation, "%s", text)
}

// Decides tells whether the client's next message may prove, or fail to prove, that it knows the password.
func (e *Exchange) Decides() bool {
	s, ok := e.steps.(*scramSteps)
	return !ok || s.state == scramFinal
}

// Start gives the whole message that asks the client for its proof.
func (e *Exchange) Start() []byte { return e.steps.start() }

// Next takes the body of the client's next message of type 'p', which it does not keep. With done set and no error the client is who it says: reply, when
// there is any, is to be sent before AuthenticationOk, which is the caller's. An error ends the login: it is to be sent as it is, FATAL.
func (e *Exchange) Next(body []byte) (reply []byte, done bool, err *wire.Error) {
	if e.ended {
		return nil, false, errProtocol("password message after the end of the authentication")
	}
	reply, done, err = e.steps.next(body)
	e.ended = done || err != nil
	if err != nil {
		return nil, false, err
	}
	return reply, done, nil
}
