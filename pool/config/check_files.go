package config

import (
	"errors"

	"poolerd/wire/secure"
)

// CheckFiles reads the files that the settings name, auth_file, access rules, user name maps, certificates and keys, and gives what is wrong with them, as Errors.
// The pooler reads them itself when it starts and reloads; this is for telling it before.
func (c *Config) CheckFiles() error {
	k := checker{c: c}
	if _, err := c.Secrets(); err != nil {
		var many Errors
		if errors.As(err, &many) {
			k.problems = append(k.problems, many...)
		}
	}
	_, problems := c.Access()
	k.problems = append(k.problems, problems...)
	if c.clientFilesNamed() {
		if _, err := secure.NewServer(c.ClientTLS); err != nil {
			k.key("client_tls_sslmode", err.Error(), "")
		}
	}
	if _, err := secure.NewClient(c.ServerTLS); err != nil {
		k.key("server_tls_sslmode", err.Error(), "")
	}
	return k.problems.orNil()
}

// clientFilesNamed tells whether there is something to load for TLS with clients; what is missing Check says.
func (c *Config) clientFilesNamed() bool {
	return c.ClientTLS.KeyFile != "" && c.ClientTLS.CertFile != "" && (c.ClientTLS.Mode < secure.VerifyCA || c.ClientTLS.CAFile != "")
}
