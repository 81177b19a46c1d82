package wire_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"poolerd/wire"
)

func TestError(t *testing.T) {
	e := wire.Errorf(wire.CodeQueryCanceled, "no server within %d s", 5)
	e.Detail, e.Hint = "all 10 are busy", "raise pool_size"
	want := wire.Error{Severity: "ERROR", Code: "57014", Message: "no server within 5 s", Detail: "all 10 are busy", Hint: "raise pool_size"}
	if *e != want {
		t.Errorf("got %+v", *e)
	}
	if got := e.Error(); got != "ERROR: no server within 5 s (SQLSTATE 57014)" {
		t.Errorf("got %q", got)
	}
	var as *wire.Error
	if err := error(wire.Fatalf(wire.CodeAdminShutdown, "the pooler stops")); !errors.As(err, &as) || as.Severity != "FATAL" || as.Code != wire.CodeAdminShutdown {
		t.Errorf("got %+v", as)
	}

	fields := "SERROR\x00VERROR\x00C57014\x00Mno server within 5 s\x00Dall 10 are busy\x00Hraise pool_size\x00\x00"
	prefix := []byte("before")
	if got := e.Append(prefix); !bytes.Equal(got, append([]byte("before"), message('E', fields)...)) {
		t.Errorf("got %q", got)
	}
	if got := e.AppendNotice(nil); !bytes.Equal(got, message('N', fields)) {
		t.Errorf("got %q", got)
	}
	if got, err := wire.ParseError([]byte(fields)); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if got := wire.Errorf("XX000", "x").Append(nil); !bytes.Equal(got, message('E', "SERROR\x00VERROR\x00CXX000\x00Mx\x00\x00")) {
		t.Errorf("empty fields are sent: %q", got)
	}
}

func TestParseError(t *testing.T) {
	for _, c := range []struct {
		body string
		want wire.Error
		bad  string // part of the error
		code string
		ends bool
	}{
		{body: "SFATAL\x00VFATAL\x00C57P01\x00Mgone\x00Fpostgres.c\x00L1\x00Rx\x00\x00", want: wire.Error{Severity: "FATAL", Code: "57P01", Message: "gone", Routine: "x"}, code: "57P01", ends: true},
		// Translated; the severity that is not stands behind it or before it.
		{body: "SFEHLER\x00VERROR\x00C42601\x00Mx\x00P7\x00\x00", want: wire.Error{Severity: "ERROR", Code: "42601", Message: "x"}, code: "42601"},
		{body: "VPANIC\x00SPANIK\x00CXX001\x00\x00", want: wire.Error{Severity: "PANIC", Code: "XX001"}, code: "XX001", ends: true},
		{body: "SWARNING\x00C01000\x00\x00", want: wire.Error{Severity: "WARNING", Code: "01000"}, code: "01000"}, // before PostgreSQL 9.6
		{body: "\x00"},
		{body: "", bad: "no end"},
		{body: "C42601\x00", want: wire.Error{Code: "42601"}, bad: "no end", code: "42601"},
		{body: "C42601", bad: "'C' has no end"},
		{body: "MFATAL\x00C\x00\x00", want: wire.Error{Message: "FATAL"}},
	} {
		got, err := wire.ParseError([]byte(c.body))
		if got != c.want || (err == nil) != (c.bad == "") || err != nil && !strings.Contains(err.Error(), c.bad) {
			t.Errorf("ParseError(%q) = %+v, %v", c.body, got, err)
		}
		if got := wire.ErrorCode([]byte(c.body)); string(got) != c.code {
			t.Errorf("ErrorCode(%q) = %q", c.body, got)
		}
		if got := wire.Ends([]byte(c.body)); got != c.ends {
			t.Errorf("Ends(%q) = %v", c.body, got)
		}
	}
	body := []byte("SERROR\x00VERROR\x00C42601\x00Mx\x00\x00")
	if n := testing.AllocsPerRun(100, func() {
		_ = wire.ErrorCode(body)
		_ = wire.Ends(body)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseError(f *testing.F) {
	f.Add([]byte("SERROR\x00VERROR\x00C42601\x00Mx\x00\x00"))
	f.Add([]byte("VFATAL\x00C\x00"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := wire.ParseError(body)
		code := wire.ErrorCode(body)
		_ = wire.Ends(body)
		if err != nil {
			return
		}
		// What was read is written and read again as the same.
		again, err := wire.ParseError(e.Append(nil)[wire.HeaderLen:])
		if err != nil || again != e {
			t.Errorf("%q is read as %+v, and that as %+v, %v", body, e, again, err)
		}
		if code == nil && e.Code != "" {
			t.Errorf("%q has no code, or %q", body, e.Code)
		}
	})
}
