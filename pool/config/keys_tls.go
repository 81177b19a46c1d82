package config

import "poolerd/wire/secure"

func clientTLSKeys() []Key {
	side := func(c *Config) *secure.Settings { return &c.ClientTLS }
	return []Key{
		sslmodeKey(key("client_tls_sslmode", "disable", "TLS with clients: disable, allow or prefer (as the client likes), require, verify-ca or verify-full (and a valid certificate of the client)"), side),
		tlsKey(key("client_tls_key_file", "", "key of the certificate shown to clients"), side, func(s *secure.Settings) *string { return &s.KeyFile }),
		tlsKey(key("client_tls_cert_file", "", "certificate shown to clients, with those that sign it behind it"), side, func(s *secure.Settings) *string { return &s.CertFile }),
		tlsKey(key("client_tls_ca_file", "", "certificates that sign clients' certificates"), side, func(s *secure.Settings) *string { return &s.CAFile }),
		tlsKey(key("client_tls_protocols", "secure", "TLS versions with clients: secure (1.2 and 1.3), all, legacy, or a list of tlsv1.0 to tlsv1.3"), side, func(s *secure.Settings) *string { return &s.Protocols }),
		tlsKey(key("client_tls_ciphers", "default", "ciphers with clients up to TLS 1.2: default, secure, fast, normal, all, or OpenSSL's names with : between them"), side, func(s *secure.Settings) *string { return &s.Ciphers }),
		tlsKey(key("client_tls13_ciphers", "", "ciphers with clients in TLS 1.3; empty is all"), side, func(s *secure.Settings) *string { return &s.TLS13Ciphers }),
		tlsKey(key("client_tls_ecdhcurve", "auto", "elliptic curves of the key exchange with clients: auto, none, or OpenSSL's names"), side, func(s *secure.Settings) *string { return &s.ECDHCurve }),
	}
}

func serverTLSKeys() []Key {
	side := func(c *Config) *secure.Settings { return &c.ServerTLS }
	return []Key{
		sslmodeKey(key("server_tls_sslmode", "prefer", "TLS with servers: disable, allow, prefer, require (nobody's certificate is verified), verify-ca or verify-full (and the host's name)"), side),
		tlsKey(key("server_tls_ca_file", "", "certificates that sign servers' certificates; system for the system's authorities"), side, func(s *secure.Settings) *string { return &s.CAFile }),
		tlsKey(key("server_tls_key_file", "", "key of the certificate shown to servers"), side, func(s *secure.Settings) *string { return &s.KeyFile }),
		tlsKey(key("server_tls_cert_file", "", "certificate shown to servers"), side, func(s *secure.Settings) *string { return &s.CertFile }),
		tlsKey(key("server_tls_protocols", "secure", "TLS versions with servers: secure (1.2 and 1.3), all, legacy, or a list of tlsv1.0 to tlsv1.3"), side, func(s *secure.Settings) *string { return &s.Protocols }),
		tlsKey(key("server_tls_ciphers", "default", "ciphers with servers up to TLS 1.2: default, secure, fast, normal, all, or OpenSSL's names with : between them"), side, func(s *secure.Settings) *string { return &s.Ciphers }),
		tlsKey(key("server_tls13_ciphers", "", "ciphers with servers in TLS 1.3; empty is all"), side, func(s *secure.Settings) *string { return &s.TLS13Ciphers }),
	}
}

// tlsKey is a text of one side's settings.
func tlsKey(k Key, side func(*Config) *secure.Settings, field func(*secure.Settings) *string) Key {
	return textKey(k, func(c *Config) *string { return field(side(c)) })
}

func sslmodeKey(k Key, side func(*Config) *secure.Settings) Key {
	k.set = func(c *Config, s string) *Error { return store(&side(c).Mode, s, parseSSLMode) }
	k.get = func(c *Config) string { return side(c).Mode.String() }
	return k
}

// negotiationKey is how TLS with servers begins, in libpq's words (sslnegotiation).
func negotiationKey() Key {
	words := map[bool]string{false: "postgres", true: "direct"}
	k := key("server_tls_sslnegotiation", words[false], "how TLS with servers begins: postgres asks for it first, direct begins at once, which saves a round trip and needs PostgreSQL 17 and server_tls_sslmode = require or more")
	k.set = func(c *Config, s string) *Error {
		if s != words[false] && s != words[true] {
			return &Error{Reason: "not one of its words", Hint: "give postgres or direct"}
		}
		c.ServerTLS.Direct = s == words[true]
		return nil
	}
	k.get = func(c *Config) string { return words[c.ServerTLS.Direct] }
	return k
}
