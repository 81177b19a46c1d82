package config

import (
	"maps"
	"slices"

	"poolerd/wire/secure"
)

// Check finds what cannot be meant, over all settings together. It opens no file: that is CheckFiles'. That some database must be
// named is the caller's to check, who knows what else may name one.
func (c *Config) Check() error {
	k := checker{c: c}
	k.encryption()
	k.whole()
	return k.problems.orNil()
}

// CheckOnline is Check for settings that are made one by one while the pooler runs, where a key and its certificate cannot come together.
func (c *Config) CheckOnline() error {
	k := checker{c: c}
	k.whole()
	return k.problems.orNil()
}

// whole is what must hold at any time.
func (k *checker) whole() {
	k.listen()
	k.logins()
	if k.c.StatsPeriod <= 0 {
		k.key("stats_period", "statistics need a period", "give it a second or more, and log_stats = 0 for no log of them")
	}
}

type checker struct {
	c        *Config
	problems Errors
}

// key complains about a key of [pgbouncer] or [poolerd] with its effective value.
func (k *checker) key(name, reason, hint string) {
	known, _ := findKey(name)
	k.problems = append(k.problems, known.problem(k.c.origins[name], known.get(k.c), &Error{Reason: reason, Hint: hint}))
}

func (k *checker) listen() {
	if len(k.c.ListenAddr) == 0 && k.c.UnixSocketDir == "" {
		k.key("listen_addr", "there is nothing to listen on", "give an address, such as 127.0.0.1, or * for all, or a unix_socket_dir")
	}
	for _, a := range k.c.ListenAddr {
		if err := checkListen(a); err != nil {
			k.key("listen_addr", err.Reason, err.Hint)
		}
	}
	seen := map[string]bool{}
	for _, a := range k.c.Listen() {
		if seen[a] {
			k.key("listen_addr", a+" stands there twice", "name it once")
		}
		seen[a] = true
	}
}

func (k *checker) logins() {
	c := k.c
	if c.file == "" && c.nobodyKnown() { // PgBouncer starts with such a file, for the console's sake: Warnings tells of it
		k.key("auth_type", "no user has a password, so that nobody could log in", nobodyHint)
	}
	switch {
	case c.AuthType == AuthHBA && c.AuthHBAFile == "":
		k.key("auth_type", "needs a file of access rules", "name it with auth_hba_file")
	case c.AuthType == AuthLDAP && c.AuthLDAPOptions == "":
		k.key("auth_type", "needs to know the LDAP server", `set auth_ldap_options, such as ldapserver=ldap.example.com ldapbasedn="dc=example,dc=com"`)
	case c.AuthType == AuthCert && c.ClientTLS.Mode < secure.VerifyCA:
		k.key("auth_type", "needs clients' certificates that are verified", "set client_tls_sslmode = verify-full and client_tls_ca_file")
	}
	if c.AuthType != AuthAny {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.Databases)) {
		if db := c.Databases[name]; db.User == "" {
			k.problems = append(k.problems, &Error{
				Origin: db.Origin, Key: name, Reason: "names no user, which auth_type = any needs",
				Hint: "add user= to the database, or choose another auth_type",
			})
		}
	}
}

const nobodyHint = "name a file of users with auth_file (--auth-file), or an auth_user that asks PostgreSQL for them, or a user with a password in --upstream, or set auth_type = trust"

// nobodyKnown tells whether no user can prove who it is.
func (c *Config) nobodyKnown() bool {
	return c.AuthType.NeedsSecret() && c.AuthType != AuthHBA && c.AuthFile == "" && c.Upstream.Password.Kind() == NoSecret && !c.asksServers()
}

// asksServers tells whether auth_query is run for the clients of some database.
func (c *Config) asksServers() bool {
	if c.AuthUser != "" {
		return true
	}
	for _, db := range c.Databases {
		if db.AuthUser != nil {
			return true
		}
	}
	return false
}

// encryption judges which files TLS needs; CheckFiles looks into them.
func (k *checker) encryption() {
	client, server := k.c.ClientTLS, k.c.ServerTLS
	if client.Mode != secure.Disable {
		switch {
		case client.KeyFile == "" || client.CertFile == "":
			k.key("client_tls_sslmode", "needs a certificate to show to clients, and its key", "set client_tls_cert_file and client_tls_key_file")
		case client.Mode >= secure.VerifyCA && client.CAFile == "":
			k.key("client_tls_sslmode", "needs to know who signs clients' certificates", "set client_tls_ca_file")
		}
	}
	if server.Direct && server.Mode < secure.Require {
		k.key("server_tls_sslnegotiation", "cannot fall back to plain text, which server_tls_sslmode = "+server.Mode.String()+" means", "set server_tls_sslmode = require or more")
	}
	if server.Mode != secure.Disable && (server.KeyFile == "") != (server.CertFile == "") {
		key, other := "server_tls_key_file", "server_tls_cert_file"
		if server.KeyFile == "" {
			key, other = other, key
		}
		k.key(key, "is one half of a pair", "set "+other+" too, or neither")
	}
}
