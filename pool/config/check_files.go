package config

import (
	"errors"

	"poolerd/wire/auth/hba"
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
	_, problems := c.accessRules()
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

// accessRules reads auth_hba_file and auth_ident_file when auth_type = hba uses them. rules is nil when there are none that can be used.
func (c *Config) accessRules() (rules *hba.Rules, problems Errors) {
	if c.AuthType != AuthHBA || c.AuthHBAFile == "" {
		return nil, nil
	}
	complain := func(key, path string, err error) {
		var lines hba.Problems
		if !errors.As(err, &lines) {
			problems = append(problems, &Error{Origin: c.origins[key], Key: key, Value: path, Reason: fileReason(err), Hint: "check the path and its permissions"})
		}
		for _, p := range lines {
			problems = append(problems, &Error{Origin: Origin{File: p.File, Line: p.Line}, Reason: p.Text})
		}
	}
	var idents *hba.Idents
	if path := c.AuthIdentFile; path != "" {
		text, err := hba.ReadFile(path)
		if err == nil {
			idents, err = hba.ParseIdents(path, text, hba.ReadFile)
		}
		if err != nil {
			complain("auth_ident_file", path, err)
		}
	}
	text, err := hba.ReadFile(c.AuthHBAFile)
	if err == nil {
		rules, err = hba.Parse(c.AuthHBAFile, text, hba.ReadFile)
	}
	if err == nil {
		err = rules.CheckMaps(idents)
	}
	if err != nil {
		complain("auth_hba_file", c.AuthHBAFile, err)
		return nil, problems
	}
	return rules, problems
}
