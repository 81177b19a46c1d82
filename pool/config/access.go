package config

import (
	"errors"

	"poolerd/wire/auth/hba"
	"poolerd/wire/auth/ldap"
)

// Access is what auth_hba_file, auth_ident_file and auth_ldap_options say. It is not changed once it is read.
type Access struct {
	Rules  *hba.Rules  // of auth_type = hba. nil lets nobody in
	Idents *hba.Idents // nil: there are no maps

	global ldap.Options // with auth_type = ldap
	byRule map[accessLine]ldap.Options
}

// accessLine names a rule of auth_hba_file, or of a file that it includes.
type accessLine struct {
	file string
	line int
}

// LDAP gives the server that judges passwords: the rule's, or with auth_type = ldap that of auth_ldap_options.
func (a *Access) LDAP(rule hba.Rule) ldap.Options {
	if options, ok := a.byRule[accessLine{rule.File, rule.Line}]; ok {
		return options
	}
	return a.global
}

// Access reads the files. problems names every line that is wrong; what is returned beside any is not to be used.
func (c *Config) Access() (_ *Access, problems Errors) {
	r := accessReader{c: c, a: &Access{byRule: map[accessLine]ldap.Options{}}}
	r.idents()
	switch {
	case c.AuthType == AuthHBA && c.AuthHBAFile != "":
		r.rules()
	case c.AuthType == AuthLDAP && c.AuthLDAPOptions != "":
		var err error
		if r.a.global, err = ldap.ParseOptions(c.AuthLDAPOptions); err != nil {
			r.problems = append(r.problems, &Error{Origin: c.origins["auth_ldap_options"], Key: "auth_ldap_options", Reason: err.Error()})
		}
	}
	return r.a, r.problems
}

// accessReader gathers an Access and what is wrong with it.
type accessReader struct {
	c        *Config
	a        *Access
	problems Errors
}

func (r *accessReader) idents() {
	path := r.c.AuthIdentFile
	if path == "" {
		return
	}
	text, err := hba.ReadFile(path)
	if err == nil {
		r.a.Idents, err = hba.ParseIdents(path, text, hba.ReadFile)
	}
	if err != nil {
		r.complain("auth_ident_file", path, err)
	}
}

func (r *accessReader) rules() {
	path := r.c.AuthHBAFile
	text, err := hba.ReadFile(path)
	if err == nil {
		r.a.Rules, err = hba.Parse(path, text, hba.ReadFile)
	}
	if err == nil {
		err = r.a.Rules.CheckMaps(r.a.Idents)
	}
	if err != nil {
		r.complain("auth_hba_file", path, err)
		return
	}
	for _, rule := range r.a.Rules.List() {
		if rule.Method != hba.LDAP {
			continue
		}
		options, err := ldap.New(rule.Options)
		if err != nil {
			r.problems = append(r.problems, &Error{Origin: Origin{File: rule.File, Line: rule.Line}, Key: "auth_hba_file", Reason: err.Error()})
		}
		r.a.byRule[accessLine{rule.File, rule.Line}] = options
	}
}

// complain tells each line that is wrong, or what became of the file.
func (r *accessReader) complain(key, path string, err error) {
	var lines hba.Problems
	if !errors.As(err, &lines) {
		r.problems = append(r.problems, r.c.unreadable(key, path, err))
	}
	for _, p := range lines {
		r.problems = append(r.problems, &Error{Origin: Origin{File: p.File, Line: p.Line}, Key: key, Reason: p.Text})
	}
}
