package admin

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/pool"
	"poolerd/wire"
)

// sink is a connection that reads from a text and throws away what is written.
type sink struct {
	net.Conn
	in *bytes.Reader
}

func (s sink) Read(b []byte) (int, error)         { return s.in.Read(b) }
func (s sink) Write(b []byte) (int, error)        { return len(b), nil }
func (s sink) SetWriteDeadline(_ time.Time) error { return nil }
func (s sink) SetReadDeadline(_ time.Time) error  { return nil }

// FuzzServe: no bytes of a client make a session panic, and it ends with nothing or with an error that can be sent. The user is no administrator.
func FuzzServe(f *testing.F) {
	add := func(messages ...pgproto3.FrontendMessage) {
		var b []byte
		for _, m := range messages {
			var err error
			if b, err = m.Encode(b); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(b)
	}
	add(&pgproto3.Query{String: "SHOW STATS; SHOW STATE"}, &pgproto3.Query{String: "SHUTDOWN"}, &pgproto3.Terminate{})
	add(&pgproto3.Parse{Name: "a", Query: "SHOW LISTS"}, &pgproto3.Describe{ObjectType: 'S', Name: "a"},
		&pgproto3.Bind{PreparedStatement: "a", ResultFormatCodes: []int16{0, 1}}, &pgproto3.Describe{ObjectType: 'P'},
		&pgproto3.Execute{MaxRows: 2}, &pgproto3.Execute{}, &pgproto3.Close{ObjectType: 'P'}, &pgproto3.Flush{}, &pgproto3.Sync{})
	c := newConsole(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		err := c.Serve(pool.NewConsoleSession(sink{in: bytes.NewReader(in)}, "watcher"))
		if broken, ok := err.(*wire.Error); err != nil && (!ok || broken.Severity != "FATAL") { //nolint:errorlint // Serve gives the error itself
			t.Fatalf("ended with %v", err)
		}
	})
}
