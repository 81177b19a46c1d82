package hba

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// files is an Include of files in memory.
type files map[string]string

func (f files) read(path string) ([]byte, error) {
	if text, ok := f[path]; ok {
		return []byte(text), nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

func parse(t *testing.T, text string) *Rules {
	t.Helper()
	r, err := Parse("/etc/hba.conf", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// from makes a connection of a word: "unix", or an address, with "+tls" and "+replication" behind.
func from(t *testing.T, where, database, user string) Conn {
	t.Helper()
	words := strings.Split(where, "+")
	c := Conn{Database: database, User: user, TLS: slices.Contains(words, "tls"), Replication: slices.Contains(words, "replication")}
	if words[0] != "unix" {
		c.Addr = netip.MustParseAddr(words[0])
	}
	return c
}

// method gives what a connection is asked for, "none" when no rule fits.
func method(r *Rules, c Conn) string {
	rule, ok := r.Match(c)
	if !ok {
		return "none"
	}
	return rule.Method
}

// TestMatch has each rule for itself, and the connections it fits and does not fit.
func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		rule string
		fits []string // where database user
		not  []string
	}{
		{"local all all trust", []string{"unix d u", "unix+tls d u"}, []string{"127.0.0.1 d u", "::1 d u", "unix+replication d u"}},
		{"host all all all trust", []string{"1.2.3.4 d u", "1.2.3.4+tls d u", "face::1 d u", "::ffff:1.2.3.4 d u"}, []string{"unix d u", "1.2.3.4+replication d u"}},
		{"hostssl all all all trust", []string{"1.2.3.4+tls d u"}, []string{"1.2.3.4 d u", "unix d u", "unix+tls d u"}},
		{"hostnossl all all all trust", []string{"1.2.3.4 d u"}, []string{"1.2.3.4+tls d u", "unix d u"}},
		{"hostgssenc all all all trust", nil, []string{"1.2.3.4 d u", "1.2.3.4+tls d u", "unix d u"}},
		{"hostnogssenc all all all trust", []string{"1.2.3.4 d u", "1.2.3.4+tls d u"}, []string{"unix d u"}},

		{"local one,two all trust", []string{"unix one u", "unix two u"}, []string{"unix three u", "unix one,two u", "unix ONE u"}},
		{"local one , two all trust", []string{"unix one u", "unix two u"}, []string{"unix three u"}},
		{"local one,\ttwo,, three all trust", []string{"unix one u", "unix two u", "unix three u"}, []string{"unix all u"}},
		{`local "all" all trust`, []string{"unix all u"}, []string{"unix d u"}},
		{`local "sameuser" all trust`, []string{"unix sameuser u"}, []string{"unix u u"}},
		{`local "replication" all trust`, []string{"unix replication u"}, []string{"unix+replication d u", "unix+replication replication u"}},
		{`local all "@x" trust`, []string{"unix d @x"}, []string{"unix d x"}},
		{`local all "+x" trust`, []string{"unix d +x"}, []string{"unix d x"}},
		{`local all @ trust`, []string{"unix d @"}, []string{"unix d x"}},
		{`local "a""b" all trust`, []string{`unix a"b u`}, []string{"unix ab u"}},
		{`local "" all trust`, nil, []string{"unix d u"}},
		{`local a"b"c all trust`, []string{"unix abc u"}, []string{"unix a u"}},
		{`local a"l"l all trust`, []string{"unix all u", "unix all d"}, []string{}},
		{"local sameuser all trust", []string{"unix u u"}, []string{"unix d u"}},
		{"local sameuser,d all trust", []string{"unix u u", "unix d u"}, []string{"unix e u"}},
		{"local all sameuser trust", []string{"unix d sameuser"}, []string{"unix u u"}},
		{"local all replication trust", []string{"unix d replication"}, []string{"unix d u", "unix+replication d replication"}},
		{"local replication all trust", []string{"unix+replication d u", "unix+replication replication u"}, []string{"unix d u", "unix replication u"}},
		{"local d,replication all trust", []string{"unix+replication x u", "unix d u"}, []string{"unix x u"}},
		{"local /^app_ all trust", []string{"unix app_1 u", "unix app_ u"}, []string{"unix my_app_1 u", "unix APP_1 u"}},
		{"local /app all trust", []string{"unix my_app_1 u"}, []string{"unix ap u"}},
		{`local "/^a{1,2}$" all trust`, []string{"unix a u", "unix aa u"}, []string{"unix aaa u", "unix 1 u"}},
		{"local all /^(a|b)$,c trust", []string{"unix d a", "unix d b", "unix d c"}, []string{"unix d ab", "unix d d"}},
		{"local all /(?i)^adm trust", []string{"unix d ADMIN"}, []string{"unix d root"}},
		{"local all a,b trust", []string{"unix d a", "unix d b"}, []string{"unix d c"}},

		{"host all all 10.1.0.0/16 trust", []string{"10.1.0.0 d u", "10.1.255.255 d u", "::ffff:10.1.2.3 d u"}, []string{"10.2.0.0 d u", "::10.1.2.3 d u", "unix d u"}},
		{"host all all 10.1.0.0 255.255.0.0 trust", []string{"10.1.2.3 d u"}, []string{"10.2.0.0 d u"}},
		{"host all all 10.0.3.0 255.0.255.0 trust", []string{"10.77.3.9 d u"}, []string{"10.77.4.9 d u"}},
		{"host all all 0.0.0.0/0 trust", []string{"1.2.3.4 d u"}, []string{"::1 d u", "::1.2.3.4 d u"}},
		{"host all all ::/0 trust", []string{"::1 d u", "face::1 d u"}, []string{"1.2.3.4 d u", "::ffff:1.2.3.4 d u"}},
		{"host all all ::ffff:10.0.0.0/104 trust", nil, []string{"10.1.2.3 d u"}},
		{"host all all fe80::/10 trust", []string{"fe80::1 d u", "fe80::1%eth0 d u"}, []string{"ff80::1 d u"}},
		{"host all all ::1/128 trust", []string{"::1 d u"}, []string{"::2 d u"}},
		{"host all all ff10:: ff10:: trust", []string{"ff10::1 d u", "fff0::1 d u"}, []string{"ef10::1 d u"}},
		{"host all all 128.0.0.0/1 trust", []string{"255.0.0.1 d u", "128.0.0.1 d u"}, []string{"127.0.0.1 d u"}},
		{"host all all 10.0.0.1/8 trust", nil, []string{"10.0.0.1 d u", "10.0.0.2 d u"}},
		{"host all all samehost trust", []string{"192.0.2.7 d u", "2001:db8::7 d u"}, []string{"192.0.2.8 d u", "unix d u"}},
		{"host all all samenet trust", []string{"192.0.2.7 d u", "192.0.2.8 d u", "2001:db8::8 d u"}, []string{"192.0.3.8 d u", "2001:db9::8 d u"}},
	} {
		r := parse(t, tc.rule)
		r.own = func() []netip.Prefix {
			return []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24"), netip.MustParsePrefix("2001:db8::7/64")}
		}
		check := func(list []string, want string) {
			for _, conn := range list {
				w := strings.Split(conn, " ")
				if got := method(r, from(t, w[0], w[1], w[2])); got != want {
					t.Errorf("%s: %s gets %s, want %s", tc.rule, conn, got, want)
				}
			}
		}
		check(tc.fits, Trust)
		check(tc.not, "none")
	}
}

// TestOrder: the first rule that fits counts, also when it rejects. The rules follow the themes of PgBouncer's own.
func TestOrder(t *testing.T) {
	r := parse(t, `
# comment

  	# another, behind blanks
local	sales		all			peer   # comment
local	all		report			password
local	all		all			md5
hostssl	all		all	10.0.0.0/8	cert
hostnossl all		all	11.0.0.0/8	md5
host	all		all	127.0.0.0 255.255.255.0	password
host	sales		all	0.0.0.0/0	md5
host	t1,all		u1,u2 , u3	16.0.0.0/8	md5
host	"all"		"all"		19.0.0.0/8	cert
host	"q1""q2"	"a , b"		19.0.0.0/8	cert
host	wide		u	128.0.0.0/9	trust
host	wide		u	128.0.0.0/5	scram-sha-256
host	wide		u	128.0.0.0/1	cert
host	v6		u	ff20::/12	md5
host	v6		u	::1/128		trust
host	any		all	all		scram-sha-256
host	no		all	all		reject
host	no		all	all		trust
host	replication	admin	::1/128		trust
host	d2,replication	admin2	::1/128		ldap ldapserver=h ldapprefix=uid=
`)
	for _, tc := range []struct{ want, where, database, user string }{
		{"peer", "unix", "sales", "u"},
		{"password", "unix", "d", "report"},
		{"peer", "unix", "sales", "report"},
		{"md5", "unix", "d", "u"},
		{"none", "unix+replication", "d", "u"},
		{"cert", "10.1.1.1+tls", "d", "u"},
		{"none", "10.1.1.1", "d", "u"},
		{"none", "11.1.1.1+tls", "d", "u"},
		{"md5", "11.1.1.1", "d", "u"},
		{"password", "127.0.0.3", "d", "u"},
		{"none", "127.0.1.3", "d", "u"},
		{"md5", "127.0.1.3", "sales", "u"},
		{"md5", "16.0.0.1", "d", "u3"},
		{"none", "16.0.0.1", "d", "u4"},
		{"none", "19.0.0.1", "d", "u"},
		{"cert", "19.0.0.1", "all", "all"},
		{"cert", "19.0.0.1", `q1"q2`, "a , b"},
		{"trust", "128.1.0.0", "wide", "u"},
		{"scram-sha-256", "135.1.0.0", "wide", "u"},
		{"cert", "136.1.0.0", "wide", "u"},
		{"none", "64.1.0.0", "wide", "u"},
		{"md5", "ff22:3::1", "v6", "u"},
		{"none", "ff32:3::1", "v6", "u"},
		{"trust", "::1", "v6", "u"},
		{"scram-sha-256", "face::1", "any", "u"},
		{"scram-sha-256", "1.2.3.4", "any", "u"},
		{"reject", "1.2.3.4", "no", "u"},
		{"trust", "::1+replication", "d", "admin"},
		{"none", "::1", "replication", "admin"},
		{"ldap", "::1+replication", "d", "admin2"},
		{"ldap", "::1", "d2", "admin2"},
	} {
		if got := method(r, from(t, tc.where, tc.database, tc.user)); got != tc.want {
			t.Errorf("%s %s %s: %s, want %s", tc.where, tc.database, tc.user, got, tc.want)
		}
	}
}

func TestRule(t *testing.T) {
	r := parse(t, `local all all ident map="my map"
hostssl all all all cert map=m clientname=CN clientcert=verify-full
hostssl all all all scram-sha-256 clientcert=verify-ca
host all all 0.0.0.0/0 \
  ldap ldapserver=127.0.0.1 "ldapport"=99 ldapbasedn="dc=example,dc=net" ,ldapsearchfilter="(uid=$username)" ldapbindpasswd="a ""b"
`)
	want := []Rule{
		{Method: Peer, Map: "my map", Line: 1},
		{Method: Cert, Map: "m", ClientCert: VerifyFull, Line: 2},
		{Method: SCRAM, ClientCert: VerifyCA, Line: 3},
		{Method: LDAP, Line: 4, Options: Options{
			{"ldapserver", "127.0.0.1"}, {"ldapport", "99"}, {"ldapbasedn", "dc=example,dc=net"}, {"ldapsearchfilter", "(uid=$username)"}, {"ldapbindpasswd", `a "b`},
		}},
	}
	got := r.List()
	for i := range want {
		want[i].File = "/etc/hba.conf"
		if i >= len(got) || fmt.Sprintf("%#v", got[i]) != fmt.Sprintf("%#v", want[i]) {
			t.Fatalf("rule %d: %#v, want %#v", i, got[i], want[i])
		}
	}
	again, err := ParseOptions(got[3].Options.Text())
	if err != nil || !slices.Equal(again, want[3].Options) {
		t.Errorf("options are not read as they are written: %q, %v", got[3].Options.Text(), err)
	}
	for _, verb := range []string{"%v", "%+v", "%s"} {
		if s := fmt.Sprintf(verb, got[3]); strings.Contains(s, `a "b`) || strings.Contains(s, `a ""b`) {
			t.Errorf("%s shows the password: %s", verb, s)
		}
	}
}

// TestProblems: each line is refused, and for its own reason.
func TestProblems(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"hostess all all all trust", `invalid connection type "hostess"`},
		{"Local all all trust", `invalid connection type "Local"`},
		{"localhost:5432:*:postgres:secret", "invalid connection type: this is no line of a file of rules"}, // a password file
		{"secret", "invalid connection type: this is no line of a file of rules"},
		{`root:$6$salt$hash:19000:0:99999:7:::`, "invalid connection type: this is no line of a file of rules"},
		{"local,host all all trust", "multiple values specified for connection type"},
		{"local", "end-of-line before database specification"},
		{"local all", "end-of-line before role specification"},
		{"local all all", "end-of-line before authentication method"},
		{"host all all", "end-of-line before IP address specification"},
		{"host all all 10.0.0.0", "end-of-line before netmask specification"},
		{"host all all 10.0.0.0 trust", `invalid IP mask "trust"`},
		{"host all all 10.0.0.0 ffff:: trust", "IP address and mask do not match"},
		{"host all all ::1 255.0.0.0 trust", "IP address and mask do not match"},
		{"host all all 10.0.0.0/33 trust", `invalid CIDR mask in address "10.0.0.0/33"`},
		{"host all all ::/129 trust", `invalid CIDR mask in address "::/129"`},
		{"host all all 10.0.0.0/ trust", `invalid CIDR mask in address "10.0.0.0/"`},
		{"host all all 10.0.0.0/-1 trust", `invalid CIDR mask in address "10.0.0.0/-1"`},
		{"host all all 10.0.0/8 trust", `invalid IP address "10.0.0"`},
		{"host all all 10.0.0.256/8 trust", `invalid IP address "10.0.0.256"`},
		{"host all all fe80::1%eth0/10 trust", `invalid IP address "fe80::1%eth0"`},
		{"host all all db.example.net trust", `"db.example.net" is a host name, which is not supported`},
		{"host all all .example.net trust", `".example.net" is a host name`},
		{`host all all "samehost" trust`, `"samehost" is a host name`},
		{"host all all 10.0.0.0/8,11.0.0.0/8 trust", "multiple values specified for host address"},
		{"local samerole all trust", "samerole is not supported"},
		{"local d,samegroup all trust", "samegroup is not supported"},
		{"local all +admins trust", `"+admins" is not supported`},
		{"local all /( trust", `invalid regular expression "("`},
		{"local all /a)(b trust", `invalid regular expression "a)(b"`},
		{`local all /(a)\1 trust`, `invalid regular expression "(a)\1"`},
		{"local all @names trust", "no file can be included here"},
		{"include other.conf", "no file can be included here"},
		{"include", "include takes one file name"},
		{"include a b", "include takes one file name"},
		{"include_dir a,b", "include_dir takes one file name"},
		{"local all all magic", `invalid authentication method "magic"`},
		{"local all all any", `invalid authentication method "any"`},
		{"local all all trust,md5", "multiple values specified for authentication method"},
		{"local all all pam", `authentication method "pam": PAM is not supported`},
		{"host all all all gss", `authentication method "gss": GSSAPI is not supported`},
		{"host all all all ident", `authentication method "ident": asking the client's own machine`},
		{"host all all all peer", "peer authentication is only supported on local sockets"},
		{"local all all cert", "cert authentication is only supported on hostssl connections"},
		{"hostnossl all all all cert", "cert authentication is only supported on hostssl connections"},
		{"local all all trust map=x", `authentication option "map" is only valid for`},
		{"local all all trust map", "is not in name=value format"},
		{"local all all trust foo=bar", `unrecognized authentication option name: "foo"`},
		{"local all all trust ldapserver=x", `authentication option "ldapserver" is only valid for authentication method ldap`},
		{"local all all ldap", `requires argument "ldapbasedn"`},
		{"host all all all scram-sha-256 clientcert=verify-ca", `clientcert can only be configured for "hostssl" rows`},
		{"hostssl all all all scram-sha-256 clientcert=1", `invalid value for clientcert: "1"`},
		{"hostssl all all all cert clientcert=verify-ca", `clientcert only accepts "verify-full"`},
		{"hostssl all all all cert clientname=DN", "only supported as clientname=CN"},
		{`local "all all trust`, "a quote is not closed"},
		{",local all all trust", "nothing stands before a comma"},
		{"# comment \\\nlocal all all trust", "a comment ends in a backslash"},
		{"local all all trust # comment \\\n", "a comment ends in a backslash"},
	} {
		r, err := Parse("/etc/hba.conf", []byte("\n"+tc.line), nil)
		var problems Problems
		if r != nil || !errors.As(err, &problems) || len(problems) != 1 || problems[0].Line != 2 || !strings.Contains(problems[0].Text, tc.want) {
			t.Errorf("%s: %v, want %q", tc.line, err, tc.want)
		}
	}
}

// TestAllProblems: every line is read, and each problem has the line where it begins.
func TestAllProblems(t *testing.T) {
	text := "local all all trust\nlocal all \\\r\n  all \\\n magic\n\nhost\nlocal all +x,+y trust\n"
	_, err := Parse("f", []byte(text), nil)
	want := `f line 2: invalid authentication method "magic"
f line 6: end-of-line before database specification
f line 7: "+x" is not supported: the members of roles are not known here; name the users, or write them into a file and @file
f line 7: "+y" is not supported: the members of roles are not known here; name the users, or write them into a file and @file`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestWarnings(t *testing.T) {
	r := parse(t, "host all all 10.0.0.0/8 trust\nhost all all 192.168.1.1/0 md5\nhostgssenc all all all md5\n")
	want := `/etc/hba.conf line 2: address does not match mask: the rule fits nobody
/etc/hba.conf line 3: hostgssenc record cannot match because GSSAPI is not supported`
	if got := r.Warnings().Error(); got != want {
		t.Errorf("warnings\n%s\nwant\n%s", got, want)
	}
}

func TestInclude(t *testing.T) {
	disk := files{
		"/etc/more.conf":     "local one @deep/users peer # the rest\n",
		"/etc/sub/a.conf":    "local two @../names peer\n",
		"/etc/names":         "# names\nu1, u2\n\"all\"\tu3\n@more\n",
		"/etc/more":          "u4",
		"/etc/deep/users":    "@here",
		"/etc/deep/here":     "v1",
		"/etc/conf.d/":       "b.conf\na.conf\n.hidden.conf\nnot.txt\n",
		"/etc/conf.d/a.conf": "local three all reject\n",
		"/etc/conf.d/b.conf": "local three all trust\n",
		"/abs.conf":          "local four all md5\n",
		"/etc/loop.conf":     "include loop.conf\n",
		"/etc/broken.conf":   "\nlocal\n",
		"/etc/loopnames":     "@loopnames",
		"/etc/twice.conf":    strings.Repeat("include twice.conf\n", 9),
	}
	r, err := Parse("/etc/hba.conf", []byte("include more.conf\ninclude \"sub/a.conf\"\ninclude_if_exists missing\ninclude_dir conf.d\ninclude_if_exists /abs.conf\n"), disk.read)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ want, database, user string }{
		{"peer", "one", "v1"},
		{"none", "one", "here"},
		{"peer", "two", "u1"},
		{"peer", "two", "u2"},
		{"peer", "two", "u3"},
		{"peer", "two", "u4"},
		{"peer", "two", "all"},
		{"none", "two", "u5"},
		{"reject", "three", "u"},
		{"md5", "four", "u"},
	} {
		if got := method(r, Conn{Database: tc.database, User: tc.user}); got != tc.want {
			t.Errorf("%s %s: %s, want %s", tc.database, tc.user, got, tc.want)
		}
	}
	if at := r.List()[0]; at.File != "/etc/more.conf" || at.Line != 1 {
		t.Errorf("the first rule is from %s line %d", at.File, at.Line)
	}
	for _, tc := range []struct{ text, want string }{
		{"include missing", `/etc/hba.conf line 1: could not open file "/etc/missing": file does not exist`},
		{"include_dir missing", `/etc/hba.conf line 1: could not open file "/etc/missing/": file does not exist`},
		{"local all @missing trust", `/etc/hba.conf line 1: could not open file "/etc/missing": file does not exist`},
		{"include broken.conf", `/etc/broken.conf line 2: end-of-line before database specification`},
		{"include loop.conf", `/etc/loop.conf line 1: could not open file "/etc/loop.conf": maximum nesting depth exceeded`},
		{"include twice.conf", `/etc/twice.conf line 1: could not open file "/etc/twice.conf": maximum nesting depth exceeded`},
		{"local all @loopnames trust", `/etc/loopnames line 1: could not open file "/etc/loopnames": maximum nesting depth exceeded`},
	} {
		if _, err := Parse("/etc/hba.conf", []byte(tc.text), disk.read); err == nil || strings.Split(err.Error(), "\n")[0] != tc.want {
			t.Errorf("%s: %v, want %s", tc.text, err, tc.want)
		}
	}
}

// TestIncludeBounds: files that include one another many times over do not keep the parser for ever.
func TestIncludeBounds(t *testing.T) {
	reads := 0
	_, err := Parse("f", []byte("include f"), func(string) ([]byte, error) {
		reads++
		return []byte(strings.Repeat("include f\n", 50)), nil
	})
	var problems Problems
	errors.As(err, &problems)
	told := 0
	for _, p := range problems {
		if strings.HasSuffix(p.Text, "are included") {
			told++
		}
	}
	if reads != mostFiles || told != 1 {
		t.Errorf("%d files were read, and that is told %d times", reads, told)
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != mostShown+1 || lines[mostShown] != fmt.Sprintf("and %d more", len(problems)-mostShown) {
		t.Errorf("the error has %d lines, and ends in %s", len(lines), lines[len(lines)-1])
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"hba.conf": "include_dir d", "d/1.conf": "local all @../users trust", "users": "u"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "hba.conf")
	text, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(path, text, ReadFile)
	if err != nil || method(r, Conn{User: "u"}) != Trust || method(r, Conn{User: "v"}) != "none" {
		t.Errorf("%v, %v", r.List(), err)
	}
}

// TestNil: without a file nobody is let in.
func TestNil(t *testing.T) {
	var r *Rules
	var i *Idents
	if _, ok := r.Match(Conn{}); ok || r.List() != nil || r.Warnings() != nil || i.Has("m") || i.Allows("m", "u", "u") {
		t.Error("no rules let somebody in")
	}
	if r, err := Parse("f", nil, nil); err != nil || method(r, Conn{}) != "none" {
		t.Errorf("an empty file: %v", err)
	}
}
