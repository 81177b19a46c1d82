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

// credentials gives what is known of a user.
func (p *Pooler) credentials(user string) Credentials {
	s, _ := p.secrets().Secret(user)
	return Credentials{Secret: s}
}
