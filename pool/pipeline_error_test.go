package pool

import (
	"strings"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// TestErrorInALongPipeline: a client that has much to send is told of an error between two parts of it, as PostgreSQL tells it, and not when it has stopped.
func TestErrorInALongPipeline(t *testing.T) {
	const parts = 4
	f := startFake(t)
	binds := make(chan int, parts)
	n := 0
	f.hook = func(s *fakeSession, typ byte, _ []byte) bool {
		switch typ {
		case wire.ClientBind:
			n++
			binds <- n
		case wire.ClientExecute:
			if n == 1 {
				s.out = wire.Errorf(wire.CodeSyntaxError, "failed").Append(s.out)
			}
		case wire.ClientQuery, wire.ClientSync:
			return false
		}
		return true // what follows the error is skipped
	}
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.DeferBegin = false })
	c := logIn(t, addr)
	c.query("BEGIN")  // from here on it has a server
	p.stats.mu.Lock() // holds the clock up, by which the client would be told when it has stopped
	defer p.stats.mu.Unlock()
	part := wire.AppendParse(nil, "", wire.ParseTail("SELECT $1"))
	part = wire.AppendExecute(wire.AppendBindText(part, "", "", strings.Repeat("x", bufferSize)), "")
	for i := range parts {
		c.send(part)
		select {
		case got := <-binds:
			if got != i+1 {
				t.Fatalf("%d binds have come, want %d", got, i+1)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("part %d has not come", i)
		}
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	typ, body, err := wire.ReadMessage(c.conn, 1<<20)
	if err != nil || typ != wire.ServerErrorResponse || string(wire.ErrorCode(body)) != string(wire.CodeSyntaxError) {
		t.Fatalf("%c %q, %v", typ, body, err)
	}
	c.send(wire.AppendEmpty(nil, wire.ClientSync))
	if got := c.replies(1); got != "ZT" {
		t.Errorf("the Sync is answered with %s", got)
	}
}
