package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"iter"
	"sync"
)

// saltLen is PostgreSQL's length of a salt, in bytes.
const saltLen = 16

// derivation is the SCRAM keys of a plain password, computed once by the first who needs them.
type derivation struct {
	password   string
	iterations int
	once       sync.Once
	verifier   verifier
}

// Prepare derives the SCRAM keys of all users who have a plain password, ahead of their logins, and forgets those of users who are not among them any more.
// It takes about a millisecond a password, once; an Authenticator's owner calls it with each new list of users. The pairs are users and secrets.
//
// Without it the first login of a user derives, which takes time by which a user could be told from one who does not exist. So until Prepare was called each failed
// login derives once, whoever it is: Prepare is what makes failures cheap.
func (a *Authenticator) Prepare(iterations int, secrets iter.Seq2[string, string]) {
	present := map[string]bool{}
	for user, text := range secrets {
		if secret := parseSecret(text); secret.kind == plainSecret {
			present[user] = true
			a.derive(user, secret.text, iterations)
		}
	}
	a.prepared.Store(true)
	a.mu.Lock()
	defer a.mu.Unlock()
	for user := range a.derived {
		if !present[user] {
			delete(a.derived, user)
		}
	}
}

// derive gives the keys of a plain password; here tells whether this call computed them.
func (a *Authenticator) derive(user, password string, iterations int) (v verifier, here bool) {
	a.mu.Lock()
	d := a.derived[user]
	if d == nil || d.iterations != iterations || !equal(d.password, password) {
		d = &derivation{password: password, iterations: iterations}
		a.derived[user] = d
	}
	a.mu.Unlock()
	d.once.Do(func() {
		keys := deriveKeys(password, a.salt(user), iterations)
		d.verifier, here = keys.verifier(), true
		clear(keys.ClientKey)
	})
	return d.verifier, here
}

// mock gives what a login with a user without a fitting secret goes by: keys that nobody knows, so that no proof fits.
func (a *Authenticator) mock(user string, iterations int) verifier {
	key := a.mac("mock key", user)
	return verifier{salt: a.salt(user), iterations: iterations, storedKey: key, serverKey: key}
}

// salt is a user's for as long as the process lives, whether the user exists or not.
func (a *Authenticator) salt(user string) []byte { return a.mac("salt", user)[:saltLen] }

func (a *Authenticator) mac(purpose, user string) []byte {
	h := hmac.New(sha256.New, a.key[:])
	h.Write([]byte(purpose + "\x00" + user))
	return h.Sum(nil)
}
