package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWarnings: each doubt is told with its place and a way out, and alone.
func TestWarnings(t *testing.T) {
	const (
		mode  = "pool_mode=transaction\n"
		trust = mode + "auth_type=trust\n"
		md5   = mode + "auth_type=md5\n"
		tls   = "client_tls_sslmode=require\nclient_tls_key_file=/nowhere\nclient_tls_cert_file=/nowhere\n"
		query = "auth_user=\nauth_query="
	)
	for _, tc := range []struct{ text, want string }{
		{trust, ""},
		{"auth_type=trust\n", "pool_mode = transaction: is not set: it is transaction here, and session in PgBouncer; set pool_mode"},

		{trust + "listen_addr=*\n", "t.ini:3: auth_type = trust: whoever reaches * logs in as any user without a password; choose scram-sha-256"},
		{mode + "auth_type=any\nlisten_addr=127.0.0.1,10.0.0.1\n", "t.ini:3: auth_type = any: whoever reaches 127.0.0.1, 10.0.0.1 uses every database and the console without a password"},
		{trust + "listen_addr=localhost,127.0.0.2:7,::1,[::1]:8\n", ""},
		{trust + "listen_addr=\n", ""},
		{mode + "auth_type=any\nstats_users=u\n", "t.ini:4: stats_users = u: has no effect: with auth_type = any everyone may read the console"},
		{mode + "auth_type=any\nstats_users=u\n", "t.ini:4: stats_users = u: has no effect"},
		{mode + "auth_type=plain\nlisten_addr=*\n", "t.ini:3: auth_type = plain: passwords come over the network as they are, since clients need no TLS; set client_tls_sslmode = require"},
		{mode + "auth_type=ldap\nlisten_addr=*\n", "t.ini:3: auth_type = ldap: passwords come over the network as they are"},
		{mode + "auth_type=plain\n", ""},
		{mode + "auth_type=plain\nlisten_addr=*\n" + tls, ""},
		{md5 + "auth_hba_file=x\n", "t.ini:4: auth_hba_file = x: has no effect with auth_type = md5; set auth_type = hba"},
		{md5 + "auth_ident_file=x\n", "t.ini:4: auth_ident_file = x: has no effect with auth_type = md5"},
		{md5 + "auth_ldap_options=ldapbindpasswd=hush\n", "t.ini:4: auth_ldap_options = ldapbindpasswd=(hidden): has no effect with auth_type = md5"},
		{mode + "auth_type=hba\nauth_hba_file=x\nauth_ident_file=x\nauth_ldap_options=x\n", ""},
		{trust + "[databases]\na=password=hush", "t.ini:5: a: password = (hidden): has no effect without user=; name the user"},

		{md5 + "auth_query=select a, b from s.t where a=$1\n", "t.ini:4: auth_query = select a, b from s.t where a=$1: is never run: there is no auth_user; set auth_user"},
		{trust + "[databases]\na=auth_query='select a, b from s.t where a=$1'", "t.ini:5: a: auth_query: is never run: there is no auth_user"},
		{md5 + "auth_user=u\n", "t.ini:4: auth_user = u: has no password in auth_file, so that a PostgreSQL which asks for one refuses it; put its password into auth_file"},
		{trust + "server_tls_cert_file=x\nserver_tls_key_file=y\n[databases]\na=auth_user=u", ""},
		{trust + "[databases]\na=auth_user=u", "t.ini:5: a: auth_user = u: has no password in auth_file"},

		{trust + "client_tls_cert_file=x\nclient_tls_key_file=y\n", "t.ini:5: client_tls_key_file = y: has no effect: client_tls_sslmode is disable, and clients are served without TLS; set client_tls_sslmode"},
		{trust + "server_tls_sslmode=disable\nserver_tls_ca_file=x\n", "t.ini:5: server_tls_ca_file = x: has no effect: server_tls_sslmode is disable"},
		{trust + "server_tls_sslmode=require\nserver_tls_ca_file=x\n", "t.ini:4: server_tls_sslmode = require: verifies no certificate, although server_tls_ca_file is set"},
		{trust + "server_tls_sslmode=require\n[databases]\na=host=far user=u\nb=host=further", "t.ini:4: server_tls_sslmode = require: encrypts, and does not verify that the server is the one which is meant (a is at far)"},
		{trust + "server_tls_sslmode=require\n[databases]\na=host=127.0.0.1,/run,@x,localhost,::1", ""},
		{trust + "server_tls_sslmode=verify-full\nserver_tls_ca_file=x\n[databases]\na=host=far", ""},

		{trust + "min_pool_size=30\n", "t.ini:4: min_pool_size = 30: is larger than default_pool_size = 20, and no pool grows past that; lower it"},
		{trust + "min_pool_size=3\n[databases]\na=host=x", ""},
		{trust + "min_pool_size=3\n[databases]\na=host=x user=u", ""},
		{trust + "[databases]\na=min_pool_size=3", ""},
		{trust + "[databases]\na=min_pool_size=30 user=u", "t.ini:5: a: min_pool_size = 30: is larger than the database's pool_size of 20"},
		{trust + "[databases]\na=min_pool_size=30 user=u pool_size=30", ""},
		{trust + "[databases]\na=pool_size=30 max_db_connections=10", "t.ini:5: a: pool_size = 30: is never reached: max_db_connections = 10"},
		{trust + "[databases]\na=max_db_connections=10", "t.ini:5: a: max_db_connections = 10: keeps its pools below default_pool_size = 20"},
		{trust + "max_db_connections=10\n", "t.ini:4: max_db_connections = 10: is smaller than default_pool_size = 20, so that one user can take all servers of a database"},
		{trust + "server_reset_query_always=1\n", "t.ini:4: server_reset_query_always = 1: costs a round trip after each transaction"},
		{"pool_mode=session\nauth_type=trust\nserver_reset_query_always=1\n", ""},
		{trust + "so_reuseport=1\n", "t.ini:4: so_reuseport = 1: a cancel request may reach another process"},
		{trust + "so_reuseport=1\npeer_id=1\n", ""},

		{trust + "query_wait_timeout=0\n", "t.ini:4: query_wait_timeout = 0: a client waits for a server without an end"},
		{trust + "reserve_pool_size=3\nreserve_pool_timeout=0\n", "t.ini:4: reserve_pool_size = 3: has no effect: reserve_pool_timeout is 0"},
		{trust + "reserve_pool_size=3\nreserve_pool_timeout=200\n", "t.ini:5: reserve_pool_timeout = 200: is never reached: query_wait_timeout ends the wait before"},
		{trust + "server_lifetime=60\n", ""},
		{trust + "server_lifetime=60\nserver_idle_timeout=90\n", "t.ini:5: server_idle_timeout = 90: is never reached: server_lifetime = 60 comes before"},
		{trust + "transaction_timeout=60\nidle_transaction_timeout=90\n", "t.ini:5: idle_transaction_timeout = 90: is never reached: transaction_timeout = 60"},
		{trust + "transaction_timeout=60\nquery_timeout=90\n", "t.ini:5: query_timeout = 90: is never reached: transaction_timeout = 60"},
		{trust + "transaction_timeout=60\nquery_timeout=60\n", ""},
	} {
		c := parseText(t, "[pgbouncer]\n"+tc.text)
		if c.nobodyKnown() {
			c.AuthFile = "/nowhere" // what comes of none is TestWarningOfNoUsers'
		}
		warnings := c.Warnings()
		switch {
		case tc.want == "" && len(warnings) > 0:
			t.Errorf("%q: %v", tc.text, warnings)
		case tc.want != "" && (len(warnings) != 1 || !strings.HasPrefix(warnings[0].String(), tc.want)):
			t.Errorf("%q:\n got %v\nwant %s", tc.text, warnings, tc.want)
		}
	}
}

// TestNoWarnings: who sets nothing, or what the sample has, hears nothing.
func TestNoWarnings(t *testing.T) {
	c := Defaults()
	if err := ApplyUpstream(c, "postgres://u:p@far:1/db", Origin{Flag: "--upstream"}); err != nil {
		t.Fatal(err)
	}
	if warnings := c.Warnings(); len(warnings) > 0 {
		t.Errorf("defaults: %v", warnings)
	}
	sample, _, err := Load("../../configs/poolerd.ini")
	if err != nil {
		t.Fatal(err)
	}
	sample.AuthFile = "/nowhere" // its path is relative to another directory, and its mode the checkout's
	if warnings := sample.Warnings(); len(warnings) > 0 {
		t.Errorf("sample: %v", warnings)
	}
}

func TestQueryProblems(t *testing.T) {
	const (
		unknown  = "does not ask for the user $1"
		unsafe   = "takes whichever "
		expired  = "lets users in whose password has expired"
		userlook = "takes whichever user_lookup the search_path finds first, which another user may have made"
	)
	for query, want := range map[string]string{
		defaultAuthQuery: "",
		"SELECT usename, passwd FROM pg_shadow WHERE usename=$1":                                                     unsafe + "pg_shadow|" + expired,
		"SELECT usename, passwd FROM pg_catalog.pg_shadow WHERE usename=$1 AND (valuntil IS NULL OR valuntil>now())": "",
		"SELECT usename, passwd FROM pg_catalog . pg_shadow WHERE usename=$1":                                        expired,
		"select * from user_lookup($1)":                                                                              userlook,
		"SELECT usename, passwd FROM public.user_search($1)":                                                         "",
		"select * from pgbouncer.user_lookup($1)":                                                                    "",
		`select * from "My Users" where n=$1`:                                                                        unsafe + `"My Users"`,
		`select * from "s"."My Users" where n=$1`:                                                                    "",
		"select * from s.a join b on true where n=$1":                                                                unsafe + "b",
		"select * from only a where n=$1":                                                                            unsafe + "a",
		"select n, extract(epoch from x) from s.a where n=$1":                                                        "",
		"select n, p from s.a where n=$1 and p is distinct from q":                                                   "",
		"with x as (select * from s.t) select * from x where n=$1":                                                   "",
		"select n, p from (select * from s.t) t where n=$1":                                                          "",
		"select rolname, rolpassword from pg_catalog.pg_authid":                                                      unknown + "|" + expired,
		"select rolname, ROLPASSWORD from PG_AUTHID where rolname=$1 and true ":                                      unsafe + "PG_AUTHID|" + expired,
	} {
		found := queryProblems(query)
		parts := strings.FieldsFunc(want, func(r rune) bool { return r == '|' })
		ok := len(found) == len(parts)
		for i := range min(len(found), len(parts)) {
			ok = ok && strings.HasPrefix(found[i].reason, parts[i]) && found[i].hint != ""
		}
		if !ok {
			t.Errorf("%s:\n got %v\nwant %s", query, found, want)
		}
	}
}

// TestWarningsOfFiles: secrets that everyone can read, and secrets that serve nobody.
func TestWarningsOfFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const scram = "SCRAM-SHA-256$4096:Zm91bnRhaW4gYXJyYXkgMQ==$NcC/pKhtk1GFlP30R6Gi9kj/EaW0AgVM47v0IWs+tvU=:JZcdGbWpi36nMk4ms05eU4+awB/ltZXcCdAkGdojBCA="
	users := "\"plain\" \"hush\"\n\"old\" \"md52332626bf908aab596e5f7efc9f5e59f\"\n\"new\" \"" + scram + "\"\n"
	open, closed, key := write("open.txt", users, 0o644), write("closed.txt", users, 0o640), write("key.pem", "", 0o644)
	const begin = "[pgbouncer]\npool_mode=transaction\n"
	for _, tc := range []struct{ text, want string }{
		{begin + "auth_file=" + open + "\n", "auth_file = " + open + ": holds the users' passwords, and everyone on this machine can read it: its mode is -rw-r--r--; chmod o-rwx " + open},
		{begin + "auth_file=" + closed + "\n", ""},
		{begin + "auth_file=" + closed + "\nauth_user=plain\n", ""},
		{begin + "auth_file=" + closed + "\nauth_user=old\n", ""},
		{begin + "auth_file=" + closed + "\nauth_user=new\n", "auth_user = new: has a SCRAM secret in auth_file"},
		{begin + "auth_file=" + closed + "\nauth_user=other\n", "auth_user = other: has no password in auth_file"},
		{begin + "auth_file=" + closed + "\nauth_type=scram-sha-256\n", "auth_type = scram-sha-256: a user of auth_file with an md5 secret cannot log in: old; set auth_type = md5"},
		{begin + "auth_file=" + closed + "\n[databases]\na = host=x auth_dbname=pgbouncer auth_user=plain\n", "a: auth_dbname = pgbouncer: is the console's name"},
		{begin + "auth_type=trust\nserver_tls_cert_file=x\nserver_tls_key_file=" + key + "\n", "server_tls_key_file = " + key + ": holds a private key"},
	} {
		warnings := parseText(t, tc.text).Warnings()
		if tc.want == "" && len(warnings) > 0 || tc.want != "" && (len(warnings) != 1 || !strings.Contains(warnings[0].String(), tc.want)) {
			t.Errorf("%s\n got %v\nwant %s", tc.text, warnings, tc.want)
		}
	}
	main := write("main.ini", begin+"auth_type=trust\n[databases]\na = user=u password=hush\nb = user=u password=hush\n", 0o644)
	c, _, err := Load(main)
	if err != nil {
		t.Fatal(err)
	}
	warnings := c.Warnings()
	if len(warnings) != 1 || warnings[0].String() != main+":5: a: password = (hidden): everyone on this machine can read it: "+main+" has mode -rw-r--r--; chmod o-rwx "+main {
		t.Errorf("got %v", warnings)
	}
}

// TestWarningOfNoUsers: PgBouncer starts with a file by which nobody can log in but the console's owner, and its own minimal sample is one. Flags by which nobody can are a mistake.
func TestWarningOfNoUsers(t *testing.T) {
	c := parseText(t, "[pgbouncer]\npool_mode=transaction\nauth_type=md5\n")
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	if w := c.Warnings(); len(w) != 1 || !strings.HasPrefix(w[0].String(), "t.ini:3: auth_type = md5: no user has a password, so that nobody can log in; name a file of users") {
		t.Errorf("got %v", w)
	}
	if err := Defaults().Check(); err == nil || !strings.HasPrefix(err.Error(), "auth_type = md5: no user has a password, so that nobody could log in") {
		t.Errorf("without a file: %v", err)
	}
}

// TestWarningsAlike: of many databases with one fault some are named, and the others counted.
func TestWarningsAlike(t *testing.T) {
	var file strings.Builder
	file.WriteString("[pgbouncer]\npool_mode=transaction\nauth_type=trust\n[databases]\n")
	for i := range 10 {
		fmt.Fprintf(&file, "d%d = pool_size=30 max_db_connections=10\n", i)
	}
	warnings := parseText(t, file.String()).Warnings()
	if len(warnings) != mostAlike {
		t.Fatalf("%d warnings: %v", len(warnings), warnings)
	}
	for i, w := range warnings {
		want := fmt.Sprintf("t.ini:%d: d%d: pool_size = 30: is never reached: max_db_connections = 10", 5+i, i)
		if i == mostAlike-1 {
			want += ", and so of 7 more databases"
		}
		if got := w.String(); got != want+"; lower it, or raise max_db_connections" {
			t.Errorf("got %s\nwant %s; ...", got, want)
		}
	}
}
