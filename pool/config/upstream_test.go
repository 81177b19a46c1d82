package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"poolerd/wire/secure"
)

func TestApplyUpstream(t *testing.T) {
	for _, tc := range []struct{ url, want string }{
		{"postgres://u:p@h:1/db", "h:1 u/p db"},
		{"postgresql://h", "h:5432 / "},
		{"postgres://u@h/", "h:5432 u/ "},
		{"postgres://u:p%40%2F%3F@h/db?sslmode=disable", "h:5432 u/p@/? db"},
		{"postgres://[::1]:7/db?sslmode=prefer&application_name=x", "::1:7 / db"},
		{"postgres://u:p@a,b:7/db", "a,b:7 u/p db"},
		{"postgres:///db?host=/run/postgresql&user=u&password=p&port=9", "/run/postgresql:9 u/p db"},
	} {
		c := Defaults()
		if err := ApplyUpstream(c, tc.url, Origin{Flag: "--upstream"}); err != nil {
			t.Errorf("%s: %v", tc.url, err)
			continue
		}
		db, ok := c.Database("mine")
		got := fmt.Sprintf("%s:%d %s/%s %s", db.Host, db.Port, c.Upstream.User, c.Upstream.Password.Reveal(), c.Upstream.Database)
		if !ok || got != tc.want || db.DBName != "mine" || db.User != "" {
			t.Errorf("%s: got %s, want %s (%+v)", tc.url, got, tc.want, db)
		}
	}
	c := Defaults()
	if err := ApplyUpstream(c, "postgres://u:p@h?connect_timeout=3", Origin{}); err != nil || c.ServerConnectTimeout != 3*time.Second {
		t.Errorf("connect_timeout: %v, %v", c.ServerConnectTimeout, err)
	}
	if err := ApplyUpstream(c, "postgres://u:p@h?sslmode=verify-full&sslrootcert=ca.pem&sslcert=c.pem&sslkey=k.pem", Origin{}); err != nil || c.ServerTLS.Mode != secure.VerifyFull ||
		c.ServerTLS.CAFile != "ca.pem" || c.ServerTLS.CertFile != "c.pem" || c.ServerTLS.KeyFile != "k.pem" {
		t.Errorf("TLS: %+v, %v", c.ServerTLS, err)
	}
	list, err := c.Secrets()
	if secret, ok := list.Reveal("u"); err != nil || !ok || secret != "p" {
		t.Errorf("the URL's user is not known: %v, %v", list.Users(), err)
	}
}

func TestBadUpstream(t *testing.T) {
	for _, tc := range []struct{ url, want string }{
		{"", `--upstream: is not a PostgreSQL URL; write postgres://`},
		{"localhost:5432", `--upstream "localhost:5432": is not a PostgreSQL URL`},
		{"mysql://u:hush@h", `--upstream "mysql://(hidden)@h": is not a PostgreSQL URL`},
		{"host=h password=hush", `--upstream "(hidden)": is not a PostgreSQL URL`},
		{"postgres://u:hush@h:x/db", `--upstream "postgres://(hidden)@h:x/db": is not a URL that can be read`},
		{"postgres://u:hush@h:99999/db", `--upstream "postgres://(hidden)@h:99999/db": the port is not a usable whole number; give one from 1 to 65535`},
		{"postgres://u:hush@hush@h:x", `--upstream "postgres://(hidden)@h:x": is not a URL that can be read`},
		{"postgres://u:1#hush@h/db", `--upstream "postgres://(hidden)@h/db": is not a URL that can be read`},
		{"postgres://u:1?hush@h/db", `--upstream "(hidden)"`},
		{"postgres://u:hush@a:1,b:2/db", `--upstream "postgres://(hidden)@a:1,b:2/db": several hosts have one port; write host,host:port`},
		{"postgres://u:hush@h/db?sslmode=always", `--upstream "always": unknown sslmode; give disable, allow`},
		{"postgres://h/db?password=hush&pgbouncer=true", `--upstream "postgres://h/db?...": its parameter pgbouncer is not supported; leave it out`},
		{"postgres://h/db?host=a,,b", `--upstream "a,,b": one of the hosts is empty`},
		{"postgres://h/db?port=0", `--upstream "postgres://h/db?...": port=0 is not a usable whole number`},
		{"postgres://h/db?connect_timeout=x", `--upstream "x": not a usable duration`},
	} {
		err := ApplyUpstream(Defaults(), tc.url, Origin{Flag: "--upstream"})
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s:\n got %v\nwant %s", tc.url, err, tc.want)
		}
	}
}

func TestApplyEnvironment(t *testing.T) {
	for _, tc := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{}, "none"},
		{map[string]string{"PGUSER": "u"}, "none"},
		{map[string]string{"PGHOST": "h"}, "h:5432 / "},
		{map[string]string{"PGHOST": "h", "PGPORT": "7", "PGUSER": "u", "PGPASSWORD": "p", "PGDATABASE": "d", "PGSSLMODE": "prefer"}, "h:7 u/p d"},
		{map[string]string{"PGHOST": "h", "DATABASE_URL": "postgres://u:p@other/d"}, "other:5432 u/p d"},
		{map[string]string{"PGHOST": "h", "PGPORT": "x"}, `PGPORT "x": not a usable whole number`},
		{map[string]string{"PGHOST": "h", "PGSSLMODE": "always"}, `PGSSLMODE "always": unknown sslmode`},
		{map[string]string{"DATABASE_URL": "x"}, `DATABASE_URL "x": is not a PostgreSQL URL`},
	} {
		c := Defaults()
		found, err := ApplyEnvironment(c, func(name string) string { return tc.env[name] })
		got := "none"
		switch db := c.Databases["*"]; {
		case err != nil:
			got = err.Error()
		case found:
			got = fmt.Sprintf("%s:%d %s/%s %s", db.Host, db.Port, c.Upstream.User, c.Upstream.Password.Reveal(), c.Upstream.Database)
		}
		if !strings.HasPrefix(got, tc.want) {
			t.Errorf("%v: got %s, want %s", tc.env, got, tc.want)
		}
	}
}

// FuzzUpstream: no URL breaks the reader, and a password that may stand in it does not show in the error.
func FuzzUpstream(f *testing.F) {
	f.Add("postgres://u:%s@h:1/db?sslmode=prefer")
	f.Add("postgres://h?password=%s")
	f.Fuzz(func(t *testing.T, form string) {
		c := Defaults()
		if err := ApplyUpstream(c, form, Origin{Flag: "--upstream"}); err == nil {
			if _, ok := c.Database("x"); !ok {
				t.Fatalf("%q is accepted and gives no database", form)
			}
		}
		const word = "Hush7Hush"
		if err := ApplyUpstream(Defaults(), "postgres://u:"+word+"@"+form, Origin{Flag: "--upstream"}); err != nil && strings.Contains(err.Error(), word) {
			t.Fatalf("%q shows the password: %v", form, err)
		}
	})
}
