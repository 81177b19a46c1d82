package pool

import (
	"poolerd/pool/config"
	"poolerd/wire/auth"
)

// Credentials are what a pool's servers can log in with. Both may be there: Keys open a server that stores the very secret that they come from, Secret serves every method if it is a plain password.
type Credentials struct {
	Secret config.Secret
	Keys   *auth.Keys // nil: none
}

// offer gives the pool what a login of its user has shown: the password itself, the secret that auth_query found, or the keys of a SCRAM exchange. What was offered before is overwritten, so that a
// changed password is used from the next login on. The pool owns the keys from then on. There is one offer a pool at most, and it goes with the pool.
func (p *Pool) offer(c Credentials) {
	if c.Secret.Kind() == config.NoSecret && c.Keys == nil {
		return
	}
	p.mu.Lock()
	old := p.offered.Keys
	if c.Keys == nil && c.Secret.Equal(p.offered.Secret) {
		c.Keys, old = old, nil // the same secret as before: its keys are good still
	}
	p.offered = c
	p.mu.Unlock()
	if old != nil {
		old.Zero()
	}
}

// credentials gives what the pool's servers log in with: the password of the database's entry, else the one of auth_file, else what logins have shown. The keys are a copy: Zero them.
func (p *Pool) credentials() Credentials {
	p.mu.Lock()
	offered, own := p.offered, p.conf.Database.Password
	if offered.Keys != nil {
		keys := offered.Keys.Clone()
		offered.Keys = &keys
	}
	p.mu.Unlock()
	if own.Kind() != config.NoSecret {
		offered.Secret = own
		return offered
	}
	if listed, ok := p.pooler.secrets().Secret(p.key.User); ok && listed.Kind() != config.NoSecret && (listed.Kind() == config.PlainSecret || offered.Secret.Kind() != config.PlainSecret) {
		offered.Secret = listed
	}
	return offered
}
