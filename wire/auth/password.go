package auth

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/wire"
)

// md5Steps asks for md5(md5(password + user) + salt).
type md5Steps struct {
	user string
	salt [4]byte
	want string // the right answer; of no use when the user has no fitting secret
	ok   bool
}

func newMD5Steps(user string, secret secretText, salt [4]byte) *md5Steps {
	s := &md5Steps{user: user, salt: salt, ok: secret.kind == plainSecret || secret.kind == md5Secret}
	stored := hashMD5(secret.text + user) // for every kind, so that all take the same time
	if secret.kind == md5Secret {
		stored = secret.text
	}
	s.want = answerMD5(stored, s.salt[:])
	return s
}

// MD5Answer gives the answer to AuthenticationMD5Password. secret is the password, or "md5..." as PostgreSQL stores it.
func MD5Answer(user, secret string, salt []byte) string {
	stored := secret
	if parseSecret(secret).kind != md5Secret {
		stored = hashMD5(secret + user)
	}
	return answerMD5(strings.ToLower(stored), salt)
}

func answerMD5(stored string, salt []byte) string { return hashMD5(stored[len("md5"):] + string(salt)) }

// hashMD5 gives "md5" and the digest of s in hexadecimal.
func hashMD5(s string) string {
	sum := md5.Sum([]byte(s))
	return "md5" + hex.EncodeToString(sum[:])
}

func saltOfMD5() (salt [4]byte) {
	_, _ = rand.Read(salt[:]) // never fails
	return salt
}

func (s *md5Steps) renew(_ *Exchange, secret secretText) bool {
	renewed := newMD5Steps(s.user, secret, s.salt)
	s.want, s.ok = renewed.want, renewed.ok
	return s.ok
}

func (s *md5Steps) start() []byte { return encode(&pgproto3.AuthenticationMD5Password{Salt: s.salt}) }

func (s *md5Steps) next(body []byte) ([]byte, bool, *wire.Error) {
	answer, err := ParsePassword(body)
	if err != nil {
		return nil, false, err
	}
	if equal(answer, s.want) && s.ok {
		return nil, true, nil
	}
	return nil, false, errWrongPassword(s.user)
}

// plainSteps asks for the password itself.
type plainSteps struct {
	user   string
	secret secretText
	mock   verifier // for the time of a comparison with keys
	given  string   // the password, after success
	passed bool
}

func (s *plainSteps) renew(_ *Exchange, secret secretText) bool {
	s.secret = secret
	return true
}

func (s *plainSteps) start() []byte { return PasswordRequest() }

func (s *plainSteps) next(body []byte) ([]byte, bool, *wire.Error) {
	password, err := ParsePassword(body)
	if err != nil {
		return nil, false, err
	}
	if s.right(password) {
		s.given, s.passed = password, true
		return nil, true, nil
	}
	return nil, false, errWrongPassword(s.user)
}

// mostPlainIterations bounds what a login by a plain password computes, to about a quarter of a second: in PostgreSQL users may set a SCRAM secret of their own making, and with the largest
// number that it could have everybody who knows the user's name could keep a processor busy for minutes. Such a user is refused; SCRAM itself costs a server nothing.
const mostPlainIterations = 1_000_000

// right compares. A wrong password costs one derivation of keys, whatever the secret and whether there is one: only a SCRAM secret needs it, and without it the time would tell
// which users have one.
func (s *plainSteps) right(password string) bool {
	against := s.mock
	switch s.secret.kind {
	case md5Secret:
		if equal(hashMD5(password+s.user), s.secret.text) {
			return true
		}
	case plainSecret:
		if equal(password, s.secret.text) {
			return true
		}
	case scramSecret:
		if s.secret.scram.iterations <= mostPlainIterations {
			against = s.secret.scram
		}
	}
	keys := deriveKeys(password, against.salt, against.iterations)
	defer keys.Zero()
	fits := subtle.ConstantTimeCompare(keys.verifier().storedKey, against.storedKey) == 1
	return fits && s.secret.kind == scramSecret
}

// mostPassword is the longest password, or answer of md5, that a client may send, in bytes: PostgreSQL's limit.
const mostPassword = 65535

// PasswordRequest is the whole message that asks a client for its password as it is, for methods that somebody else judges by, such as LDAP.
func PasswordRequest() []byte { return encode(&pgproto3.AuthenticationCleartextPassword{}) }

// ParsePassword reads the body of a PasswordMessage, which is one string. An empty password is refused, as in PostgreSQL.
func ParsePassword(body []byte) (string, *wire.Error) {
	password, rest, ok := wire.CString(body)
	switch {
	case !ok || len(rest) > 0 || len(password) > mostPassword:
		return "", errProtocol("invalid password packet size")
	case len(password) == 0:
		return "", wire.Fatalf(wire.CodeInvalidPassword, "empty password returned by client")
	}
	return string(password), nil
}

// equal compares in a time that does not tell where, or in what length, two strings differ.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
