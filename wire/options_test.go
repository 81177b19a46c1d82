package wire_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"poolerd/wire"
)

// options are values of the startup parameter "options" and the settings they make; nil for what is refused.
var options = [...]struct {
	in   string
	want []wire.Param
}{
	{"", []wire.Param{}},
	{" \t\r\n\f\v ", []wire.Param{}},
	{"-c app.a=b", []wire.Param{{"app.a", "b"}}},
	{"-capp.a=b", []wire.Param{{"app.a", "b"}}},
	{"--app.a=b", []wire.Param{{"app.a", "b"}}},
	{"  -c\tapp.a=b  --app.b=c -capp.c=  ", []wire.Param{{"app.a", "b"}, {"app.b", "c"}, {"app.c", ""}}},
	{"-c extra-float-digits=2 --application-name=a-b", []wire.Param{{"extra_float_digits", "2"}, {"application_name", "a-b"}}},
	{`-c app.a=x\ y\\z\q`, []wire.Param{{"app.a", `x y\zq`}}},
	{`-c app.a=x\`, []wire.Param{{"app.a", "x"}}},
	{"-c app.a=b=c", []wire.Param{{"app.a", "b=c"}}},
	{"-c app.a=1 -c app.a=2", []wire.Param{{"app.a", "1"}, {"app.a", "2"}}},
	{`-c app.a='x'`, []wire.Param{{"app.a", "'x'"}}},
	{`\-c app.a=b`, []wire.Param{{"app.a", "b"}}},
	{"-c", nil},
	{"-c app.a", nil},
	{"-capp.a", nil},
	{"--app.a", nil},
	{"-c =b", nil},
	{"--=b", nil},
	{"-", nil},
	{`\`, nil},
	{"app.a=b", nil},
	{"-c app.a=b c", nil},
	{"-z", nil},
}

func TestParseOptions(t *testing.T) {
	for _, c := range options {
		got, err := wire.ParseOptions(c.in)
		if c.want != nil {
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%q: got %v, %v, want %v", c.in, got, err, c.want)
			}
			continue
		}
		var e *wire.Error
		if !errors.As(err, &e) || e.Severity != "FATAL" || e.Code != wire.CodeSyntaxError || got != nil {
			t.Errorf("%q: got %v, %v, want an error", c.in, got, err)
		}
	}
	for _, c := range []string{"-F", "-e", "-S", "-B", "-d3", "-P", "--"} { // PostgreSQL knows these
		if _, err := wire.ParseOptions("-c a=b " + c + " -c c=d"); err == nil || !strings.Contains(err.Error(), c) {
			t.Errorf("%s gives %v", c, err)
		}
	}
}

func FuzzParseOptions(f *testing.F) {
	for _, c := range options {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		list, err := wire.ParseOptions(in)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, p := range list {
			if p.Name == "" || strings.ContainsAny(p.Name, "-=") {
				t.Fatalf("%q gives the name %q", in, p.Name)
			}
			b.WriteString(" -c ")
			for _, c := range []byte(p.Name + "=" + p.Value) {
				b.WriteByte('\\')
				b.WriteByte(c)
			}
		}
		if again, err := wire.ParseOptions(b.String()); err != nil || !slices.Equal(again, list) {
			t.Fatalf("%q: %v, and written as %q %v, %v", in, list, b.String(), again, err)
		}
	})
}
