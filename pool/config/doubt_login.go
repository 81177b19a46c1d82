package config

import (
	"fmt"
	"regexp"
	"strings"

	"poolerd/wire/secure"
)

func (d *doubter) logins() {
	c := d.c
	if c.exposed() {
		switch {
		case c.AuthType == AuthTrust:
			d.key("auth_type", "whoever reaches "+strings.Join(c.ListenAddr, ", ")+" logs in as any user without a password", "choose scram-sha-256, or listen on 127.0.0.1 only")
		case c.AuthType == AuthAny:
			d.key("auth_type", "whoever reaches "+strings.Join(c.ListenAddr, ", ")+" uses every database and the console without a password", "choose scram-sha-256, or listen on 127.0.0.1 only")
		case (c.AuthType == AuthPlain || c.AuthType == AuthLDAP) && c.ClientTLS.Mode < secure.Require:
			d.key("auth_type", "passwords come over the network as they are, since clients need no TLS", "set client_tls_sslmode = require")
		}
	}
	if c.file != "" && c.nobodyKnown() {
		d.key("auth_type", "no user has a password, so that nobody can log in", nobodyHint)
	}
	if c.AuthType == AuthAny && len(c.StatsUsers) > 0 {
		d.key("stats_users", "has no effect: with auth_type = any everyone may read the console", "choose another auth_type")
	}
	d.unused("auth_hba_file", c.AuthType == AuthHBA, "set auth_type = hba")
	d.unused("auth_ident_file", c.AuthType == AuthHBA || c.AuthType == AuthCert, "set auth_type = hba or cert")
	d.unused("auth_ldap_options", c.AuthType == AuthHBA || c.AuthType == AuthLDAP, "set auth_type = ldap or hba")
	for _, db := range d.databases() {
		if db.Password.Kind() != NoSecret && db.User == "" {
			d.database(db, "password", hidden, "has no effect without user=", "name the user that it belongs to")
		}
	}
	d.secrets()
}

// unused doubts a key that is set while auth_type has no use for it.
func (d *doubter) unused(key string, used bool, hint string) {
	if k, _ := findKey(key); d.set(key) && !used && k.value(d.c) != "" {
		d.key(key, "has no effect with auth_type = "+d.c.AuthType.String(), hint)
	}
}

// secrets looks for users whose secret cannot serve.
func (d *doubter) secrets() {
	if d.users == nil || d.c.AuthType != AuthSCRAM {
		return
	}
	var affected []string
	for _, user := range d.users.Users() {
		if s, _ := d.users.Secret(user); s.Kind() == MD5Secret {
			affected = append(affected, user)
		}
	}
	if len(affected) > 0 {
		who := affected[0]
		if n := len(affected) - 1; n > 0 {
			who += fmt.Sprintf(" and %d more", n)
		}
		d.key("auth_type", "a user of auth_file with an md5 secret cannot log in: "+who, "set auth_type = md5, which serves SCRAM secrets by SCRAM")
	}
}

func (d *doubter) authQuery() {
	c := d.c
	if d.set("auth_query") {
		if !c.asksServers() {
			d.key("auth_query", "is never run: there is no auth_user", "set auth_user, or remove auth_query")
		}
		for _, p := range queryProblems(c.AuthQuery) {
			d.key("auth_query", p.reason, p.hint)
		}
	}
	if c.AuthUser != "" {
		if reason := d.unableToAsk(c.AuthUser); reason != "" {
			d.key("auth_user", reason, askHint)
		}
	}
	for _, db := range d.databases() {
		if db.AuthDBName != nil && Reserved(*db.AuthDBName) {
			d.database(db, "auth_dbname", *db.AuthDBName, "is the console's name: nobody can log in by auth_query", "name a database of [databases]")
		}
		if db.AuthUser != nil {
			if reason := d.unableToAsk(*db.AuthUser); reason != "" {
				d.database(db, "auth_user", *db.AuthUser, reason, askHint)
			}
		}
		if db.AuthQuery == nil {
			continue
		}
		if db.AuthUser == nil && c.AuthUser == "" {
			d.database(db, "auth_query", "", "is never run: there is no auth_user", "set auth_user, or remove auth_query")
		}
		for _, p := range queryProblems(*db.AuthQuery) {
			d.database(db, "auth_query", *db.AuthQuery, p.reason, p.hint)
		}
	}
}

const askHint = "put its password into auth_file, in plain, or into the ~/.pgpass of the system user, or let PostgreSQL trust the pooler's address"

// unableToAsk is why auth_user could not log in to PostgreSQL to run auth_query; empty when it could.
func (d *doubter) unableToAsk(user string) string {
	if d.users == nil || d.c.ServerTLS.CertFile != "" { // it cannot be read, or a certificate may speak for the user, as CloudNativePG has it
		return ""
	}
	switch s, _ := d.users.Secret(user); s.Kind() {
	case NoSecret:
		return "has no password in auth_file, so that a PostgreSQL which asks for one refuses it"
	case SCRAMSecret:
		return "has a SCRAM secret in auth_file, with which nobody can log in to PostgreSQL on its behalf"
	}
	return ""
}

type queryProblem struct{ reason, hint string }

// What queryProblems looks for.
var (
	relation      = regexp.MustCompile(`(?i)\b(?:from|join)\s+(?:only\s+)?("(?:[^"]|"")+"|[a-z_][\w$]*)\s*(\.?)`)
	otherFrom     = regexp.MustCompile(`(?i)\bextract\s*\(\s*\w+\s+from\b|\bdistinct\s+from\b`)
	callsFunction = regexp.MustCompile(`(?i)\bfrom\s+[\w$".]+\s*\(`) // what it looks at is not seen
	asksPassword  = regexp.MustCompile(`(?i)\b(?:rolpassword|passwd)\b`)
	asksValidity  = regexp.MustCompile(`(?i)\b(?:rolvaliduntil|valuntil)\b`)
)

// queryProblems judges an auth_query by its text.
func queryProblems(query string) []queryProblem {
	var all []queryProblem
	if !strings.Contains(query, "$1") {
		all = append(all, queryProblem{"does not ask for the user $1", "put WHERE rolname = $1 or its like into it"})
	}
	for _, m := range relation.FindAllStringSubmatch(otherFrom.ReplaceAllString(query, ""), -1) {
		if m[2] == "" && !strings.HasPrefix(strings.ToLower(strings.TrimSpace(query)), "with") {
			schema := "its schema"
			if strings.HasPrefix(strings.ToLower(m[1]), "pg_") {
				schema = "pg_catalog"
			}
			all = append(all, queryProblem{"takes whichever " + m[1] + " the search_path finds first, which another user may have made", "write " + schema + "." + m[1]})
			break
		}
	}
	if asksPassword.MatchString(query) && !callsFunction.MatchString(query) && !asksValidity.MatchString(query) {
		all = append(all, queryProblem{
			"lets users in whose password has expired",
			"ask for CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END (of pg_shadow: valuntil and passwd)",
		})
	}
	return all
}
