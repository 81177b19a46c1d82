package hba

import (
	"net/netip"
	"slices"
	"testing"
)

// FuzzParse: nothing breaks the parser or the rules that it makes, and a file is either refused with a line for each reason or its rules have a method.
func FuzzParse(f *testing.F) {
	f.Add("local all all trust\nhost \"a\"\"b\",c @x 10.0.0.0/8 ldap ldapserver=x ldapprefix=\"uid=\"\n", "u1,u2\n", "d", "u")
	f.Add("hostssl all /^a(b|c)$ ::/0 cert map=m # x\\\n", "local", "a", "b")
	f.Add("include x\ninclude_dir d\ninclude_if_exists y\n", "host all all 1.2.3.4 255.255.255.255 \\\n md5", "a", "b")
	f.Fuzz(func(t *testing.T, text, other, database, user string) {
		r, err := Parse("f", []byte(text), func(string) ([]byte, error) { return []byte(other), nil })
		if (r == nil) == (err == nil) {
			t.Fatalf("rules %v and error %v", r, err)
		}
		if err != nil && err.Error() == "" {
			t.Fatal("refused without a reason")
		}
		for _, rule := range r.List() {
			if !slices.Contains([]string{Trust, Reject, MD5, Password, SCRAM, Cert, Peer, LDAP}, rule.Method) || rule.Line < 1 {
				t.Fatalf("%+v", rule)
			}
			if again, err := ParseOptions(rule.Options.Text()); err != nil || !slices.Equal(again, rule.Options) {
				t.Fatalf("options %q are read as %q, %v", rule.Options.Text(), again.Text(), err)
			}
		}
		for _, addr := range []netip.Addr{{}, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("::1")} {
			for _, replication := range []bool{false, true} {
				rule, ok := r.Match(Conn{Addr: addr, Database: database, User: user, Replication: replication})
				if ok && rule.Method == Peer && addr.IsValid() {
					t.Fatal("peer over TCP")
				}
			}
		}
	})
}

// FuzzParseIdents: nothing breaks the parser or the maps that it makes, and no map lets an unknown name in.
func FuzzParseIdents(f *testing.F) {
	f.Add("m joe joseph\nm /^(.*)@x$ \\1\n", "joe@x", "joe")
	f.Add("m \"a b\" all\n", "a b", "z")
	f.Fuzz(func(t *testing.T, text, system, user string) {
		i, err := ParseIdents("f", []byte(text), nil)
		if (i == nil) == (err == nil) {
			t.Fatalf("maps %v and error %v", i, err)
		}
		i.Allows("m", system, user)
		if i.Allows("no such map, since there are commas", system, user) && i.Has("no such map, since there are commas") == false {
			t.Fatal("a map that does not exist lets somebody in")
		}
		if i.Allows("m", "", user) {
			t.Fatal("nobody is let in")
		}
	})
}

// FuzzParseOptions: what is read can be written and read again.
func FuzzParseOptions(f *testing.F) {
	f.Add(`ldapserver=127.0.0.1 "ldapport"=99 ldapbasedn="dc=example,dc=net" ,ldapsearchfilter="(uid=$username)"`)
	f.Add(`a=b,c="d""e" # f`)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParseOptions(text)
		if err != nil {
			return
		}
		if again, err := ParseOptions(list.Text()); err != nil || !slices.Equal(again, list) {
			t.Fatalf("%q is written as %q, and read as %q, %v", text, list.Text(), again.Text(), err)
		}
	})
}
