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
		{"auth_type=md5\n", "t.ini:2: auth_type = md5: no user has a password, so that nobody could log in; name a file of users with auth_file (--auth-file)"},
		{"", "auth_type = md5: no user has a password"},
		{"auth_type = hba\n", ""},
		{"auth_user = asker\n", ""},
		{"[databases]\na = auth_user=asker", ""},
		{trust + "min_pool_size=30\n", "t.ini:3: min_pool_size = 30: is larger than default_pool_size = 20; lower it, or raise default_pool_size"},
		{trust + "default_pool_size=3\nmin_pool_size=3\n", ""},
		{trust + "min_pool_size=3\nmax_db_connections=2\n", "t.ini:3: min_pool_size = 3: is larger than max_db_connections = 2"},
		{trust + "[databases]\na = min_pool_size=30", "t.ini:4: a: min_pool_size = 30: is larger than the database's pool_size of 20"},
		{trust + "[databases]\na = min_pool_size=30 pool_size=30", ""},
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
	err := parseText(t, "[pgbouncer]\nmin_pool_size=30\nstats_period=0\n").Check()
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
	if c.AuthType = AuthAny; !c.IsAdmin("u") {
		t.Error("with auth_type=any everyone is an administrator")
	}
}
