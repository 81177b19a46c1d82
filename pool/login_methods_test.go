package pool

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"os"
	"os/user"
	"strings"
	"testing"

	"poolerd/pool/config"
	"poolerd/wire"
)

// A secret of each kind; the password is always foo.
const loginUsers = `"plain" "foo"
"hashed" "md56c90ba2de6e9e4ec0d1d8b16b4a0f9a8"
"scram" "SCRAM-SHA-256$4096:D76gvGUVj9Z4DNiGoabOBg==$RukL0Xo3Ql/2F9FsD7mcQ3GATG2fD3PA71qY1JagGDs=:BhKUwyyivFm7Tq2jDJVXSVRbRDgTWyBilZKgg6DDuYU="
"empty" ""
`

// usersFile writes loginUsers, with the digest in place.
func usersFile(t *testing.T, dir string) string {
	t.Helper()
	return file(t, dir, "users", strings.Replace(loginUsers, "6c90ba2de6e9e4ec0d1d8b16b4a0f9a8", digest("foo"+"hashed"), 1))
}

// digest is what PostgreSQL stores behind "md5".
func digest(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestMethods: every method with every kind of secret, right and wrong. The answers are PostgreSQL's, with PgBouncer's words beside them.
func TestMethods(t *testing.T) {
	const wrong, sasl = "password authentication failed for user", "SASL authentication failed"
	f := startFake(t)
	for _, test := range []struct {
		method  config.AuthType
		answers map[string]string // by "user password"
	}{
		{config.AuthTrust, map[string]string{"plain x": "", "empty x": "", "nobody x": `"trust" authentication failed`}},
		{config.AuthPlain, map[string]string{
			"plain foo": "", "plain bar": wrong, "hashed foo": "", "hashed bar": wrong, "scram foo": "", "scram bar": wrong, "empty foo": wrong, "nobody foo": wrong,
		}},
		{config.AuthMD5, map[string]string{
			"plain foo": "", "plain bar": wrong, "hashed foo": "", "hashed bar": wrong, "scram foo": "", "scram bar": sasl, "empty foo": wrong, "nobody foo": wrong,
		}},
		{config.AuthSCRAM, map[string]string{
			"plain foo": "", "plain bar": sasl, "hashed foo": sasl, "scram foo": "", "scram bar": sasl, "empty foo": sasl, "nobody foo": sasl,
		}},
	} {
		t.Run(test.method.String(), func(t *testing.T) {
			h := openHouse(t, f.url(), func(c *config.Config, dir string) { c.AuthType, c.AuthFile = test.method, usersFile(t, dir) })
			for who, answer := range test.answers {
				name, password, _ := strings.Cut(who, " ")
				h.expect("dbname=d user="+name+" password="+password, answer)
			}
			for _, secret := range []string{"foo", "SCRAM-SHA-256$", "BhKUwyyivFm7", digest("foo" + "hashed")} {
				if strings.Contains(h.log.String(), secret) {
					t.Errorf("the log has %s", secret)
				}
			}
		})
	}
}

// TestUnknownLooksLikeWrong: byte for byte, an unknown user, an unknown database and a wrong password are the same, but for what is random.
func TestUnknownLooksLikeWrong(t *testing.T) {
	f := startFake(t)
	for _, method := range []config.AuthType{config.AuthPlain, config.AuthMD5} {
		h := openHouse(t, f.url(), func(c *config.Config, dir string) {
			c.AuthType, c.AuthFile = method, usersFile(t, dir)
			c.Databases = map[string]config.Database{"d": c.Databases["*"]}
		})
		talk := func(user, database string) string {
			nc := h.dial(startup("user", user, "database", database))
			typ, body, err := wire.ReadMessage(nc, 1<<16)
			if err != nil || typ != wire.ServerAuthentication {
				t.Fatalf("%q, %v", typ, err)
			}
			said := string(body[:4])
			if _, err := nc.Write(passwordMessage("bar")); err != nil {
				t.Fatal(err)
			}
			e := readError(t, nc)
			return said + strings.ReplaceAll(string(e.Append(nil)[5:]), user, "USER")
		}
		want := talk("plain", "d")
		for _, other := range [][2]string{{"nobody", "d"}, {"plain", "nowhere"}, {"nobody", "nowhere"}, {"plain", "pgbouncer"}, {"nobody", "pgbouncer"}, {"empty", "d"}} {
			if got := talk(other[0], other[1]); got != want {
				t.Errorf("%v: %s looks different:\n%q\n%q", method, other, got, want)
			}
		}
		h.expect("dbname=nowhere user=plain password=foo", "no such database: nowhere")
		h.expect("dbname=pgbouncer user=plain password=foo", "not allowed")
		h.log.wants(t, "closing because: no such database: nowhere (age=0s)")
		h.log.wants(t, "no such user: nobody")
		// That line takes time, which the client does not see.
		if text := h.log.String(); strings.Index(text, "no such user: nobody") < strings.Index(text, `"user":"nobody","message":"closing because: `) {
			t.Error("the log is told of an unknown user before the client has its answer")
		}
	}
}

// passwordMessage makes a PasswordMessage.
func passwordMessage(password string) []byte {
	b := append([]byte{wire.ClientPassword, 0, 0, 0, byte(5 + len(password))}, password...)
	return append(b, 0)
}

// TestHBA: the first rule that fits gives the method; who fits none stays out. A reload takes the new rules, or none of them.
func TestHBA(t *testing.T) {
	f := startFake(t)
	const rules = `
local all all peer map=staff
host  shop hashed 127.0.0.1/32 reject
host  shop all    127.0.0.1/32 scram-sha-256
host  d    plain  127.0.0.0/8  trust
host  d    nobody 127.0.0.0/8  trust
host  d    scram  127.0.0.0/8  password
hostssl all all   0.0.0.0/0    trust
`
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	h := openHouse(t, f.url(), func(c *config.Config, dir string) {
		c.AuthType, c.AuthFile = config.AuthHBA, usersFile(t, dir)
		c.AuthHBAFile = file(t, dir, "hba", rules)
		c.AuthIdentFile = file(t, dir, "ident", "staff "+me.Username+" plain\nothers somebody scram\n")
	})
	h.expect("dbname=shop user=hashed password=foo", "login rejected: no encryption")
	h.log.wants(t, "closing because: login rejected (age=")
	h.expect("dbname=shop user=plain password=foo", "")
	h.expect("dbname=shop user=plain password=bar", "password authentication failed")
	h.expect("dbname=d user=plain", "")
	h.expect("dbname=d user=nobody", `"trust" authentication failed`)
	h.expect("dbname=d user=scram password=foo", "")
	h.expect("dbname=d user=empty password=foo", "no authentication method is found")
	local := " host=" + h.unix + " port=5432"
	h.expect("dbname=d user=plain"+local, "")
	h.expect("dbname=d user=scram"+local, "unix socket login rejected")
	h.log.wants(t, fmt.Sprintf(`"client_addr":"unix(%d):5432","database":"d","user":"scram","message":"ident map staff cannot be matched"`, os.Getpid()))

	next := *h.conf
	next.AuthHBAFile = file(t, h.dir, "broken", "host all all 127.0.0.1/32 trust\nhost all all 127.0.0.1/99 trust\n")
	if err := h.pooler.Reload(&next); err == nil || !strings.Contains(err.Error(), "auth_hba_file") || !strings.Contains(err.Error(), "127.0.0.1/99") {
		t.Errorf("broken rules: %v", err)
	}
	h.expect("dbname=shop user=hashed password=foo", "login rejected")
	next.AuthHBAFile = file(t, h.dir, "open", "host all all 127.0.0.1/32 trust\n")
	if err := h.pooler.Reload(&next); err != nil {
		t.Fatal(err)
	}
	h.expect("dbname=shop user=hashed password=foo", "")
}

// TestPeerWithoutMap: the system's name is the user's.
func TestPeerWithoutMap(t *testing.T) {
	f := startFake(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	h := openHouse(t, f.url(), func(c *config.Config, dir string) {
		c.AuthType, c.AuthFile = config.AuthHBA, file(t, dir, "users", `"`+me.Username+"\" \"\"\n\"other\" \"\"\n")
		c.AuthHBAFile = file(t, dir, "hba", "local all all peer\n")
	})
	local := " host=" + h.unix + " port=5432"
	h.expect("dbname=d user="+me.Username+local, "")
	h.expect("dbname=d user=other"+local, "unix socket login rejected")
	h.expect("dbname=d user="+me.Username, "no authentication method is found")
}

// TestAny: nobody is asked, and the database says who everybody is.
func TestAny(t *testing.T) {
	f := startFake(t)
	h := openHouse(t, f.url(), func(c *config.Config, _ string) {
		c.AuthType = config.AuthAny
		forced := c.Databases["*"]
		forced.Name, forced.User, forced.DBName = "forced", "owner", "d"
		c.Databases["forced"] = forced
	})
	h.expect("dbname=forced user=whoever", "")
	h.expect("dbname=d user=whoever", "bouncer config error")
	h.log.wants(t, "auth_type=any requires forced user")
	if pools := h.pooler.Pools(); len(pools) != 1 || pools[0].User != "owner" {
		t.Errorf("%+v", pools)
	}
}

// console notes who was let in to it.
type consoleDoor struct{ users chan string }

func (c consoleDoor) Serve(s *ConsoleSession) error {
	who := s.User
	if s.Owner {
		who = "owner"
	}
	c.users <- who
	_, err := s.Conn.Write(appendWelcome(wire.AppendAuthenticationOK(nil), nil, cancelKey{1, []byte{1, 2, 3, 4}}))
	return err
}

// TestConsoleLogin: the pooler's own system user needs no password over the Unix socket, and is let in when there is no room for anybody; others are asked, and must be named.
func TestConsoleLogin(t *testing.T) {
	f := startFake(t)
	door := consoleDoor{make(chan string, 10)}
	h := openHouse(t, f.url(), func(c *config.Config, dir string) {
		c.AuthType, c.AuthFile, c.MaxClientConn = config.AuthSCRAM, usersFile(t, dir), 0
		c.AdminUsers, c.StatsUsers = []string{"plain"}, []string{"scram"}
	}, func(p *Pooler) { p.SetConsole(door) })
	local := " host=" + h.unix + " port=5432"
	h.expect("dbname=pgbouncer user=pgbouncer"+local, "")
	h.log.wants(t, "pgbouncer access from unix socket")
	h.log.wants(t, "closing because: client close request")
	h.expect("dbname=pgbouncer user=pgbouncer password=foo", "password authentication failed")
	h.expect("dbname=d user=pgbouncer password=foo"+local, "password authentication failed")
	h.expect("dbname=pgbouncer user=plain password=foo", "")
	h.expect("dbname=pgbouncer user=scram password=foo"+local, "")
	h.expect("dbname=pgbouncer user=plain password=bar", "password authentication failed")
	h.expect("dbname=d user=plain password=foo", "no more connections allowed")
	close(door.users)
	var got []string
	for user := range door.users {
		got = append(got, user)
	}
	if strings.Join(got, " ") != "owner plain scram" {
		t.Errorf("let in: %s", got)
	}
}

// TestMalformedLogins: whatever comes, the answer is an error or the end, and the next client is served.
func TestMalformedLogins(t *testing.T) {
	f := startFake(t)
	h := openHouse(t, f.url(), func(c *config.Config, dir string) { c.AuthType, c.AuthFile = config.AuthMD5, usersFile(t, dir) })
	good := startup("user", "plain", "database", "d")
	for _, test := range []struct {
		name    string
		bytes   []byte
		message string
	}{
		{"no user", startup("database", "d"), "no PostgreSQL user name specified in startup packet"},
		{"empty user", startup("user", "", "database", "d"), "no PostgreSQL user name specified in startup packet"},
		{"nothing inside", []byte{0, 0, 0, 8, 0, 3, 0, 0}, "invalid startup packet layout: expected terminator as last byte"},
		{"too short", []byte{0, 0, 0, 7, 0, 3, 0}, "invalid length of startup packet"},
		{"too long", []byte{0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0}, "invalid length of startup packet"},
		{"protocol 2", []byte{0, 0, 0, 8, 0, 2, 0, 0}, "unsupported frontend protocol 2.0: server supports 3.0 to 3.2"},
		{"no end", append([]byte{0, 0, 0, 13, 0, 3, 0, 0}, "user\x00"...), "invalid startup packet layout: expected terminator as last byte"},
		{"long user", startup("user", strings.Repeat("x", 5000)), "username too long"},
		{"long database", startup("user", "plain", "database", strings.Repeat("x", 5000)), "database name too long"},
		{"replication", startup("user", "plain", "replication", "perhaps"), `invalid value for parameter "replication": "perhaps"`},
		{"a query in place of the password", append(bytes.Clone(good), wire.AppendQuery(nil, "SELECT 1")...), "expected a password message, got message type 81"},
		{"an endless password", append(bytes.Clone(good), wire.ClientPassword, 0x7f, 0xff, 0xff, 0xff), ""},
		{"a password without its end", append(bytes.Clone(good), wire.ClientPassword, 0, 0, 0, 5, 'x'), "invalid password packet size"},
	} {
		nc := h.dial(test.bytes)
		typ, body, err := wire.ReadMessage(nc, 1<<16)
		if typ == wire.ServerAuthentication {
			typ, body, err = wire.ReadMessage(nc, 1<<16)
		}
		e, _ := wire.ParseError(body)
		if err != nil || typ != wire.ServerErrorResponse || test.message != "" && e.Message != test.message || e.Severity != "FATAL" {
			t.Errorf("%s: %q, %v, %v", test.name, typ, e, err)
		}
		_ = nc.Close()
	}
	if strings.Contains(h.log.String(), strings.Repeat("x", 200)) {
		t.Error("the log has a name of any length")
	}
	h.expect("dbname=d user=plain password=foo", "")
}
