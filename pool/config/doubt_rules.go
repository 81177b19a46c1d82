package config

import (
	"poolerd/wire/auth/hba"
	"poolerd/wire/secure"
)

// rules doubts the access rules of auth_type = hba.
func (d *doubter) rules() {
	c := d.c
	access, problems := c.Access()
	if len(problems) > 0 || access.Rules == nil {
		return
	}
	rules := access.Rules
	for _, p := range rules.Warnings() {
		d.warnings = append(d.warnings, Warning{Origin: Origin{File: p.File, Line: p.Line}, Reason: p.Text})
	}
	for _, r := range rules.List() {
		if (r.Method == hba.Cert || r.ClientCert != hba.AnyCert) && (c.ClientTLS.Mode == secure.Disable || c.ClientTLS.CAFile == "") {
			d.rule(r, "lets nobody in: no client's certificate can be verified", "set client_tls_sslmode = verify-full and client_tls_ca_file")
		}
		if (r.Method == hba.Password || r.Method == hba.LDAP) && c.exposed() && c.ClientTLS.Mode < secure.Require {
			d.rule(r, "passwords may come over the network as they are, since clients need no TLS", "make the rule hostssl, or set client_tls_sslmode = require")
		}
		if r.Method == hba.MD5 || r.Method == hba.SCRAM || r.Method == hba.Password {
			if c.AuthFile == "" && c.Upstream.Password.Kind() == NoSecret && !c.asksServers() {
				d.rule(r, "lets nobody in: no user has a password", "name a file of users with auth_file, or an auth_user that asks PostgreSQL for them")
			}
		}
	}
}

// rule doubts one line of the access rules.
func (d *doubter) rule(r hba.Rule, reason, hint string) {
	d.warnings = append(d.warnings, Warning{Origin: Origin{File: r.File, Line: r.Line}, Key: r.Method, Reason: reason, Hint: hint})
}
