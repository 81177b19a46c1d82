package hba

import (
	"strings"
	"testing"
)

func TestIdents(t *testing.T) {
	i, err := ParseIdents("/etc/ident.conf", []byte(`
# MAP  SYSTEM  DATABASE
m  joe       joseph
m  joe       "second user"
m  "jane doe" jane     # comment
m  root      all
m  quoted    "all"
re /^(.*)@example\.com$  \1
re /^(.*)@example\.org$  guest
re /^(.*)@example\.net$  "x\1y\1"
re /^boss$               all
re2 /^(.*)-(.*)$         \1
re2 any                  /^app_
re2 "/^[a-b]{1,2}$"      lit
re3 /(a)?b               \1c
re3 plus "+staff"
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		ok                 bool
		name, system, user string
	}{
		{true, "", "joe", "joe"},
		{false, "", "joe", "jane"},
		{false, "", "", ""},
		{true, "m", "joe", "joseph"},
		{true, "m", "joe", "second user"},
		{false, "m", "joe", "joe"},
		{true, "m", "jane doe", "jane"},
		{true, "m", "root", "anybody"},
		{true, "m", "quoted", "all"},
		{false, "m", "quoted", "anybody"},
		{false, "M", "joe", "joseph"},
		{false, "none", "joe", "joe"},
		{true, "re", "ann@example.com", "ann"},
		{false, "re", "ann@example.com", "bob"},
		{false, "re", "ann@exampleXcom", "ann"},
		{true, "re", "ann@example.org", "guest"},
		{true, "re", "ann@example.net", `xanny\1`},
		{true, "re", "boss", "whoever"},
		{true, "re", "all@example.com", "all"},
		{false, "re", "all@example.com", "ann"}, // what was captured is no keyword
		{true, "re2", "x-y", "x"},
		{true, "re2", "any", "app_1"},
		{false, "re2", "any", "my_app_1"},
		{true, "re2", "ab", "lit"},
		{false, "re2", "abc", "lit"},
		{true, "re3", "ab", "ac"},
		{true, "re3", "xb", "c"},
		{true, "re3", "plus", "+staff"},
	} {
		if got := i.Allows(tc.name, tc.system, tc.user); got != tc.ok {
			t.Errorf("map %q: %q as %q: %v", tc.name, tc.system, tc.user, got)
		}
	}
	r := parse(t, "local all all peer map=m\nlocal all all peer map=other\nlocal all all peer\n")
	if err := r.CheckMaps(i); err == nil || err.Error() != `/etc/hba.conf line 2: ident map "other" is not found in the ident file` {
		t.Errorf("maps: %v", err)
	}
	if err := parse(t, "local all all peer map=re\n").CheckMaps(i); err != nil {
		t.Error(err)
	}
}

func TestIdentProblems(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"m", "missing entry at end of line"},
		{"m joe", "missing entry at end of line"},
		{"m joe joseph more", "more than a map, a system user and a database user"},
		{"m joe,jane joseph", "multiple values in ident field 2"},
		{"m joe a,b", "multiple values in ident field 3"},
		{"m joe +staff", `"+staff" is not supported`},
		{"m /( x", `invalid regular expression "("`},
		{"m joe /(", `invalid regular expression "("`},
		{`m /^joe$ \1`, `regular expression "^joe$" has no subexpressions as requested by backreference in "\1"`},
		{`m "joe x`, "a quote is not closed"},
	} {
		_, err := ParseIdents("f", []byte(tc.line), nil)
		if err == nil || !strings.HasPrefix(err.Error(), "f line 1: "+tc.want) {
			t.Errorf("%s: %v, want %q", tc.line, err, tc.want)
		}
	}
}

func TestIdentInclude(t *testing.T) {
	i, err := ParseIdents("/etc/ident.conf", []byte("include more.conf\n"), files{"/etc/more.conf": "m joe joseph\n"}.read)
	if err != nil || !i.Allows("m", "joe", "joseph") {
		t.Error(err)
	}
}
