package admin

import (
	"net"
	"testing"
	"time"

	"poolerd/pool"
	"poolerd/wire"
)

// gauge counts the rows that are written, and the largest single write.
type gauge struct {
	net.Conn
	rows, largest int
}

func (g *gauge) SetWriteDeadline(_ time.Time) error { return nil }
func (g *gauge) SetReadDeadline(_ time.Time) error  { return nil }
func (g *gauge) Read([]byte) (int, error)           { return 0, net.ErrClosed }

func (g *gauge) Write(b []byte) (int, error) {
	g.largest = max(g.largest, len(b))
	for rest := b; len(rest) > 0; {
		typ, size, ok := wire.Header(rest)
		if !ok || size > len(rest) {
			return 0, net.ErrClosed
		}
		if typ == wire.ServerDataRow {
			g.rows++
		}
		rest = rest[size:]
	}
	return len(b), nil
}

// TestManyRowsAreWrittenInParts: the memory that a reply takes on its way does not grow with its rows.
func TestManyRowsAreWrittenInParts(t *testing.T) {
	const count = 20_000
	g := &gauge{}
	s := newSession(newConsole(t), pool.NewConsoleSession(g, "root"))
	defer s.stop()
	cmd := command{columns: columnsOf(int4, "n"), tag: "SHOW"}
	r := result{}
	for i := range count {
		r.rows = append(r.rows, []any{i})
	}
	if err := s.reply(cmd, nil, r); err != nil {
		t.Fatal(err)
	}
	if err := s.ready(); err != nil {
		t.Fatal(err)
	}
	if g.rows != count || g.largest > 2*mostPending {
		t.Errorf("%d rows, %d bytes in one write", g.rows, g.largest)
	}
}
