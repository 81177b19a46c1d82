package auth

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"

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

func newMD5Steps(user string, secret secretText) *md5Steps {
	s := &md5Steps{user: user, ok: secret.kind == plainSecret || secret.kind == md5Secret}
	_, _ = rand.Read(s.salt[:])
	stored := secret.text
	if secret.kind != md5Secret {
		stored = hashMD5(secret.text + user)
	}
	s.want = hashMD5(stored[len("md5"):] + string(s.salt[:]))
	return s
}

// hashMD5 gives "md5" and the digest of s in hexadecimal.
func hashMD5(s string) string {
	sum := md5.Sum([]byte(s))
	return "md5" + hex.EncodeToString(sum[:])
}

func (s *md5Steps) start() []byte { return encode(&pgproto3.AuthenticationMD5Password{Salt: s.salt}) }

func (s *md5Steps) next(body []byte) ([]byte, bool, *wire.Error) {
	answer, err := passwordMessage(body)
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
}

func (s *plainSteps) start() []byte { return encode(&pgproto3.AuthenticationCleartextPassword{}) }

func (s *plainSteps) next(body []byte) ([]byte, bool, *wire.Error) {
	password, err := passwordMessage(body)
	if err != nil {
		return nil, false, err
	}
	if s.right(password) {
		return nil, true, nil
	}
	return nil, false, errWrongPassword(s.user)
}

func (s *plainSteps) right(password string) bool {
	switch s.secret.kind {
	case md5Secret:
		return equal(hashMD5(password+s.user), s.secret.text)
	case scramSecret:
		want := s.secret.scram
		return password != "" && subtle.ConstantTimeCompare(deriveKeys(password, want.Salt, want.Iters).StoredKey, want.StoredKey) == 1
	case plainSecret:
		return equal(password, s.secret.text)
	}
	equal(password, s.user) // the time of a comparison
	return false
}

// passwordMessage reads a PasswordMessage, which is one string.
func passwordMessage(body []byte) (string, *wire.Error) {
	password, rest, ok := wire.CString(body)
	if !ok || len(rest) > 0 {
		return "", errProtocol("invalid password packet size")
	}
	return string(password), nil
}

// equal compares in a time that does not tell where, or in what length, two strings differ.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
