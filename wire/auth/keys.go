package auth

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/xdg-go/stringprep"
)

// keyLen is the length of SCRAM-SHA-256's keys and signatures, in bytes.
const keyLen = sha256.Size

// Keys are what a SCRAM login to a server needs in place of a password (RFC 5802, "SCRAM Algorithm Overview"). They open a server that stores the very secret
// that the client's login was checked against, the salt and the iterations included, and no other.
type Keys struct {
	ClientKey  []byte // 32 bytes. Who has it can log in: it is as good as the password
	ServerKey  []byte // 32 bytes; checks that the server knows the secret
	Salt       []byte
	Iterations int
}

// Zero overwrites the keys. Copies of k share the bytes, and lose them too.
func (k *Keys) Zero() {
	clear(k.ClientKey)
	clear(k.ServerKey)
	*k = Keys{}
}

// Clone copies the keys, so that they outlive a Zero of k.
func (k Keys) Clone() Keys {
	return Keys{ClientKey: append([]byte(nil), k.ClientKey...), ServerKey: append([]byte(nil), k.ServerKey...), Salt: append([]byte(nil), k.Salt...), Iterations: k.Iterations}
}

// verifier is what a server stores of a password.
type verifier struct {
	salt       []byte
	iterations int
	storedKey  []byte // the digest of ClientKey
	serverKey  []byte
}

// verifier gives what the server of k stores.
func (k Keys) verifier() verifier {
	stored := sha256.Sum256(k.ClientKey)
	return verifier{salt: k.Salt, iterations: k.Iterations, storedKey: stored[:], serverKey: k.ServerKey}
}

// deriveKeys computes the keys of a password, which is PostgreSQL's pg_saslprep of it. This is the slow part of SCRAM: about a millisecond for 4096 iterations.
func deriveKeys(password string, salt []byte, iterations int) Keys {
	salted, err := pbkdf2.Key(sha256.New, prepare(password), salt, iterations, keyLen)
	if err != nil {
		panic("SCRAM keys: " + err.Error()) // only the length and the number of iterations can be wrong
	}
	defer clear(salted)
	return Keys{ClientKey: sign(salted, "Client Key"), ServerKey: sign(salted, "Server Key"), Salt: salt, Iterations: iterations}
}

// prepare is SASLprep as PostgreSQL does it: a password that it refuses, or of which it leaves nothing, is taken as it is. U+200B is in two of SASLprep's tables: a space to PostgreSQL,
// and nothing to stringprep.
func prepare(password string) string {
	if prepared, err := stringprep.SASLprep.Prepare(strings.ReplaceAll(password, "\u200b", " ")); err == nil && prepared != "" {
		return prepared
	}
	return password
}

// sign is the HMAC of text.
func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// xor combines two signatures or keys of keyLen: a ClientKey and its signature give the proof, and the proof and the signature the ClientKey.
func xor(a, b []byte) []byte {
	out := make([]byte, keyLen)
	subtle.XORBytes(out, a, b)
	return out
}

// nonce makes 18 random bytes as text, as PostgreSQL does.
func nonce() string {
	var raw [18]byte
	_, _ = rand.Read(raw[:]) // never fails, says crypto/rand
	return base64.StdEncoding.EncodeToString(raw[:])
}
