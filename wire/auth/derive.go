package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"sync"

	"github.com/xdg-go/scram"
	"github.com/xdg-go/stringprep"
)

// saltLen is PostgreSQL's length of a salt, in bytes.
const saltLen = 16

// derivation is the SCRAM keys of a plain password, computed once by the first login that needs them.
type derivation struct {
	password   string
	iterations int
	once       sync.Once
	keys       scram.StoredCredentials
}

// credentials gives what a SCRAM conversation with user goes by: the stored keys, the derived ones, or mock ones.
func (a *Authenticator) credentials(user string, secret secretText, iterations int) scram.StoredCredentials {
	switch secret.kind {
	case scramSecret:
		return secret.scram
	case plainSecret:
		return a.derive(user, secret.text, iterations)
	}
	key := a.mac("mock key", user) // known to nobody, so that no proof fits
	return scram.StoredCredentials{KeyFactors: scram.KeyFactors{Salt: a.salt(user), Iters: iterations}, StoredKey: key, ServerKey: key}
}

func (a *Authenticator) derive(user, password string, iterations int) scram.StoredCredentials {
	a.mu.Lock()
	d := a.derived[user]
	if d == nil || d.iterations != iterations || subtle.ConstantTimeCompare([]byte(d.password), []byte(password)) == 0 {
		d = &derivation{password: password, iterations: iterations}
		a.derived[user] = d
	}
	a.mu.Unlock()
	d.once.Do(func() { d.keys = deriveKeys(password, a.salt(user), iterations) })
	return d.keys
}

// deriveKeys computes what PostgreSQL would store. A password that SASLprep refuses is taken as it is, as PostgreSQL takes it.
func deriveKeys(password, salt string, iterations int) scram.StoredCredentials {
	if prepared, err := stringprep.SASLprep.Prepare(password); err == nil && prepared != "" {
		password = prepared
	}
	client, err := scram.SHA256.NewClientUnprepped("", password, "")
	if err == nil {
		var keys scram.StoredCredentials
		if keys, err = client.WithMinIterations(1).GetStoredCredentialsWithError(scram.KeyFactors{Salt: salt, Iters: iterations}); err == nil {
			return keys
		}
	}
	panic("SCRAM keys: " + err.Error()) // only the arguments' forms can be wrong, and they are ours
}

// salt is a user's for as long as the process lives, whether the user exists or not.
func (a *Authenticator) salt(user string) string { return string(a.mac("salt", user)[:saltLen]) }

func (a *Authenticator) mac(purpose, user string) []byte {
	h := hmac.New(sha256.New, a.key[:])
	h.Write([]byte(purpose + "\x00" + user))
	return h.Sum(nil)
}
