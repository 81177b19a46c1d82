package ldap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const base = `ldapbasedn="dc=example,dc=net"`

// people is a directory with one user, whose password is "right".
func people(t *testing.T) *directory {
	t.Helper()
	d := &directory{
		passwords: map[string]string{
			"": "", "uid=ann,dc=example,dc=net": "right", "uid=ann,ou=people,dc=example,dc=net": "right", "cn=reader,dc=example,dc=net": "secret of the reader", "CORP\\ann": "right", "ann@corp": "right",
		},
		entries: map[string][]string{
			"(uid=ann)":                            {"uid=ann,ou=people,dc=example,dc=net"},
			"(cn=ann)":                             {"uid=ann,ou=people,dc=example,dc=net"},
			"(|(uid=ann)(mail=ann))":               {"uid=ann,ou=people,dc=example,dc=net"},
			"(&(uid=ann)(objectClass=account))":    {"uid=ann,ou=people,dc=example,dc=net"},
			"(uid=two)":                            {"uid=ann,ou=people,dc=example,dc=net", "uid=two,dc=example,dc=net"},
			"(uid=*)":                              {"uid=ann,ou=people,dc=example,dc=net"},
			"(|(uid=*)(mail=*))":                   {"uid=ann,ou=people,dc=example,dc=net"},
			"(|(uid=ann)(uid=*))(mail=ann)(uid=*)": {"uid=ann,ou=people,dc=example,dc=net"},
		},
	}
	return d.serve(t)
}

func options(t *testing.T, text string) Options {
	t.Helper()
	o, err := ParseOptions(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return o
}

// TestCheck: the ways of asking, by what the server is asked.
func TestCheck(t *testing.T) {
	d := people(t)
	for _, tc := range []struct {
		options string
		said    string // what the server heard of ann, divided by ;
	}{
		{`ldapprefix="uid=" ldapsuffix=",dc=example,dc=net"`, "bind uid=ann,dc=example,dc=net"},
		{`ldapprefix="CORP\"`, `bind CORP\ann`},
		{`ldapsuffix=@corp`, "bind ann@corp"},
		{base, "bind ;search dc=example,dc=net 2 (uid=ann);bind uid=ann,ou=people,dc=example,dc=net"},
		{base + " ldapsearchattribute=cn", "bind ;search dc=example,dc=net 2 (cn=ann);bind uid=ann,ou=people,dc=example,dc=net"},
		{base + ` ldapsearchfilter="uid=$username"`, "bind ;search dc=example,dc=net 2 (uid=ann);bind uid=ann,ou=people,dc=example,dc=net"},
		{base + ` ,"ldapsearchfilter"="(&(uid=$username)(objectClass=account))"`, "bind ;search dc=example,dc=net 2 (&(uid=ann)(objectClass=account));bind uid=ann,ou=people,dc=example,dc=net"},
		{
			base + ` ldapbinddn="cn=reader,dc=example,dc=net" ldapbindpasswd="secret of the reader"`,
			"bind cn=reader,dc=example,dc=net;search dc=example,dc=net 2 (uid=ann);bind uid=ann,ou=people,dc=example,dc=net",
		},
		{`ldapurl="ldap://127.0.0.1:PORT/dc=example,dc=net?uid?sub"`, "bind ;search dc=example,dc=net 2 (uid=ann);bind uid=ann,ou=people,dc=example,dc=net"},
		{`ldapurl="ldap://127.0.0.1:PORT/dc%3Dexample,dc=net?cn,mail?one"`, "bind ;search dc=example,dc=net 1 (cn=ann);bind uid=ann,ou=people,dc=example,dc=net"},
		{`ldapurl="ldap://127.0.0.1:PORT/dc=example,dc=net"`, "bind ;search dc=example,dc=net 0 (uid=ann);bind uid=ann,ou=people,dc=example,dc=net"},
		{
			`ldapurl="LDAP://127.0.0.1:PORT/dc=example,dc=net??sub?(|(uid=$username)(mail=$username))"`,
			"bind ;search dc=example,dc=net 2 (|(uid=ann)(mail=ann));bind uid=ann,ou=people,dc=example,dc=net",
		},
	} {
		text := strings.ReplaceAll(tc.options, "PORT", fmt.Sprint(d.port))
		if !strings.Contains(text, "ldapurl") {
			text = fmt.Sprintf("ldapserver=127.0.0.1 ldapport=%d %s", d.port, text)
		}
		o := options(t, text)
		if err := o.Check(t.Context(), "ann", "right"); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if said := strings.Join(d.heard(), ";"); said != tc.said {
			t.Errorf("%s: the server heard %s, want %s", text, said, tc.said)
		}
		if err := o.Check(t.Context(), "ann", "not it"); !errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "not it") {
			t.Errorf("%s: a wrong password: %v", text, err)
		}
		steps := len(d.heard())
		if err := o.Check(t.Context(), "nobody", "right"); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: nobody: %v", text, err)
		}
		if n := len(d.heard()); n != steps {
			t.Errorf("%s: %d steps for who does not exist, and %d for a wrong password", text, n, steps)
		}
	}
}

// TestInjection: a user's name is a value, whatever is in it.
func TestInjection(t *testing.T) {
	d := people(t)
	server := fmt.Sprintf("ldapserver=127.0.0.1 ldapport=%d ", d.port)
	for _, tc := range []struct{ options, user, said string }{
		{`ldapprefix="uid=" ldapsuffix=",dc=example,dc=net"`, "ann,dc=example,dc=net", `bind uid=ann\,dc=example\,dc=net,dc=example,dc=net`},
		{`ldapprefix="uid=" ldapsuffix=",dc=example,dc=net"`, "ann+cn=x", `bind uid=ann\+cn=x,dc=example,dc=net`},
		{`ldapprefix="uid=" ldapsuffix=",dc=example,dc=net"`, " ann#\\", `bind uid=\ ann#\\,dc=example,dc=net`},
		{base, "*", `search dc=example,dc=net 2 (uid=\2a)`},
		{base, "ann)(uid=*", `search dc=example,dc=net 2 (uid=ann\29\28uid=\2a)`},
		{base, `ann\`, `search dc=example,dc=net 2 (uid=ann\5c)`},
		{base, "$username", `search dc=example,dc=net 2 (uid=$username)`},
		{base + ` ldapsearchfilter="(|(uid=$username)(mail=$username))"`, "ann)(uid=*))(mail=ann", `search dc=example,dc=net 2 (|(uid=ann\29\28uid=\2a\29\29\28mail=ann)(mail=ann\29\28uid=\2a\29\29\28mail=ann))`},
	} {
		err := options(t, server+tc.options).Check(t.Context(), tc.user, "right")
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s, user %q: %v", tc.options, tc.user, err)
		}
		said := d.heard()
		if got := said[min(1, len(said)-1)]; got != tc.said {
			t.Errorf("%s, user %q: the server heard %s, want %s", tc.options, tc.user, got, tc.said)
		}
	}
}

// TestRefusedUnasked: what a server might say yes to without having checked anything never reaches it.
func TestRefusedUnasked(t *testing.T) {
	d := people(t)
	o := options(t, fmt.Sprintf(`ldapserver=127.0.0.1 ldapport=%d ldapprefix="uid=" ldapsuffix=",dc=example,dc=net"`, d.port))
	for _, c := range [][2]string{{"ann", ""}, {"", "right"}, {"", ""}, {"ann\x00", "right"}} {
		if err := o.Check(t.Context(), c[0], c[1]); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", c, err)
		}
	}
	if said := d.heard(); len(said) > 0 {
		t.Errorf("the server heard %q", said)
	}
	if err := (Options{}).Check(t.Context(), "ann", "right"); err == nil {
		t.Error("no options let somebody in")
	}
}

func TestSearchTrouble(t *testing.T) {
	d := people(t)
	server := fmt.Sprintf("ldapserver=127.0.0.1 ldapport=%d ", d.port)
	if err := options(t, server+base).Check(t.Context(), "two", "right"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), `LDAP user "two" is not unique`) {
		t.Errorf("two entries: %v", err)
	}
	if err := options(t, server+base).Check(t.Context(), "nobody", "right"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), `LDAP user "nobody" does not exist`) {
		t.Errorf("no entry: %v", err)
	}
	err := options(t, server+base+` ldapbinddn="cn=reader,dc=example,dc=net" ldapbindpasswd="wrong one"`).Check(t.Context(), "ann", "right")
	if err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), `could not perform initial LDAP bind for ldapbinddn "cn=reader,dc=example,dc=net"`) || strings.Contains(err.Error(), "wrong one") {
		t.Errorf("the reader cannot log in: %v", err)
	}
}

// closedPort gives a port where nobody listens.
func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// TestServersInTurn: the first server that can be reached decides.
func TestServersInTurn(t *testing.T) {
	d := people(t)
	o := options(t, fmt.Sprintf(`ldapserver="127.0.0.2 127.0.0.1  127.0.0.3" ldapport=%d %s`, d.port, base))
	if err := o.Check(t.Context(), "ann", "right"); err != nil {
		t.Error(err)
	}
	if err := o.Check(t.Context(), "ann", "wrong"); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	port := closedPort(t)
	err := options(t, fmt.Sprintf(`ldapserver="127.0.0.2 127.0.0.3" ldapport=%d %s`, port, base)).Check(t.Context(), "ann", "right")
	if err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), fmt.Sprintf("LDAP server 127.0.0.2:%d", port)) || !strings.Contains(err.Error(), fmt.Sprintf("LDAP server 127.0.0.3:%d", port)) {
		t.Errorf("no server: %v", err)
	}
}

func TestTLS(t *testing.T) {
	config, authority := certificate(t)
	withTLS := people(t)
	withTLS.tls = config
	atOnce := &directory{passwords: withTLS.passwords, entries: withTLS.entries, tls: config, atOnce: true}
	atOnce.serve(t)
	without := people(t)
	dir := t.TempDir()
	for _, tc := range []struct {
		name, conf string // the text of LDAPCONF
		port       int
		options    string
		want       string // of the error
	}{
		{"StartTLS", "# x\nTLS_CACERT " + authority + "\n", withTLS.port, base + " ldaptls=1", ""},
		{"StartTLS, simple bind", "tls_cacert " + authority, withTLS.port, `ldapprefix="uid=" ldapsuffix=",dc=example,dc=net" ldaptls=1`, ""},
		{"ldaps", "TLS_CACERT " + authority, atOnce.port, base + " ldapscheme=ldaps", ""},
		{"ldaps by URL", "TLS_CACERT " + authority, atOnce.port, `ldapurl="ldaps://127.0.0.1:PORT/dc=example,dc=net?uid?sub"`, ""},
		{"nobody vouches for StartTLS", "", withTLS.port, base + " ldaptls=1", "certificate signed by unknown authority"},
		{"nobody vouches for ldaps", "", atOnce.port, base + " ldapscheme=ldaps", "certificate signed by unknown authority"},
		{"not verified", "TLS_REQCERT never", withTLS.port, base + " ldaptls=1", ""},
		{"not verified, ldaps", "TLS_REQCERT\tallow", atOnce.port, base + " ldapscheme=ldaps", ""},
		{"verified", "TLS_REQCERT demand", atOnce.port, base + " ldapscheme=ldaps", "certificate signed by unknown authority"},
		{"no StartTLS there", "TLS_REQCERT never", without.port, base + " ldaptls=1", "could not start LDAP TLS session"},
		{"StartTLS with ldaps' port", "TLS_REQCERT never", atOnce.port, base + " ldaptls=1", "could not start LDAP TLS session"},
		{"ldaps with ldap's port", "TLS_REQCERT never", without.port, base + " ldapscheme=ldaps", "TLS: "},
		{"StartTLS inside ldaps", "TLS_REQCERT never", atOnce.port, base + " ldapscheme=ldaps ldaptls=1", "could not start LDAP TLS session"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conf := filepath.Join(dir, "ldap.conf")
			if err := os.WriteFile(conf, []byte(tc.conf), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("LDAPCONF", conf)
			text := strings.ReplaceAll(tc.options, "PORT", fmt.Sprint(tc.port))
			if !strings.Contains(text, "ldapurl") {
				text = fmt.Sprintf("ldapserver=127.0.0.1 ldapport=%d %s", tc.port, text)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			err := options(t, text).Check(ctx, "ann", "right")
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
}

func TestTrust(t *testing.T) {
	dir := t.TempDir()
	_, authority := certificate(t)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tc := range []struct {
		env         map[string]string
		anyone, own bool
		want        string
	}{
		{nil, false, false, ""},
		{map[string]string{"LDAPCONF": write("a", "BASE dc=x\nTLS_REQCERT hard\nTLS_CACERT "+authority+"\n")}, false, true, ""},
		{map[string]string{"LDAPCONF": write("b", "TLS_REQCERT never\n")}, true, false, ""},
		{map[string]string{"LDAPCONF": write("b", "TLS_REQCERT never\n"), "LDAPTLS_REQCERT": "try"}, false, false, ""},
		{map[string]string{"LDAPTLS_CACERT": authority}, false, true, ""},
		{map[string]string{"LDAPCONF": write("b", "TLS_REQCERT never\n"), "LDAPNOINIT": "1"}, false, false, ""},
		{map[string]string{"LDAPTLS_REQCERT": "perhaps"}, false, false, `TLS_REQCERT: "perhaps"`},
		{map[string]string{"LDAPCONF": filepath.Join(dir, "missing")}, false, false, "LDAPCONF: open"},
		{map[string]string{"LDAPTLS_CACERT": filepath.Join(dir, "missing")}, false, false, "TLS_CACERT: open"},
		{map[string]string{"LDAPTLS_CACERT": write("c", "nothing")}, false, false, "TLS_CACERT: no certificate"},
	} {
		got, err := readTrust(func(name string) string { return tc.env[name] })
		if got.anyone != tc.anyone || (got.roots != nil) != tc.own || (err == nil) != (tc.want == "") || err != nil && !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%v: %+v, %v", tc.env, got, err)
		}
	}
}

// TestContextEnds: a server that never answers holds nobody longer than the context.
func TestContextEnds(t *testing.T) {
	d := &directory{silent: true}
	d.serve(t)
	for _, more := range []string{base, base + " ldaptls=1", base + " ldapscheme=ldaps", "ldapprefix=uid="} {
		o := options(t, fmt.Sprintf("ldapserver=127.0.0.1 ldapport=%d %s", d.port, more))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := o.Check(ctx, "ann", "right")
		if err == nil || errors.Is(err, ErrRefused) || ctx.Err() == nil {
			t.Errorf("%s: %v", more, err)
		}
		cancel()
	}
}

// TestBound: no more than mostChecks ask a server at the same time; the others wait, as long as their context lets them.
func TestBound(t *testing.T) {
	d := &directory{silent: true}
	d.serve(t)
	o := options(t, fmt.Sprintf("ldapserver=127.0.0.1 ldapport=%d ldapprefix=uid=", d.port))
	ctx, cancel := context.WithCancel(t.Context())
	var checks sync.WaitGroup
	for range mostChecks {
		checks.Go(func() { _ = o.Check(ctx, "ann", "right") })
	}
	for end := time.Now().Add(10 * time.Second); len(o.slots) < mostChecks; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the checks do not begin")
		}
	}
	late, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := o.Check(late, "ann", "right"); err == nil || !strings.Contains(err.Error(), "waiting for other LDAP logins") {
		t.Errorf("one more: %v", err)
	}
	cancel()
	checks.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mostOpen > mostChecks {
		t.Errorf("%d connections at once", d.mostOpen)
	}
}

func TestOptionProblems(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", `requires argument "ldapbasedn", "ldapprefix", or "ldapsuffix" to be set`},
		{"ldapserver=h", `requires argument "ldapbasedn"`},
		{"ldapserver", "option 1 is not in name=value format"},
		{"ldapserver=", `"ldapserver" has no value`},
		{`ldapserver="h`, "a quote is not closed"},
		{"ldapserver=h ldapprefix=a ldapbasedn=b", "cannot mix options for simple bind and search+bind modes"},
		{"ldapserver=h ldapsuffix=a ldapsearchfilter=b", "cannot mix options"},
		{`ldapprefix=a ldapurl="ldap://h/dc=x"`, "cannot mix options"},
		{`ldapserver=h ldapbasedn="dc=x" ldapsearchattribute=uid ldapsearchfilter=b`, "cannot use ldapsearchattribute together with ldapsearchfilter"},
		{"ldapserver=h ldapbasedn=x ldapsearchfilter=((x", "invalid LDAP search filter"},
		{"ldapprefix=a", `requires argument "ldapserver"`},
		{"ldapbasedn=ou=x", `requires argument "ldapserver"`},
		{"ldapport=0", "invalid LDAP port number"},
		{"ldapport=65536", "invalid LDAP port number"},
		{"ldapport=x", "invalid LDAP port number"},
		{"ldapscheme=ldapi", "invalid ldapscheme value"},
		{"ldaptls=yes", "invalid ldaptls value"},
		{"ldapfoo=x", `invalid LDAP option: "ldapfoo"`},
		{"ldapurl=http://h/x", "unsupported LDAP URL scheme"},
		{"ldapurl=nothing", "unsupported LDAP URL scheme"},
		{"ldapurl=ldap://h:x/x", "invalid host"},
		{"ldapurl=ldap://u:p@h/x", "invalid host"},
		{"ldapurl=ldap://h/x?uid?all", `invalid scope "all"`},
		{"ldapurl=ldap://h/%zz", "could not parse LDAP URL"},
		{"ldapurl=ldap://h/x?uid?sub?(x=y)?!ext", "extensions are not supported"},
	} {
		if _, err := ParseOptions(tc.text); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", tc.text, err, tc.want)
		}
	}
}

// TestDefaults: what is not said, by what is printed.
func TestDefaults(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"ldapserver=h ldapprefix=x", "ldap://h:389/"},
		{"ldapserver=h ldapprefix=x ldapscheme=ldaps", "ldaps://h:636/"},
		{`ldapserver="a b" ldapport=1 ldapbasedn=dc=x ldapbindpasswd=hush`, "ldap://a:1 ldap://b:1/dc=x"},
		{"ldapurl=ldap://[::1]/dc=x", "ldap://[::1]:389/dc=x"},
		{"ldapserver=[::1] ldapprefix=x", "ldap://[::1]:389/"},
		{"ldapserver=h ldapurl=ldaps:///dc=x?uid", "ldaps://h:636/dc=x"},
	} {
		o := options(t, tc.text)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if got := fmt.Sprintf(verb, o); got != tc.want {
				t.Errorf("%s: %s, want %s", tc.text, got, tc.want)
			}
		}
	}
	for name, want := range map[string]string{"dc=example,dc=net": "example.net", "ou=x,dc=example,dc=net": "example.net", "dc=a,ou=x,DC=b": "b", "dc=a,ou=x": "", "": "", "=": ""} {
		if got := domainOf(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// FuzzParseOptions: options are refused, or can be asked by: then a user's name is a value in the filter, whatever is in it.
func FuzzParseOptions(f *testing.F) {
	f.Add(`ldapserver=h ldapbasedn="dc=x" ldapsearchfilter="(|(a=$username)(b=$username))"`, "*)(x=*")
	f.Add(`ldapurl="ldaps://[::1]:99/dc=x,dc=y?uid?sub"`, `a\b`)
	f.Add(`ldapserver="a b" ldapprefix="uid=" ldapsuffix=",x"`, "a,b")
	f.Fuzz(func(t *testing.T, text, user string) {
		o, err := ParseOptions(text)
		if err != nil {
			return
		}
		if o.port < 1 || o.port > 65535 || len(o.hosts) == 0 && domainOf(o.baseDN) == "" {
			t.Fatalf("%s: %v", text, o)
		}
		if o.baseDN != "" && !sameShape(o.filterFor("user"), o.filterFor(user)) {
			t.Fatalf("%s: user %q changes the filter to %s", text, user, o.filterFor(user))
		}
	})
}
