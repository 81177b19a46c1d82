package config

import (
	"strings"
	"testing"
	"time"
)

// TestClone: what is done to a clone leaves the original alone.
func TestClone(t *testing.T) {
	c := parseText(t, "[databases]\na = host=x timezone=UTC\n[users]\nu=pool_size=3\n[peers]\n1=host=x\n[pgbouncer]\nadmin_users=a,b\nquery_timeout=1\n")
	clone := c.Clone()
	if changes := Diff(c, clone); len(changes) > 0 {
		t.Fatalf("the clone differs: %v", changes)
	}
	if err := clone.Set("query_timeout", "2", Origin{}); err != nil {
		t.Fatal(err)
	}
	clone.inert["pkt_buf"] = "8192"
	clone.AdminUsers[0] = "z"
	clone.Databases["b"] = Database{}
	clone.Databases["a"].Params["timezone"] = "CET"
	delete(clone.Users, "u")
	delete(clone.Peers, 1)
	if c.QueryTimeout != time.Second || clone.QueryTimeout != 2*time.Second || c.AdminUsers[0] != "a" || len(c.Databases) != 1 || c.Databases["a"].Params["timezone"] != "UTC" ||
		len(c.Users) != 1 || len(c.Peers) != 1 || c.Origin("query_timeout").Line == 0 || entryOf(c, "pkt_buf").Value != "4096" || entryOf(clone, "pkt_buf").Value != "8192" {
		t.Errorf("the original changed: %+v", c)
	}
}

func entryOf(c *Config, key string) Entry {
	for _, e := range c.Entries() {
		if e.Key == key {
			return e
		}
	}
	return Entry{}
}

// TestKeeping: a reload changes what it can, and each key that it cannot stays.
func TestKeeping(t *testing.T) {
	old := parseText(t, "[pgbouncer]\nlisten_port=1\nunix_socket_mode=0700\nquery_timeout=1\n[poolerd]\nthreads=2\n")
	wanted := parseText(t, "[pgbouncer]\nlisten_port=2\nlisten_addr=*,::1\nunix_socket_mode=0770\nquery_timeout=2\n[poolerd]\nthreads=3\n[databases]\na=host=x\n")
	got := wanted.Keeping(old)
	if got.ListenPort != 1 || strings.Join(got.ListenAddr, ",") != "127.0.0.1" || got.UnixSocketMode != 0o700 || got.Threads != 2 || got.QueryTimeout != 2*time.Second || len(got.Databases) != 1 {
		t.Errorf("got %+v", got)
	}
	if wanted.ListenPort != 2 || wanted.Threads != 3 {
		t.Errorf("what was wanted changed: %+v", wanted)
	}
	for _, change := range Diff(old, got) {
		if change.Restart {
			t.Errorf("%+v", change)
		}
	}
}

// TestSet: what SET says of a value that cannot be, and of a name that may be a password.
func TestSet(t *testing.T) {
	for _, tc := range []struct{ key, value, want string }{
		{"query_timeout", "5", ""},
		{"pool_mode", "Session", ""},
		{"query_timeout", "soon", `SET query_timeout "soon": not a usable duration; give seconds`},
		{"query_timeuot", "5", `SET query_timeuot "5": unknown setting; did you mean query_timeout?`},
		{"auth_ldap_option", "ldapbindpasswd=hush", `SET auth_ldap_option "ldapbindpasswd=(hidden)": unknown setting; did you mean auth_ldap_options?`},
		{"password", "hush", `SET password "(hidden)": unknown setting`},
	} {
		err := Defaults().Set(tc.key, tc.value, Origin{Flag: "SET " + tc.key})
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want)) {
			t.Errorf("%s = %s: got %v, want %q", tc.key, tc.value, err, tc.want)
		}
	}
}

// TestMaskedPassword: a password of the directory shows nowhere, and a change of nothing but it is a change.
func TestMaskedPassword(t *testing.T) {
	set := func(password string) *Config {
		return parseText(t, "[pgbouncer]\nauth_ldap_options = ldapserver=x ldapbindpasswd=\""+password+"\" ldapport=1\n")
	}
	a, b := set("hush hush"), set("hush \"\" again")
	const want = `ldapserver=x ldapbindpasswd=(hidden) ldapport=1`
	if got := entryOf(a, "auth_ldap_options").Value; got != want {
		t.Errorf("SHOW CONFIG shows %s", got)
	}
	changes := Diff(a, b)
	if len(changes) != 1 || changes[0].Old != want || changes[0].New != want {
		t.Errorf("changes %+v", changes)
	}
	if a.AuthLDAPOptions != `ldapserver=x ldapbindpasswd="hush hush" ldapport=1` {
		t.Errorf("the setting is %s", a.AuthLDAPOptions)
	}
	if got := maskPasswords(`ldapbindpasswd="hush hush`); got != "ldapbindpasswd=(hidden)" {
		t.Errorf("an open quote: %s", got)
	}
}

// TestEntriesAreComplete: SHOW CONFIG has every key, with PgBouncer's word for the file.
func TestEntriesAreComplete(t *testing.T) {
	c, _, err := Parse("some.ini", []byte("[pgbouncer]\nconffile = other.ini\n"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Entries()); n != len(Keys()) {
		t.Errorf("%d entries of %d keys", n, len(Keys()))
	}
	for key, want := range map[string]Entry{
		"conffile":          {"conffile", "some.ini", "", true},
		"pkt_buf":           {"pkt_buf", "4096", "4096", false},
		"max_client_conn":   {"max_client_conn", "10000", "10000", true},
		"unix_socket_mode":  {"unix_socket_mode", "0777", "0777", false},
		"tcp_defer_accept":  {"tcp_defer_accept", "1", "1", true},
		"query_wait_notify": {"query_wait_notify", "5", "5", true},
	} {
		if got := entryOf(c, key); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}
