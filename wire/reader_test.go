package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"
)

func TestHeader(t *testing.T) {
	for _, test := range []struct {
		in   string
		size int
		ok   bool
	}{
		{"S\x00\x00\x00\x04", 5, true},
		{"Q\x00\x00\x00\x09", 10, true},
		{"Q\x00\x00\x00\x03", 4, false},
		{"Q\x00\x00\x00\x00", 1, false},
		{"Q\x3f\xff\xff\xff", MaxMessageLen + 1, true},
		{"Q\x40\x00\x00\x00", MaxMessageLen + 2, false},
		{"Q\xff\xff\xff\xff", 0, false},
	} {
		if _, size, ok := Header([]byte(test.in)); ok != test.ok || ok && size != test.size {
			t.Errorf("%q: %d, %v", test.in, size, ok)
		}
	}
}

// FuzzReadMessage: what is read is what was sent, to the byte, and nothing behind it is touched.
func FuzzReadMessage(f *testing.F) {
	f.Add([]byte("S\x00\x00\x00\x04rest"))
	f.Add([]byte("Q\x00\x00\x00\x09ping\x00"))
	f.Add([]byte("Q\xff\xff\xff\xff"))
	f.Add([]byte("Q\x00\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		const most = 1 << 16
		r := bytes.NewReader(in)
		typ, body, err := ReadMessage(r, most)
		if err == nil {
			again := append(append([]byte{typ}, in[1:HeaderLen]...), body...)
			if !bytes.Equal(again, in[:len(again)]) || r.Len() != len(in)-len(again) {
				t.Fatalf("%q was read as %c %q", in, typ, body)
			}
			return
		}
		var refused *Error
		switch {
		case errors.As(err, &refused):
			if _, size, ok := Header(in); ok && size-HeaderLen <= most {
				t.Fatalf("%q: refused: %v", in, err)
			}
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		default:
			t.Fatalf("%q: %v", in, err)
		}
	})
}

// TestAppend: what the Append functions write has a right header, and reads back.
func TestAppend(t *testing.T) {
	for _, m := range [][]byte{
		AppendEmpty(nil, ClientSync), AppendQuery(nil, "SELECT 1"), AppendParse(nil, "s", ParseTail("SELECT $1", 23)), AppendBind(nil, "p", "s"),
		AppendExecute(nil, "p"), AppendDescribe(nil, 'S', "s"), AppendClose(nil, 'P', "p"), AppendCommandComplete(nil, "SELECT 1"),
		AppendParameterStatus(nil, "TimeZone", "UTC"), AppendReadyForQuery(nil, TxIdle), AppendBackendKeyData(nil, 1, make([]byte, 32)),
		AppendAuthenticationOK(nil), Errorf(CodeQueryCanceled, "no").Append(nil),
	} {
		if _, size, ok := Header(m); !ok || size != len(m) {
			t.Errorf("%q: size %d, %v", m, size, ok)
		}
		behind := append([]byte("before"), m...)
		r := bytes.NewReader(behind[6:])
		if typ, body, err := ReadMessage(r, 1000); err != nil || typ != m[0] || !bytes.Equal(body, m[HeaderLen:]) {
			t.Errorf("%q reads back as %c %q, %v", m, typ, body, err)
		}
	}
}

// TestReadMessageGrows: a header that promises much takes little memory until it is kept.
func TestReadMessageGrows(t *testing.T) {
	const size = 1 << 20
	for _, sent := range []int{0, 1, firstRead, firstRead + 1, size / 2, size} {
		message := append([]byte{ClientPassword, 0, 0, 0, 0}, bytes.Repeat([]byte{7}, sent)...)
		binary.BigEndian.PutUint32(message[1:], size+4)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, body, err := ReadMessage(bytes.NewReader(message), size)
		runtime.ReadMemStats(&after)
		if whole := sent == size; whole != (err == nil) || whole && !bytes.Equal(body, message[HeaderLen:]) {
			t.Errorf("%d bytes: %d read, %v", sent, len(body), err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(8*sent+4*firstRead) {
			t.Errorf("%d bytes took %d", sent, took)
		}
	}
}
