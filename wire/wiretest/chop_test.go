package wiretest_test

import (
	"bytes"
	"io"
	"net"
	"testing"

	"poolerd/wire/wiretest"
)

// pieces keeps the lengths of what is written.
type pieces struct {
	net.Conn
	lengths []int
	all     bytes.Buffer
	limit   int // after so many writes there is an error; 0: never
}

func (p *pieces) Write(b []byte) (int, error) {
	if p.limit > 0 && len(p.lengths) == p.limit {
		return 1, io.ErrClosedPipe
	}
	p.lengths = append(p.lengths, len(b))
	return p.all.Write(b)
}

func TestChopped(t *testing.T) {
	var data []byte
	for i := range 100_000 {
		data = append(data, byte(i*i>>3))
	}
	for _, c := range []struct {
		name   string
		length int
		piece  int
		writes int
	}{
		{"nothing", 0, 1, 0},
		{"one by one", 500, 1, 500},
		{"the last piece is shorter", 7, 3, 3},
		{"more than there is", 7, 100, 1},
		{"never nothing", 3, 0, 3},
		{"head, middle and tail", 100_000, 1, 1024 + 6 + 1024}, // 97,952 bytes between them, in pieces of 16,385
	} {
		t.Run(c.name, func(t *testing.T) {
			var p pieces
			n, err := wiretest.Chopped(&p, func(int) int { return c.piece }).Write(data[:c.length])
			if n != c.length || err != nil {
				t.Errorf("wrote %d, %v", n, err)
			}
			if !bytes.Equal(p.all.Bytes(), data[:c.length]) {
				t.Error("not what was to be written")
			}
			if len(p.lengths) != c.writes {
				t.Errorf("%d writes, want %d", len(p.lengths), c.writes)
			}
		})
	}
	t.Run("an error", func(t *testing.T) {
		p := pieces{limit: 4}
		if n, err := wiretest.Chopped(&p, func(int) int { return 10 }).Write(data[:100]); n != 41 || err == nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	})
}
