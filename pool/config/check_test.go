package config

import (
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestCheck(t *testing.T) {
	const trust = "auth_type=trust\n"
	for _, tc := range []struct{ text, want string }{
		{trust, ""},
		{"auth_file = x\n", ""},
		{"auth_type=md5\n", ""}, // a warning, in a file
		{"auth_type = hba\nauth_hba_file = x\n", ""},
		{"auth_type = hba\n", "t.ini:2: auth_type = hba: needs a file of access rules; name it with auth_hba_file"},
		{"auth_type = ldap\n", "t.ini:2: auth_type = ldap: needs to know the LDAP server; set auth_ldap_options"},
		{"auth_type = ldap\nauth_ldap_options = ldapserver=x\n", ""},
		{"auth_type = cert\n", "t.ini:2: auth_type = cert: needs clients' certificates that are verified; set client_tls_sslmode = verify-full and client_tls_ca_file"},
		{trust + "client_tls_sslmode = prefer\n", "t.ini:3: client_tls_sslmode = prefer: needs a certificate to show to clients, and its key; set client_tls_cert_file and client_tls_key_file"},
		{trust + "client_tls_sslmode = prefer\nclient_tls_cert_file = x\n", "t.ini:3: client_tls_sslmode = prefer: needs a certificate"},
		{trust + "client_tls_sslmode = verify-ca\nclient_tls_cert_file = x\nclient_tls_key_file = y\n", "t.ini:3: client_tls_sslmode = verify-ca: needs to know who signs clients' certificates; set client_tls_ca_file"},
		{"auth_type = cert\nclient_tls_sslmode = verify-ca\nclient_tls_cert_file = x\nclient_tls_key_file = y\nclient_tls_ca_file = z\n", ""},
		{trust + "[poolerd]\nserver_tls_sslnegotiation = direct\n", "t.ini:4: server_tls_sslnegotiation = direct: cannot fall back to plain text, which server_tls_sslmode = prefer means"},
		{trust + "server_tls_sslmode = require\n[poolerd]\nserver_tls_sslnegotiation = direct\n", ""},
		{trust + "server_tls_key_file = x\n", "t.ini:3: server_tls_key_file = x: is one half of a pair; set server_tls_cert_file too, or neither"},
		{trust + "server_tls_cert_file = x\n", "t.ini:3: server_tls_cert_file = x: is one half of a pair; set server_tls_key_file too"},
		{"auth_user = asker\n", ""},
		{"[databases]\na = auth_user=asker", ""},
		{trust + "listen_addr =\n", ""},
		{trust + "unix_socket_dir =\nlisten_addr =\n", "t.ini:4: listen_addr: there is nothing to listen on"},
		{trust + "listen_addr = a:b\n", "t.ini:3: listen_addr = a:b: the port of a:b is not a usable whole number"},
		{trust + "listen_addr = a,a:6432\n", "t.ini:3: listen_addr = a,a:6432: a:6432 stands there twice"},
		{trust + "listen_addr = /tmp\n", "t.ini:3: listen_addr = /tmp: /tmp is not an address"},
		{trust + "stats_period = 0\n", "t.ini:3: stats_period = 0: statistics need a period"},
		{"auth_type=any\n[databases]\na = host=x", "t.ini:4: a: names no user, which auth_type = any needs"},
		{"auth_type=any\n[databases]\na = host=x user=u", ""},
	} {
		err := parseText(t, "[pgbouncer]\n"+tc.text).Check()
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%q: %v", tc.text, err)
		case tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%q:\n got %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

func TestCheckFindsAll(t *testing.T) {
	err := parseText(t, "[pgbouncer]\nlisten_addr=/tmp\nstats_period=0\nauth_type=hba\n").Check()
	if many, ok := err.(Errors); !ok || len(many) != 3 {
		t.Errorf("got %v, want three problems", err)
	}
}

func TestDiff(t *testing.T) {
	old := parseText(t, "[databases]\na = host=x password=one\nb = host=x\nc=host=x\n[users]\nu=pool_size=3\n[peers]\n1=host=x\n2=host=y\n[pgbouncer]\nlisten_port=1\nquery_timeout=1\n")
	changed := parseText(t, "[databases]\n;\na = host=x password=two\nb = host=x\nd=host=x\n[users]\nu=pool_size=3\n[peers]\n\n1=host=x\n2=host=z\n[pgbouncer]\nlisten_port=2\nquery_timeout=2.5\n")
	want := []Change{
		{"listen_port", "1", "2", true},
		{"query_timeout", "1", "2.5", false},
		{"databases.a", "set", "changed", false},
		{"databases.c", "set", "", false},
		{"databases.d", "", "set", false},
		{"peers.2", "set", "changed", false},
	}
	got := Diff(old, changed)
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
}

func TestRights(t *testing.T) {
	c := parseText(t, "[pgbouncer]\nadmin_users=boss\nstats_users=eye")
	if !c.IsAdmin("boss") || c.IsAdmin("eye") || !c.IsStats("eye") || !c.IsStats("boss") || c.IsStats("u") {
		t.Error("wrong rights")
	}
	if c.AuthType = AuthAny; c.IsAdmin("u") || !c.IsStats("u") || !c.IsAdmin("boss") {
		t.Error("with auth_type=any everyone may look, and only administrators change")
	}
}

// TestAuthDBName: the console has no users to ask for.
func TestAuthDBName(t *testing.T) {
	_, _, err := Parse("t.ini", []byte("[pgbouncer]\nauth_dbname = pgbouncer\n"))
	if want := `t.ini:2: auth_dbname = pgbouncer: cannot use the reserved "pgbouncer" database as an auth_dbname`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
