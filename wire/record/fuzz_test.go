package record

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"testing"
	"time"

	"poolerd/wire"
	"poolerd/wire/lex"
)

func testVeil(t testing.TB, mode Mode) *veil {
	t.Helper()
	v, err := newVeil(mode)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// FuzzReader: whatever the file holds, reading it ends, and what can be read is sane.
func FuzzReader(f *testing.F) {
	var b bytes.Buffer
	w, err := NewWriter(&b, Kept, time.UnixMicro(1))
	if err != nil {
		f.Fatal(err)
	}
	_ = w.Opened(1, time.UnixMicro(2), "u", "d")
	_ = w.Message(1, time.UnixMicro(3), wire.ClientParse, append([]byte("a\x00"), wire.ParseTail("SELECT $1", 23)...), 5+2+9+1+2+4)
	_ = w.Message(1, time.UnixMicro(4), wire.ClientBind, []byte("\x00a\x00\x00\x01\x00\x01\x00\x02\x00\x00\x00\x02ab\xff\xff\xff\xff\x00\x00"), 5+23)
	_ = w.Ready(1, time.UnixMicro(5), wire.TxIdle, "23505")
	_ = w.Closed(1, time.UnixMicro(6), "")
	_ = w.Close(0)
	f.Add(b.Bytes(), true)
	f.Add([]byte("poolerd recording\n\x01\x00\x00R\x04\x01\x02I\x00Z\x01\x00"), false)
	f.Fuzz(func(t *testing.T, file []byte, zipped bool) {
		if !zipped { // the fuzzer cannot make gzip
			var b bytes.Buffer
			z, _ := NewWriter(&b, Hashed, time.UnixMicro(0))
			z.z.Reset(&b)
			b.Reset()
			_, _ = z.z.Write(file)
			_ = z.z.Close()
			file = b.Bytes()
		}
		r, err := NewReader(bytes.NewReader(file))
		if err != nil {
			return
		}
		for n := 0; n < 10_000; n++ {
			rec, err := r.Next()
			if err != nil {
				if _, again := r.Next(); again == nil {
					t.Fatal("records follow the end")
				}
				return
			}
			switch rec.Kind {
			case KindStatement, KindOpened, KindMessage, KindReady, KindCopyIn, KindLeftOut, KindClosed, KindEnd:
			default:
				t.Fatalf("a record of kind %q", rec.Kind)
			}
		}
	})
}

// FuzzWriter: whatever a client sends is recorded as something that can be read, and a Bind that is well formed keeps its shape.
func FuzzWriter(f *testing.F) {
	f.Add(wire.ClientBind, []byte("\x00a\x00\x00\x01\x00\x01\x00\x02\x00\x00\x00\x02ab\xff\xff\xff\xff\x00\x00"), 0)
	f.Add(wire.ClientParse, append([]byte("a\x00"), wire.ParseTail("SELECT set_config($1, 'x', $2)", 23, 705)...), 0)
	f.Add(wire.ClientQuery, []byte("SELECT 'a'\x00"), 10)
	f.Add(wire.ClientExecute, []byte("\x00\x00\x00\x00\x00"), 0)
	f.Add(wire.ClientClose, []byte("Sx\x00"), 0)
	f.Fuzz(func(t *testing.T, typ byte, body []byte, more int) {
		for _, mode := range []Mode{Hashed, Kept} {
			var b bytes.Buffer
			w, err := NewWriter(&b, mode, time.UnixMicro(0))
			if err != nil {
				t.Fatal(err)
			}
			size := len(body) + wire.HeaderLen + max(0, more&0xffff)
			if err := w.Message(1, time.UnixMicro(1), typ, body, size); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(0); err != nil {
				t.Fatal(err)
			}
			r, err := NewReader(&b)
			if err != nil {
				t.Fatal(err)
			}
			for rec := (Record{}); rec.Kind != KindEnd; {
				if rec, err = r.Next(); err != nil {
					t.Fatalf("%q %q: %v", typ, body, err)
				}
				if rec.Kind == KindMessage && rec.Message.Type != typ {
					t.Fatalf("message %q is recorded as %q", typ, rec.Message.Type)
				}
				if rec.Kind == KindMessage && typ == wire.ClientBind && !rec.Message.Withheld {
					sameShape(t, body, rec.Message)
				}
			}
		}
	})
}

func sameShape(t *testing.T, body []byte, m Message) {
	_, rest, _ := wire.CString(body)
	_, rest, _ = wire.CString(rest)
	b, ok := parseBind(rest)
	if !ok || len(b.values) != len(m.Params) || len(b.formats) != len(m.Formats) || len(b.results) != len(m.Results) {
		t.Fatalf("Bind %q is recorded as %+v", body, m)
	}
	for i, v := range b.values {
		if (v == nil) != (m.Params[i].Value == nil) || len(v) != len(m.Params[i].Value) {
			t.Errorf("parameter %q is recorded as %q", v, m.Params[i].Value)
		}
	}
}

// FuzzText: a text whose constants are hidden has the same length and the same tokens, and what was between quotes is there no more.
func FuzzText(f *testing.F) {
	for _, sql := range []string{
		"SELECT 'Alice''s', E'a\\n', B'101', x'1F', U&'d\\0061', $$body$$, $t$a$b$t$, 12345, 1.5e10, \"name\" -- end",
		"SET request.jwt.claims TO 'x', y; RESET ALL", "SELECT set_config('a.b', '{\"x\": [1, \"two\"]}', true)", "DO $$ BEGIN PERFORM 'x'; END $$",
		"SELECT '2024-01-31 10:11:12+01'::timestamptz, interval '3 days', '6f1e2d3c-1111-2222-3333-444455556666', '{1,2,3}', '\\x00ff'",
		"ALTER ROLE x PASSWORD 'y'", "SELECT 'é日本😀'", "INSERT INTO t VALUES ('a', 'b' \n 'c')", "SET TIME ZONE 'UTC'; SET LOCAL my.thing = 5", "SET ! TO'0'2''0",
	} {
		f.Add([]byte(sql))
	}
	v := testVeil(f, Hashed)
	f.Fuzz(func(t *testing.T, sql []byte) {
		sql, _, _ = bytes.Cut(sql, []byte{0})
		shown, _, withheld := v.text(sql, true)
		if withheld {
			if shown != nil {
				t.Fatalf("%q is withheld and shown as %q", sql, shown)
			}
			return
		}
		if len(shown) != len(sql) {
			t.Fatalf("%q becomes %q", sql, shown)
		}
		before, _ := lex.Tokens(nil, sql)
		after, ok := lex.Tokens(nil, shown)
		if !ok || len(before) != len(after) {
			t.Fatalf("%q becomes %q, which is split otherwise", sql, shown)
		}
		for i := range before {
			if before[i].From != after[i].From || before[i].To != after[i].To {
				t.Fatalf("%q becomes %q: token %d has moved", sql, shown, i)
			}
		}
		if again, _, _ := v.text(sql, true); !bytes.Equal(again, shown) {
			t.Fatalf("%q becomes %q and %q", sql, shown, again)
		}
	})
}

// FuzzValue: a stand-in has its value's length, is the same each time, and is valid JSON if that was.
func FuzzValue(f *testing.F) {
	for _, value := range []string{
		"12345", "-0.50", "1e5", "2024-01-31", "10:11:12.5+01", "1 day 02:00:00", "{\"a\": [1, -2.5e3, \"x\\n\", {\"b c\": \"d\"}]}", "{a,\"b c\",NULL}", "6f1e2d3c-1111-2222-3333-444455556666",
		"\\xdeadbeef", "alice@example.com", "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x17\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00\x2a", "\xff\xfe", "%x%", "----", " \"\"",
	} {
		f.Add([]byte(value), uint32(0), uint16(0))
		f.Add([]byte(value), uint32(oidNumeric), uint16(1))
	}
	v := testVeil(f, Hashed)
	f.Fuzz(func(t *testing.T, value []byte, oid uint32, format uint16) {
		before := bytes.Clone(value)
		shown := v.value(value, oid, format)
		if !bytes.Equal(before, value) {
			t.Fatalf("%q was changed to %q", before, value)
		}
		if len(shown) != len(value) {
			t.Fatalf("%q becomes %q", value, shown)
		}
		if again := v.value(value, oid, format); !bytes.Equal(again, shown) {
			t.Fatalf("%q becomes %q and %q", value, shown, again)
		}
		if format == 0 && len(value) > 0 && json.Valid(value) && !json.Valid(shown) {
			t.Fatalf("JSON %q becomes %q", value, shown)
		}
		if s := v.setting(value); len(s) != len(value) {
			t.Fatalf("setting %q becomes %q", value, s)
		}
	})
}

// FuzzPermute: it stays in its range and keeps different numbers different.
func FuzzPermute(f *testing.F) {
	f.Add(uint64(5), uint64(7), uint64(1), uint64(9))
	f.Add(uint64(1<<63), uint64(1), uint64(0), uint64(1<<64-1))
	v := testVeil(f, Hashed)
	f.Fuzz(func(t *testing.T, a, b, low, high uint64) {
		if low > high {
			low, high = high, low
		}
		for _, p := range []*uint64{&a, &b} {
			if span := high - low; span < 1<<64-1 {
				*p = low + *p%(span+1)
			}
		}
		pa, pb := v.permute(a, low, high), v.permute(b, low, high)
		if pa < low || pa > high || pb < low || pb > high || (a == b) != (pa == pb) {
			t.Fatalf("in %d to %d: %d becomes %d, %d becomes %d", low, high, a, pa, b, pb)
		}
		n := binary.BigEndian.AppendUint64(nil, a)
		if !v.binaryInteger(n) {
			t.Fatal("no integer")
		}
	})
}
