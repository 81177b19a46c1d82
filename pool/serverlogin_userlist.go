package pool

import (
	"poolerd/pool/config"
	"poolerd/wire/auth"
)

// Credentials are what a login to a server may use.
type Credentials struct {
	Secret config.Secret
	Keys   *auth.Keys // of the client's own SCRAM login; nil: none
}

// credentials gives what the pool's servers log in with: the password of the database's entry, else the one of auth_file.
func (p *Pool) credentials() Credentials {
	s := p.pooler.password(p.settings())
	return Credentials{Secret: s}
}
