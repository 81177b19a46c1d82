package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/wire"
)

// packet makes an initial packet of a code and what follows it.
func packet(code uint32, rest string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(rest)))
	return append(binary.BigEndian.AppendUint32(b, code), rest...)
}

const (
	cancelCode = 80877102
	sslCode    = 80877103
	gssCode    = 80877104
)

func TestReadStartup(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want wire.Startup
	}{
		{
			"session", packet(196608, "user\x00ann\x00database\x00shop\x00options\x00-c a=b\x00\x00"),
			wire.Startup{Version: wire.Version30, Params: []wire.Param{{"user", "ann"}, {"database", "shop"}, {"options", "-c a=b"}}},
		},
		{"session 3.2", packet(196610, "user\x00ann\x00\x00"), wire.Startup{Version: wire.Version32, Params: []wire.Param{{"user", "ann"}}}},
		{
			"empty value", packet(196608, "user\x00ann\x00database\x00\x00\x00"),
			wire.Startup{Version: wire.Version30, Params: []wire.Param{{"user", "ann"}, {"database", ""}}},
		},
		{"version 2", packet(2<<16, "what was there"), wire.Startup{Version: 2 << 16}},
		{"SSL", packet(sslCode, ""), wire.Startup{Kind: wire.RequestSSL}},
		{"GSS", packet(gssCode, ""), wire.Startup{Kind: wire.RequestGSSENC}},
		{
			"cancel", packet(cancelCode, "\x00\x00\x01\x02abcd"),
			wire.Startup{Kind: wire.RequestCancel, CancelPID: 0x102, CancelSecret: []byte("abcd")},
		},
		{
			"cancel 3.2", packet(cancelCode, "\x80\x00\x00\x00"+strings.Repeat("k", 256)),
			wire.Startup{Kind: wire.RequestCancel, CancelPID: 1 << 31, CancelSecret: bytes.Repeat([]byte("k"), 256)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := bytes.NewReader(append(slices.Clone(c.in), "behind"...))
			got, err := wire.ReadStartup(iotest.OneByteReader(r))
			if err != nil {
				t.Fatal(err)
			}
			if got.Kind != c.want.Kind || got.Version != c.want.Version || !slices.Equal(got.Params, c.want.Params) ||
				got.CancelPID != c.want.CancelPID || !bytes.Equal(got.CancelSecret, c.want.CancelSecret) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if rest, _ := io.ReadAll(r); string(rest) != "behind" {
				t.Errorf("left %q unread", rest)
			}
		})
	}
}

// refused are packets that PostgreSQL refuses, with the SQLSTATE.
var refused = [...]struct {
	name    string
	in      []byte
	code    wire.Code
	message string
}{
	{"no terminator", packet(196608, "user\x00ann\x00"), wire.CodeProtocolViolation, "expected terminator as last byte"},
	{"nothing", packet(196608, ""), wire.CodeProtocolViolation, "expected terminator as last byte"},
	{"name without end", packet(196608, "user"), wire.CodeProtocolViolation, "expected terminator as last byte"},
	{"name without value", packet(196608, "user\x00"), wire.CodeProtocolViolation, "expected terminator as last byte"},
	{"value without end", packet(196608, "user\x00ann"), wire.CodeProtocolViolation, "expected terminator as last byte"},
	{"bytes behind the terminator", packet(196608, "user\x00ann\x00\x00x"), wire.CodeProtocolViolation, "expected terminator as last byte"},
	{"terminator twice", packet(196608, "user\x00ann\x00\x00\x00"), wire.CodeProtocolViolation, "expected terminator as last byte"},
	{"no user", packet(196608, "database\x00shop\x00\x00"), wire.CodeInvalidAuthorization, "no PostgreSQL user name specified in startup packet"},
	{"empty user", packet(196608, "user\x00\x00\x00"), wire.CodeInvalidAuthorization, "no PostgreSQL user name specified in startup packet"},
	{"no parameters", packet(196608, "\x00"), wire.CodeInvalidAuthorization, "no PostgreSQL user name specified in startup packet"},
}

func TestReadStartupRefuses(t *testing.T) {
	type refusal = struct {
		name    string
		in      []byte
		code    wire.Code
		message string
	}
	for _, c := range append(refused[:],
		refusal{"length 0", []byte{0, 0, 0, 0}, wire.CodeProtocolViolation, "invalid length of startup packet"},
		refusal{"length 7", []byte{0, 0, 0, 7, 0, 3, 0}, wire.CodeProtocolViolation, "invalid length of startup packet"},
		refusal{"length 10005", packet(196608, strings.Repeat("x", 9997)), wire.CodeProtocolViolation, "invalid length of startup packet"},
		refusal{"TLS", []byte("\x16\x03\x01\x02\x00\x01"), wire.CodeProtocolViolation, "invalid length of startup packet"},
		refusal{"HTTP", []byte("GET / HTTP/1.1\r\n"), wire.CodeProtocolViolation, "invalid length of startup packet"},
		refusal{"long SSL", packet(sslCode, "x"), wire.CodeProtocolViolation, "invalid length of SSLRequest: 1 bytes too many"},
		refusal{"long GSS", packet(gssCode, "xy"), wire.CodeProtocolViolation, "invalid length of GSSENCRequest: 2 bytes too many"},
		refusal{"cancel without key", packet(cancelCode, "\x00\x00\x00\x01"), wire.CodeProtocolViolation, "cancel key"},
		refusal{"cancel with 3 bytes", packet(cancelCode, "\x00\x00\x00\x01abc"), wire.CodeProtocolViolation, "cancel key"},
		refusal{"cancel with 257 bytes", packet(cancelCode, "\x00\x00\x00\x01"+strings.Repeat("k", 257)), wire.CodeProtocolViolation, "cancel key"},
	) {
		t.Run(c.name, func(t *testing.T) {
			_, err := wire.ReadStartup(bytes.NewReader(c.in))
			var e *wire.Error
			if !errors.As(err, &e) || e.Severity != "FATAL" || e.Code != c.code || !strings.Contains(e.Message, c.message) {
				t.Errorf("got %v, want FATAL %s: %s", err, c.code, c.message)
			}
			if hint := c.name == "TLS"; e != nil && hint != (e.Hint != "") {
				t.Errorf("hint %q", e.Hint)
			}
		})
	}
	longest := packet(196608, "user\x00ann\x00a\x00"+strings.Repeat("x", 10000-4-11-2)+"\x00\x00")
	if s, err := wire.ReadStartup(bytes.NewReader(longest)); err != nil || s.User() != "ann" || len(longest) != 10004 {
		t.Errorf("%d bytes: %v", len(longest), err)
	}
	whole := packet(196608, "user\x00ann\x00\x00")
	for n := range len(whole) {
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		if s, err := wire.ReadStartup(bytes.NewReader(whole[:n])); !errors.Is(err, want) || s != nil {
			t.Errorf("%d bytes: %v, %v", n, s, err)
		}
	}
	if s, err := wire.ReadStartup(bytes.NewReader([]byte{wire.ClientTerminate, 0, 0, 0, 4})); !errors.Is(err, io.EOF) || s != nil {
		t.Errorf("Terminate: %v, %v", s, err)
	}
}

func TestStartupParams(t *testing.T) {
	s := wire.Startup{Params: []wire.Param{{"user", "ann"}, {"a", "1"}, {"a", "2"}}}
	if v, ok := s.Get("a"); v != "2" || !ok {
		t.Errorf("a is %q, %v", v, ok)
	}
	if v, ok := s.Get("b"); v != "" || ok {
		t.Errorf("b is %q, %v", v, ok)
	}
	if s.User() != "ann" || s.Database() != "ann" {
		t.Errorf("%q, %q", s.User(), s.Database())
	}
	s.Params = append(s.Params, wire.Param{Name: "database", Value: "shop"})
	if s.Database() != "shop" {
		t.Errorf("%q", s.Database())
	}
	s.Params = append(s.Params, wire.Param{Name: "database"})
	if s.Database() != "ann" {
		t.Errorf("an empty name gives %q", s.Database())
	}
}

func TestNegotiate(t *testing.T) {
	message := func(v uint32, names ...string) []byte {
		b := binary.BigEndian.AppendUint32(nil, v)
		b = binary.BigEndian.AppendUint32(b, uint32(len(names)))
		for _, n := range names {
			b = append(append(b, n...), 0)
		}
		head := binary.BigEndian.AppendUint32([]byte{'v'}, uint32(len(b)+4))
		return append(head, b...)
	}
	for _, c := range []struct {
		asked  wire.Version
		params []wire.Param
		want   wire.Version
		reply  []byte
	}{
		{wire.Version30, nil, wire.Version30, nil},
		{wire.Version32, nil, wire.Version32, nil},
		{3<<16 | 1, nil, wire.Version30, message(196608)},
		{3<<16 | 3, nil, wire.Version32, message(196610)},
		{3<<16 | 9999, nil, wire.Version32, message(196610)},
		{3<<16 | 0xffff, nil, wire.Version32, message(196610)},
		{wire.Version30, []wire.Param{{"_pq_.a", "1"}, {"a", "1"}, {"_pq_.b", ""}}, wire.Version30, message(196608, "_pq_.a", "_pq_.b")},
		{wire.Version32, []wire.Param{{"_pq_.", "1"}, {"_pq_", "1"}, {"_PQ_.c", "1"}}, wire.Version32, message(196610, "_pq_.")},
	} {
		s := wire.Startup{Version: c.asked, Params: c.params}
		v, reply, err := s.Negotiate()
		if err != nil || v != c.want || !bytes.Equal(reply, c.reply) {
			t.Errorf("%v %v: %v, %q, %v", c.asked, c.params, v, reply, err)
		}
	}
	for v, want := range map[wire.Version]string{
		2 << 16:       "unsupported frontend protocol 2.0: server supports 3.0 to 3.2",
		4<<16 | 1:     "unsupported frontend protocol 4.1: server supports 3.0 to 3.2",
		0:             "unsupported frontend protocol 0.0: server supports 3.0 to 3.2",
		1234<<16 | 99: "unsupported frontend protocol 1234.99: server supports 3.0 to 3.2",
	} {
		s := wire.Startup{Version: v}
		got, reply, err := s.Negotiate()
		if err == nil || err.Severity != "FATAL" || err.Code != wire.CodeFeatureNotSupported || err.Message != want || got != 0 || reply != nil {
			t.Errorf("%v: %v, %q, %v", v, got, reply, err)
		}
	}
}

func TestInitialPackets(t *testing.T) {
	key := []byte{1, 2, 3, 4}
	for _, c := range []struct {
		got  []byte
		want pgproto3.FrontendMessage
	}{
		{
			wire.AppendStartup(nil, wire.Version30, []wire.Param{{"user", "ann"}}),
			&pgproto3.StartupMessage{ProtocolVersion: 196608, Parameters: map[string]string{"user": "ann"}},
		},
		{wire.AppendCancelRequest(nil, 7, key), &pgproto3.CancelRequest{ProcessID: 7, SecretKey: key}},
		{wire.AppendSSLRequest(nil), &pgproto3.SSLRequest{}},
	} {
		want, err := c.want.Encode([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(append([]byte("before"), c.got...), want) {
			t.Errorf("%T: got %q, want %q", c.want, c.got, want)
		}
	}
	if got := wire.AppendSSLRequest([]byte("before")); string(got) != "before"+string(packet(sslCode, "")) {
		t.Errorf("got %q", got)
	}
}

func TestRequestKindString(t *testing.T) {
	for k, want := range []string{"session", "SSLRequest", "GSSENCRequest", "CancelRequest", "RequestKind(4)"} {
		if got := wire.RequestKind(k).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzReadStartup(f *testing.F) {
	f.Add(packet(196608, "user\x00ann\x00database\x00shop\x00_pq_.x\x001\x00\x00"))
	f.Add(packet(3<<16|9999, "user\x00ann\x00\x00tail"))
	f.Add(packet(2<<16, "x"))
	f.Add(append(packet(sslCode, ""), "\x16\x03\x01"...))
	f.Add(packet(gssCode, ""))
	f.Add(packet(cancelCode, "\x00\x00\x00\x01abcd"))
	for _, c := range refused {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		s, err := wire.ReadStartup(r)
		if err != nil {
			if s != nil {
				t.Fatalf("%v with %v", s, err)
			}
			return
		}
		read := in[:len(in)-r.Len()]
		if n := binary.BigEndian.Uint32(in); int(n) != len(read) {
			t.Fatalf("read %d bytes of a packet of %d", len(read), n)
		}
		var again []byte
		switch s.Kind {
		case wire.RequestSSL:
			again = wire.AppendSSLRequest(nil)
		case wire.RequestCancel:
			again = wire.AppendCancelRequest(nil, s.CancelPID, s.CancelSecret)
		case wire.RequestSession:
			_, reply, err := s.Negotiate()
			if (err != nil) != (s.Version.Major() != 3) {
				t.Fatalf("%v: %v", s.Version, err)
			}
			if err != nil {
				return
			}
			if len(reply) > 0 {
				if typ, size, ok := wire.Header(reply); typ != 'v' || size != len(reply) || !ok {
					t.Fatalf("reply %q", reply)
				}
			}
			if s.User() == "" || s.Database() == "" {
				t.Fatalf("no user or database: %v", s.Params)
			}
			again = wire.AppendStartup(nil, s.Version, s.Params)
		default:
			return
		}
		if !bytes.Equal(again, read) {
			t.Fatalf("%q written again is %q", read, again)
		}
	})
}
