package pool

import (
	"poolerd/pool/config"
	"poolerd/wire/auth"
	"poolerd/wire/secure"
)

// access is what decides who may come in: settings, users, rules and certificates, loaded as one whole and never changed. A reload makes a new one and swaps them; a login keeps the one
// that it began with.
type access struct {
	*config.Access
	conf    *config.Config
	users   *config.Userlist
	tls     *secure.Server // nil: client_tls_sslmode is disable
	servers *secure.Client // towards servers
}

// errTLS says that the certificates, or what else TLS is made of, cannot be used as they are set; the rest can.
type errTLS struct{ error }

func (e errTLS) Unwrap() error { return e.error }

// newAccess loads what conf names. old is what it is to follow, nil at the start. An error says which key or file is wrong, and nothing has changed. An errTLS comes with an access all the
// same, which has old's TLS.
func newAccess(conf *config.Config, old *access) (*access, error) {
	users, err := conf.Secrets()
	if err != nil {
		return nil, err
	}
	read, problems := conf.Access()
	if len(problems) > 0 {
		return nil, problems
	}
	a := &access{Access: read, conf: conf, users: users}
	if err := a.loadTLS(old); err != nil {
		if old == nil {
			return nil, err
		}
		a.tls, a.servers = old.tls, old.servers
		return a, errTLS{err}
	}
	return a, nil
}

// loadTLS loads what client_tls_* and server_tls_* name.
func (a *access) loadTLS(old *access) (err error) {
	if a.servers, err = secure.NewClient(a.conf.ServerTLS); err != nil {
		return err
	}
	if a.conf.ClientTLS.Mode == secure.Disable {
		return nil
	}
	if a.tls, err = secure.NewServer(a.conf.ClientTLS); err != nil {
		return err
	}
	if old != nil {
		a.tls.Inherit(old.tls)
	}
	return nil
}

// prepare derives the SCRAM keys of plain passwords ahead of logins, where any may need them. It takes about a millisecond a user.
func (a *access) prepare(x *auth.Authenticator) {
	if a.conf.AuthType != config.AuthSCRAM && a.conf.AuthType != config.AuthHBA {
		return
	}
	x.Prepare(a.conf.SCRAMIterations, func(yield func(user, secret string) bool) {
		for _, user := range a.users.Users() {
			if text, _ := a.users.Reveal(user); !yield(user, text) {
				return
			}
		}
	})
}

// anyUser tells whether there is no list of users at all: then trust, and a certificate, are enough, and nobody is unknown.
func (a *access) anyUser() bool { return a.conf.AuthFile == "" }
