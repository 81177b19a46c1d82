package hba

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/bench/postgres"
	"poolerd/wire"
)

// server is a real PostgreSQL whose pg_hba.conf the tests write.
type server struct {
	*postgres.Cluster
	major int
	loads int
}

func startServer(t *testing.T) *server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	// With md5 for new passwords, a user who does not exist is asked by the method of the line.
	c, err := postgres.Start(ctx, postgres.Options{Settings: map[string]string{"password_encryption": "md5"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	major, err := c.Major()
	if err != nil {
		t.Fatal(err)
	}
	return &server{Cluster: c, major: major}
}

// continues tells whether the server knows lines that go on behind a backslash, which we do: it does from PostgreSQL 14 on.
func (s *server) continues() bool { return s.major >= 14 }

func (s *server) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir(), "data", name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s *server) query(t *testing.T, sql string) string {
	t.Helper()
	out, err := s.Psql(t.Context(), "postgres", sql)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// load makes the server go by rules, behind one that lets the superuser in, and waits until it does.
func (s *server) load(t *testing.T, rules, idents string) {
	t.Helper()
	s.loads++
	marker := fmt.Sprintf("marker%d", s.loads)
	s.write(t, "pg_ident.conf", idents)
	s.write(t, "pg_hba.conf", fmt.Sprintf("host postgres postgres 127.0.0.1/32 trust\nhost %s all 127.0.0.1/32 reject\n%s", marker, rules))
	if problems := s.query(t, "select line_number, error from pg_hba_file_rules where error is not null"); problems != "" {
		t.Fatalf("the server refuses its file: %s\n%s", problems, rules)
	}
	s.query(t, "select pg_reload_conf()")
	for end := time.Now().Add(20 * time.Second); s.ask(t, Conn{Addr: netip.MustParseAddr("127.0.0.1"), Database: marker, User: "x"}) != Reject; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the server does not load its file")
		}
	}
}

// ask connects as c says, and gives the method that the server goes by.
func (s *server) ask(t *testing.T, c Conn) string {
	t.Helper()
	d := net.Dialer{Timeout: 10 * time.Second}
	network, address := "unix", filepath.Join(s.Dir(), "socket", fmt.Sprintf(".s.PGSQL.%d", s.Port()))
	if c.Addr.IsValid() {
		network, address = "tcp", net.JoinHostPort(s.Host(), fmt.Sprint(s.Port()))
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.Addr, 0))
	}
	nc, err := d.DialContext(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	params := []wire.Param{{Name: "user", Value: c.User}, {Name: "database", Value: c.Database}}
	if c.Replication {
		params = append(params, wire.Param{Name: "replication", Value: "true"})
	}
	if _, err := nc.Write(wire.AppendStartup(nil, wire.Version30, params)); err != nil {
		t.Fatal(err)
	}
	m, err := pgproto3.NewFrontend(nc, nc).Receive()
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	switch m := m.(type) {
	case *pgproto3.AuthenticationOk:
		return Trust
	case *pgproto3.AuthenticationCleartextPassword:
		return Password
	case *pgproto3.AuthenticationMD5Password:
		return MD5
	case *pgproto3.AuthenticationSASL:
		return SCRAM
	case *pgproto3.ErrorResponse:
		for text, method := range map[string]string{"no pg_hba.conf entry": "none", "pg_hba.conf rejects": Reject, "Peer authentication failed": Peer, "does not exist": Trust} {
			if strings.Contains(m.Message, text) {
				return method
			}
		}
		t.Fatalf("%+v: the server says %s", c, m.Message)
	}
	t.Fatalf("%+v: the server says %T", c, m)
	return ""
}

// TestAgainstPostgreSQL: what this package says of a file, a real server must say as well.
func TestAgainstPostgreSQL(t *testing.T) {
	s := startServer(t)
	t.Run("match", s.match)
	t.Run("problems", s.problems)
	t.Run("idents", s.idents)
}

// match: by the same file, a real server asks the same connections for the same proof.
func (s *server) match(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	databases := []string{"all", "sameuser", "replication", "one", `"all"`, `"sameuser"`, `"replication"`, "one,two", "one, two", `"tw"o`, "@names", `"a ""b"`, "two,sameuser,,replication", `"@names"`}
	users := []string{"all", "one", "u1", `"all"`, "u1,u2", `u"1"`, "@names", "sameuser", "replication"}
	addresses := []string{
		"all", "127.0.0.0/8", "127.0.0.1/32", "127.0.2.0/24", "127.0.0.0 255.255.0.0", "127.0.2.0 255.0.255.0", "0.0.0.0/0", "::/0", "::ffff:127.0.0.0/104", "samehost", "samenet", "10.0.0.0/8",
	}
	for round := range 12 {
		var text strings.Builder
		for range 2 + r.IntN(4) {
			kind := pick("local", "host", "host", "hostnossl", "hostnogssenc")
			address := ""
			if kind != "local" {
				address = pick(addresses...)
			}
			goesOn := pick("", "\\\n")
			if !s.continues() {
				goesOn = ""
			}
			fmt.Fprintf(&text, "%s %s%s\t%s %s %s%s\n", kind, goesOn, pick(databases...), pick(users...), address, pick("trust", "reject", "md5", "password", "scram-sha-256"), pick("", " ", " # comment", "\r"))
		}
		names := "# names\none, u2\n\"all\"\n"
		s.write(t, "names", names)
		s.load(t, text.String(), "")
		rules, err := Parse("hba", []byte(text.String()), files{"names": names}.read)
		if err != nil {
			t.Fatalf("%v\n%s", err, text.String())
		}
		for range 40 {
			c := Conn{Database: pick("one", "two", "u1", "u2", "all", "sameuser", "replication", `a "b`, "@names"), User: pick("one", "u1", "u2", "all", "sameuser", "replication"), Replication: r.IntN(5) == 0}
			if where := pick("", "127.0.0.1", "127.0.2.9", "127.7.2.1"); where != "" {
				c.Addr = netip.MustParseAddr(where)
			}
			if ours, theirs := method(rules, c), s.ask(t, c); ours != theirs {
				t.Errorf("round %d: %+v: %s, and PostgreSQL %s, by\n%s", round, c, ours, theirs, text.String())
			}
		}
	}
}

// problems: what a real server refuses is refused here.
func (s *server) problems(t *testing.T) {
	for _, tc := range []struct {
		line string
		both bool // taken by both; else refused by both
	}{
		{"local all all trust", true},
		{"local all all trust # x", true},
		{"local all,one, two \\\n u trust", true},
		{"local\tall\tall\ttrust\r", true},
		{"host all all 10.0.0.0/8 trust", true},
		{"host all all 10.0.0.1/8 trust", true},
		{"host all all 10.0.0.0 255.0.0.0 trust", true},
		{"host all all 10.0.0.0 255.0.255.0 trust", true},
		{"host all all ::1/128 md5", true},
		{"host all all ::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff md5", true},
		{"host all all samehost scram-sha-256", true},
		{"host all all samenet password", true},
		{"hostnogssenc all all all reject", true},
		{"local all all peer map=x", true},
		{"local all all ident map=\"x y\"", true},
		{"hostess all all all trust", false},
		{"local", false},
		{"local all", false},
		{"local all all", false},
		{"local,host all all trust", false},
		{"host all all", false},
		{"host all all 10.0.0.0", false},
		{"host all all 10.0.0.0 trust", false},
		{"host all all 10.0.0.0 ffff:: trust", false},
		{"host all all 10.0.0.0/33 trust", false},
		{"host all all 10.0.0.0/ trust", false},
		{"host all all 10.0.0.0/8,11.0.0.0/8 trust", false},
		{"local all all magic", false},
		{"local all all trust,md5", false},
		{"host all all all peer", false},
		{"local all all cert", false},
		{"local all all trust map=x", false},
		{"local all all peer map", false},
		{"local all all trust foo=bar", false},
		{"local all all md5 ldapserver=x", false},
		{"host all all all md5 clientcert=verify-ca", false},
	} {
		if strings.Contains(tc.line, "\\\n") && !s.continues() {
			continue
		}
		s.write(t, "pg_hba.conf", "host postgres postgres 127.0.0.1/32 trust\n"+tc.line+"\n")
		theirs := s.query(t, "select error from pg_hba_file_rules where error is not null")
		_, ours := Parse("hba", []byte(tc.line+"\n"), nil)
		if (theirs == "") != tc.both || (ours == nil) != tc.both {
			t.Errorf("%q: here %v, PostgreSQL %q", tc.line, ours, theirs)
		}
	}
}

// idents: by the same map, a real server lets this process's user in as the same roles.
func (s *server) idents(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	first, rest := me.Username[:1], me.Username[1:]
	idents := strings.NewReplacer("ME", me.Username, "FIRST", first, "REST", rest).Replace(`
a ME joe
a ME "second user"
b /^FIRST(.*)$ x\1
b /^FIRST(.*)$ "y\1z\1"
c /REST guest
c /^REST$ nobody
d "/^(FIRST|,)(.*)$" \1
e other joe
f "ME" "all"
g /^(.*)$ \1
`)
	s.load(t, "local a all peer map=a\nlocal b all peer map=b\nlocal c all peer map=c\nlocal d all peer map=d\nlocal e all peer map=e\nlocal f all peer map=f\nlocal g all peer map=g\nlocal same all peer\nlocal none all peer map=none\n", idents)
	i, err := ParseIdents("ident", []byte(idents), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "same", "none"} {
		for _, role := range []string{"joe", "second user", "x" + rest, "x", "y" + rest + "z" + rest, "y" + rest + `z\1`, "guest", "nobody", first, me.Username, "all", `x\1`} {
			mapName := name
			if name == "same" {
				mapName = ""
			}
			theirs := s.ask(t, Conn{Database: name, User: role}) == Trust // it lets the role in, and then there is none
			if ours := i.Allows(mapName, me.Username, role); ours != theirs {
				t.Errorf("map %s, role %q: %v, and PostgreSQL %v", name, role, ours, theirs)
			}
		}
	}
}
