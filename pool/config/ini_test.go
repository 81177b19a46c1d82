package config

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"poolerd/wire/secure"
)

// read reads text with a few files to include.
func read(text string, files map[string]string) (items []item, problems Errors) {
	r := &iniReader{readFile: func(name string) ([]byte, error) {
		if t, ok := files[name]; ok {
			return []byte(t), nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}}
	r.apply = func(it item) { items = append(items, it) }
	r.report = func(e *Error) { problems = append(problems, e) }
	r.read("test.ini", []byte(text), 0)
	return items, problems
}

func TestDialect(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"plain", "[pgbouncer]\na=1", "pgbouncer/a/1"},
		{"blanks", "  [pgbouncer]  \n\n\t a \t = \t 1 2 \t\r\n", "pgbouncer/a/1 2"},
		{"comments", "; x\n# y\n[pgbouncer]\n ; a=1\n#a=2\na=3", "pgbouncer/a/3"},
		{"no comment inside", "[pgbouncer]\na = x ; y # z", "pgbouncer/a/x ; y # z"},
		{"quotes stay in values", "[databases]\na = password='x y' b=\"z\"", "databases/a/password='x y' b=\"z\""},
		{"backslash", `[pgbouncer]` + "\na = x\\\nb = y", `pgbouncer/a/x\ pgbouncer/b/y`},
		{"empty value", "[pgbouncer]\na =", "pgbouncer/a/"},
		{"equals in value", "[databases]\na=host=x", "databases/a/host=x"},
		{"star and odd names", "[databases]\n* = host=x\na.b-c_1 = host=y", "databases/*/host=x databases/a.b-c_1/host=y"},
		{"single-quoted name", "[databases]\n'my db' = host=x", "databases/my db/host=x"},
		{"double-quoted name", "[databases]\n\"my \"\"db\"\"\" = host=x", `databases/my "db"/host=x`},
		{"repeated keys come in order", "[pgbouncer]\na=1\na=2", "pgbouncer/a/1 pgbouncer/a/2"},
		{"repeated sections", "[pgbouncer]\na=1\n[users]\n[pgbouncer]\nb=2", "pgbouncer/a/1 pgbouncer/b/2"},
		{"behind a section", "[pgbouncer] ; x\n[users] a=1\n[databases][pgbouncer]b=2", "users/a/1 pgbouncer/b/2"},
		{"no blanks in a section's line", "[databases]#x\na=", "databases/a/"},
		{"byte order mark", "\ufeff[pgbouncer]\na=1", "pgbouncer/a/1"},
		{"include", "[pgbouncer]\n%include other.ini\nb=2", "pgbouncer/x/9 users/u/ users/b/2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			items, problems := read(tc.text, map[string]string{"other.ini": "x=9\n[users]\nu="})
			if len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			var got []string
			for _, it := range items {
				got = append(got, it.section+"/"+it.key+"/"+it.value)
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("got  %s\nwant %s", s, tc.want)
			}
		})
	}
}

func TestBrokenFiles(t *testing.T) {
	loop := map[string]string{"loop.ini": "%include loop.ini"}
	for _, tc := range []struct{ name, text, want string }{
		{"no section", "a=1", "test.ini:1: a: stands in no section"},
		{"no equals", "[pgbouncer]\nabc", "test.ini:2: broken line"},
		{"no key", "[pgbouncer]\n= 3", "test.ini:2: broken line"},
		{"strange key", "[pgbouncer]\na b = 3", "test.ini:2: broken line"},
		{"open quote", "[databases]\n\"a = host=x", "test.ini:2: broken line"},
		{"open section", "[pgbouncer", "test.ini:1: broken section line"},
		{"NUL byte", "[databases]\na = host=x\x00y", "test.ini:2: a line with a NUL byte"},
		{"unknown section", "[pgbuoncer]", "test.ini:1: [pgbuoncer]: unknown section; did you mean pgbouncer?"},
		{"missing include", "\n%include nope.ini", "test.ini:2: %include nope.ini: file does not exist"},
		{"include of itself", "%include loop.ini", "loop.ini:1: %include nests deeper than 10 files"},
		{"include without a blank", "%includex", "test.ini:1: broken line"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, problems := read(tc.text, loop)
			if len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), tc.want) {
				t.Errorf("got %v, want one problem %q", problems, tc.want)
			}
		})
	}
}

func TestConnString(t *testing.T) {
	for _, tc := range []struct{ text, want, problem string }{
		{"", "", ""},
		{" host=a  port=1\t", "host=a port=1", ""},
		{"host = a", "host=a", ""},
		{"password='a b' user=u", "password=a b user=u", ""},
		{"password='it''s'", "password=it's", ""},
		{"password=a'b", "password=a'b", ""},
		{"options=a=b", "options=a=b", ""},
		{"host", "", "a parameter without a value"},
		{"host port=1", "", "a parameter without a value"},
		{"=x", "", "a parameter without a value"},
		{"host=", "", "the value of host is empty"},
		{"password=''", "", "the value of password is empty"},
		{"password='secret", "", "the quote before the value of password is not closed"},
		{"password='a'b", "", "no blank behind the value of password"},
	} {
		pairs, err := connString(tc.text)
		if tc.problem != "" {
			if err == nil || err.Reason != "broken connection string: "+tc.problem {
				t.Errorf("%q: got %v, want %q", tc.text, err, tc.problem)
			}
			continue
		}
		var got []string
		for _, p := range pairs {
			got = append(got, p.key+"="+p.value)
		}
		if s := strings.Join(got, " "); err != nil || s != tc.want {
			t.Errorf("%q: got %q, %v; want %q", tc.text, s, err, tc.want)
		}
	}
}

// writtenBack: what SHOW CONFIG shows can stand in the file, and means the same.
func writtenBack(t *testing.T, c *Config) {
	t.Helper()
	again := Defaults()
	for _, k := range honouredKeys() {
		if k.full != nil {
			continue // a part of it may be masked
		}
		if err := again.Set(k.Name, k.get(c), Origin{}); err != nil {
			t.Fatalf("%s cannot be written back: %v", k.Name, err)
		}
		if k.get(again) != k.get(c) || k.differs(again, c) {
			t.Fatalf("%s = %q comes back as %q", k.Name, k.get(c), k.get(again))
		}
	}
}

// FuzzConnString: pairs that are written again are read as the same, and no problem shows what may be a password.
func FuzzConnString(f *testing.F) {
	f.Add("host=a port=1 password='it''s a'")
	f.Add("host = 'x' y")
	f.Add("a=b'c d='")
	f.Fuzz(func(t *testing.T, text string) {
		pairs, err := connString(text)
		if err != nil {
			if len(text) > 20 && strings.Contains(err.Reason, text) {
				t.Fatalf("%q shows in %q", text, err.Reason)
			}
			return
		}
		var b strings.Builder
		for _, p := range pairs {
			if p.value == "" || p.key == "" {
				t.Fatalf("%q gives %q = %q", text, p.key, p.value)
			}
			b.WriteString(p.key + "='" + strings.ReplaceAll(p.value, "'", "''") + "' ")
		}
		again, err := connString(b.String())
		if err != nil || !slices.Equal(again, pairs) {
			t.Fatalf("%q: %q written again gives %v, %v", text, b.String(), again, err)
		}
	})
}

// FuzzParse: no text breaks the reader, every problem has a place, and what is accepted can be checked, shown and looked up.
func FuzzParse(f *testing.F) {
	f.Add("[databases]\n* = host=x port=1 password='a b'\n[pgbouncer]\nlisten_addr=*,[::1]:3\npool_mode=session\n[users]\nu=pool_size=3\n[poolerd]\ndefer_begin=off")
	f.Add("%include x\n[peers]\n1=host=x\n'a'=\"")
	f.Add("[pgbouncer] ; x\ndefault_pool_size=0x10\nunix_socket_mode=0770\nauth_query=select * from t where n=$1\nauth_user=u\nclient_tls_sslmode=Require\nlisten_addr=\n[databases]\na=host=x,@y load_balance_hosts=disable min_pool_size=-1")
	f.Add("[pgbouncer]\nquery_timeout=1e9\ntcp_user_timeout=5\nverbose=9")
	f.Fuzz(func(t *testing.T, text string) {
		c, _, err := parse("f.ini", []byte(text), func(string) ([]byte, error) { return nil, fs.ErrNotExist })
		if err != nil {
			for _, p := range err.(Errors) {
				if p.Line < 1 || p.File == "" || strings.ContainsAny(p.Error(), "\n\r\x00") {
					t.Fatalf("problem without a place, or not on one line: %q", p.Error())
				}
			}
			return
		}
		_ = c.Check()
		for name, db := range c.Databases {
			if p, ok := c.Pool(name, "u"); !ok || p.Size < 1 || p.MinSize > p.Size || db.Name != name {
				t.Fatalf("pool of %q: %+v", name, p)
			}
		}
		if changes := Diff(c, c.Clone()); len(changes) > 0 {
			t.Fatalf("differs from its clone: %v", changes)
		}
		writtenBack(t, c)
		c.AuthFile, c.AuthHBAFile, c.AuthIdentFile, c.ClientTLS, c.ServerTLS = "", "", "", secure.Settings{}, secure.Settings{} // no file is opened
		for _, w := range c.Warnings() {
			if strings.ContainsAny(w.String(), "\n\r\x00") {
				t.Fatalf("not on one line: %q", w.String())
			}
		}
	})
}
