package pool

import (
	"poolerd/pool/config"
	"poolerd/wire/auth"
)

// Credentials are what a login to a server may use. Both may be there: Keys open a server that stores the very secret that they come from, Secret serves every method if it is a plain password.
type Credentials struct {
	Secret config.Secret
	Keys   *auth.Keys // of the client's own SCRAM login; nil: none
}

// offer gives the pool what a login of its user has shown: the password itself, the secret that auth_query found, or the keys of a SCRAM exchange. What was offered before is overwritten, so that a
// changed password is used from the next login on. The pool owns the keys from then on. There is one offer a pool at most, and it goes with the pool: one database's user says nothing to another
// database, which may be anybody's.
//
// A user with another secret may be another user: one that was dropped and made again, whom the sessions of the old one no longer know. So its servers are not used again.
func (p *Pool) offer(c Credentials) {
	if c.Secret.Kind() == config.NoSecret && c.Keys == nil {
		return
	}
	var stale []*Server
	p.mu.Lock()
	if c.changes(p.offered) {
		p.secrets++
		for s := range p.servers {
			s.stale.Store(true)
		}
		stale = p.takeFree()
	}
	old := p.offered.Keys
	if c.Keys == nil && c.Secret.Equal(p.offered.Secret) {
		c.Keys, old = old, nil // the same secret as before: its keys are good still
	}
	p.offered = c
	p.mu.Unlock()
	if old != nil {
		old.Zero()
	}
	for _, s := range stale {
		s.discard(reasonSecretChanged)
	}
}

// changes tells whether the secret is another one than before. A password and what is stored of it cannot be told apart, nor can one that is not known.
func (c Credentials) changes(before Credentials) bool {
	return c.Secret.Kind() != config.NoSecret && c.Secret.Kind() == before.Secret.Kind() && !c.Secret.Equal(before.Secret)
}

// known gives what is known of the pool's user: the secret of auth_file before what logins have shown, unless only those have shown the password itself. The keys are a copy, which is the caller's.
func (p *Pool) known() Credentials {
	p.mu.Lock()
	c := p.offered
	if c.Keys != nil {
		keys := c.Keys.Clone()
		c.Keys = &keys
	}
	p.mu.Unlock()
	listed, _ := p.pooler.secrets().Secret(p.key.User)
	if listed.Kind() == config.PlainSecret || listed.Kind() != config.NoSecret && c.Secret.Kind() != config.PlainSecret {
		c.Secret = listed
	}
	return c
}
