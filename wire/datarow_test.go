package wire

import (
	"bytes"
	"testing"
)

func TestParseDataRow(t *testing.T) {
	for _, c := range []struct {
		body string
		want [][]byte
		ok   bool
	}{
		{"\x00\x00", [][]byte{}, true},
		{"\x00\x02\x00\x00\x00\x01t\xff\xff\xff\xff", [][]byte{[]byte("t"), nil}, true},
		{"\x00\x01\x00\x00\x00\x00", [][]byte{{}}, true},
		{"", nil, false},
		{"\x00\x01", nil, false},
		{"\x00\x01\x00\x00\x00\x02t", nil, false},
		{"\x00\x00x", nil, false},
	} {
		got, ok := ParseDataRow([]byte(c.body))
		if ok != c.ok || ok && len(got) != len(c.want) {
			t.Errorf("%q: %q, %v", c.body, got, ok)
			continue
		}
		for i := range got {
			if ok && (!bytes.Equal(got[i], c.want[i]) || (got[i] == nil) != (c.want[i] == nil)) {
				t.Errorf("%q: value %d is %q", c.body, i, got[i])
			}
		}
	}
}

func FuzzParseDataRow(f *testing.F) {
	f.Add([]byte("\x00\x02\x00\x00\x00\x01t\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		values, ok := ParseDataRow(body)
		if !ok {
			return
		}
		size := 2
		for _, v := range values {
			size += 4 + len(v)
		}
		if size != len(body) {
			t.Errorf("%d bytes of %d", size, len(body))
		}
	})
}
