package admin

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"poolerd/pool"
)

// TestSet: a setting changes at once, until the next RELOAD; SHOW CONFIG shows it.
func TestSet(t *testing.T) {
	p := newPooler(t)
	x := connect(t, newConsoleOf(p, &fakeControl{}, "v1", nil), "root")
	shown := func(key string) string {
		for _, row := range x.query("SHOW CONFIG").rows {
			if string(row[0]) == key {
				return string(row[1])
			}
		}
		return "not there"
	}
	before := p.Config()
	for _, test := range []struct{ sql, tag, key, value string }{
		{"SET default_pool_size = 5", "SET default_pool_size=5", "default_pool_size", "5"},
		{"set default_pool_size=6;", "SET default_pool_size=6", "default_pool_size", "6"},
		{"SET default_pool_size TO '7'", "SET default_pool_size=7", "default_pool_size", "7"},
		{`SET "default_pool_size" to 8`, "SET default_pool_size=8", "default_pool_size", "8"},
		{"SET Default_Pool_Size = 9", "SET Default_Pool_Size=9", "default_pool_size", "9"},
		{"SET server_reset_query = 'SELECT ''a'''", "SET server_reset_query=SELECT 'a'", "server_reset_query", "SELECT 'a'"},
		{"SET server_reset_query = ''", "SET server_reset_query=", "server_reset_query", ""},
		{"SET query_timeout = 1.5", "SET query_timeout=1.5", "query_timeout", "1.5"},
	} {
		check(t, x.query(test.sql), "CZ", test.tag, "", "")
		if got := shown(test.key); got != test.value {
			t.Errorf("after %s, %s = %q", test.sql, test.key, got)
		}
	}
	now := p.Config()
	if before.DefaultPoolSize != 20 || now.DefaultPoolSize != 9 || now.QueryTimeout != 1500*time.Millisecond {
		t.Errorf("pool size %d before, %d now; query_timeout %v", before.DefaultPoolSize, now.DefaultPoolSize, now.QueryTimeout)
	}
}

// TestSetFails: what cannot be is refused with the reason, and nothing has changed.
func TestSetFails(t *testing.T) {
	p := newPooler(t)
	x := connect(t, newConsoleOf(p, &fakeControl{}, "v1", nil), "root")
	before := p.Config()
	for _, test := range []struct{ sql, message, detail string }{
		{"SET frob = 1", "SET failed", "frob"},
		{"SET default_pool_size = many", "SET failed", "many"},
		{"SET default_pool_size = -1", "SET failed", "default_pool_size"},
		{"SET pool_mode = 'sometimes'", "SET failed", "sometimes"},
		{`SET "" = 1`, "bad arguments", ""},
		{"SET default_pool_size", "invalid command 'SET default_pool_size', use SHOW HELP;", ""},
		{"SET default_pool_size 5", "invalid command", ""},
		{"SET default_pool_size = 5 6", "invalid command", ""},
		{"SET default_pool_size = ,", "invalid command", ""},
		{"SET 'default_pool_size' = 5", "invalid command", ""},
		{"SET", "invalid command 'SET', use SHOW HELP;", ""},
	} {
		a := x.query(test.sql)
		check(t, a, "EZ", "", "08P01", test.message)
		if a.err != nil && !strings.Contains(a.err.Detail, test.detail) {
			t.Errorf("%s: detail %q", test.sql, a.err.Detail)
		}
	}
	if p.Config() != before {
		t.Error("the settings have changed")
	}
}

// TestSetWithoutEffect: PgBouncer takes without a word what it reads at its start only; here the client is told.
func TestSetWithoutEffect(t *testing.T) {
	p := newPooler(t)
	x := connect(t, newConsoleOf(p, &fakeControl{}, "v1", nil), "root")
	before := p.Config()
	for sql, detail := range map[string]string{
		"SET listen_port = 7000": "listen_port is read at the start only",
		"SET pkt_buf = 8192":     "pkt_buf has no effect",
	} {
		a := x.query(sql)
		check(t, a, "NCZ", "", "", "")
		if len(a.notices) != 1 || a.notices[0].Message != "SET ignored" || !strings.HasPrefix(a.notices[0].Detail, detail) {
			t.Errorf("%s: notices %+v", sql, a.notices)
		}
	}
	if p.Config() != before {
		t.Error("the settings have changed")
	}
}

// TestSetIsNotLogged: the log has no value of a SET, which may be a password, whether it could be read or not.
func TestSetIsNotLogged(t *testing.T) {
	var log bytes.Buffer
	x := connectAs(t, newConsoleOf(newPooler(t), &fakeControl{}, "v1", nil), "root", func(s *pool.ConsoleSession) { s.Log = zerolog.New(&log) })
	for _, sql := range []string{"SET auth_ldap_options = ldapbindpasswd=canary x", "  set auth_ldap_options='ldapbindpasswd=canary", "SET auth_ldap_options = 'ldapbindpasswd=canary'"} {
		x.query(sql)
	}
	x.query("frobnicate")
	_ = x.conn.Close()
	if err := x.end(); err != nil {
		t.Error(err)
	}
	if text := log.String(); strings.Contains(text, "canary") || !strings.Contains(text, "SET ...") || !strings.Contains(text, "frobnicate") {
		t.Error(text)
	}
}
