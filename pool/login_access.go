package pool

import (
	"errors"
	"fmt"

	"poolerd/pool/config"
	"poolerd/wire/auth"
	"poolerd/wire/auth/hba"
	"poolerd/wire/auth/ldap"
	"poolerd/wire/secure"
)

// access is what decides who may come in: settings, users, rules and certificates, loaded as one whole and never changed. A reload makes a new one and swaps them; a login keeps the one
// that it began with.
type access struct {
	conf    *config.Config
	users   *config.Userlist
	rules   *hba.Rules   // with auth_type = hba
	idents  *hba.Idents  // nil: there are no maps
	ldap    ldap.Options // with auth_type = ldap
	byRule  map[hbaLine]ldap.Options
	tls     *secure.Server // nil: client_tls_sslmode is disable
	servers *secure.Client // towards servers
}

// hbaLine names a rule of auth_hba_file, or of a file that it includes.
type hbaLine struct {
	file string
	line int
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
	a := &access{conf: conf, users: users, byRule: map[hbaLine]ldap.Options{}}
	if err := a.loadRules(); err != nil {
		return nil, err
	}
	if conf.AuthType == config.AuthLDAP {
		if a.ldap, err = ldap.ParseOptions(conf.AuthLDAPOptions); err != nil {
			return nil, fmt.Errorf("auth_ldap_options: %w", err)
		}
	}
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

// loadRules loads auth_hba_file and auth_ident_file.
func (a *access) loadRules() error {
	if a.conf.AuthIdentFile != "" {
		text, err := hba.ReadFile(a.conf.AuthIdentFile)
		if err != nil {
			return fmt.Errorf("auth_ident_file: %w", err)
		}
		if a.idents, err = hba.ParseIdents(a.conf.AuthIdentFile, text, hba.ReadFile); err != nil {
			return fmt.Errorf("auth_ident_file: %w", err)
		}
	}
	if a.conf.AuthType != config.AuthHBA {
		return nil
	}
	if a.conf.AuthHBAFile == "" {
		return errors.New("auth_type = hba needs an auth_hba_file")
	}
	text, err := hba.ReadFile(a.conf.AuthHBAFile)
	if err != nil {
		return fmt.Errorf("auth_hba_file: %w", err)
	}
	if a.rules, err = hba.Parse(a.conf.AuthHBAFile, text, hba.ReadFile); err != nil {
		return fmt.Errorf("auth_hba_file: %w", err)
	}
	if err := a.rules.CheckMaps(a.idents); err != nil {
		return fmt.Errorf("auth_hba_file: %w", err)
	}
	for _, rule := range a.rules.List() {
		if rule.Method != hba.LDAP {
			continue
		}
		options, err := ldap.New(rule.Options)
		if err != nil {
			return fmt.Errorf("auth_hba_file: line %d: %w", rule.Line, err)
		}
		a.byRule[hbaLine{rule.File, rule.Line}] = options
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
