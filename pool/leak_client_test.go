package pool

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"poolerd/wire"
)

// leakClient is a client of TestNothingLeaks: a connection, and what its session must be.
type leakClient struct {
	name     string
	n        int
	conn     net.Conn
	pid      uint32
	model    *sessionModel
	reported map[string]string

	heard    []string // notifications that came
	expected []string // those that must have
	pending  []string // those that are held back while it is in a transaction: channel and payload
}

// leakReply is what came up to the last ReadyForQuery that was waited for.
type leakReply struct {
	code    wire.Code // of the first error
	message string
	tags    []string
	rows    []string // first columns
	status  string
}

// flight sends bytes and waits for as many ReadyForQuery, or for a server that begins to read COPY data.
func (c *leakClient) flight(t *rapid.T, b []byte, ready int) leakReply {
	t.Helper()
	c.send(t, b)
	var r leakReply
	for ready > 0 {
		typ, body := c.message(t, &r)
		if typ == wire.ServerCopyInResponse {
			return r
		}
		if typ == wire.ServerReadyForQuery {
			r.status = string(body)
			ready--
		}
	}
	return r
}

func (c *leakClient) send(t *rapid.T, b []byte) {
	t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
}

// message reads one message into r.
func (c *leakClient) message(t *rapid.T, r *leakReply) (byte, []byte) {
	t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(leakPatience))
	typ, body, err := wire.ReadMessage(c.conn, 1<<20)
	if err != nil {
		t.Fatalf("%s: %v; before: %s %s", c.name, err, r.code, r.message)
	}
	switch typ {
	case wire.ServerBackendKeyData:
		c.pid = binary.BigEndian.Uint32(body)
	case wire.ServerParameterStatus:
		name, value, _ := parameterStatus(body)
		c.reported[string(name)] = string(value)
	case wire.ServerNotificationResponse:
		channel, rest, _ := wire.CString(body[4:])
		payload, _, _ := wire.CString(rest)
		c.heard = append(c.heard, string(channel)+" "+string(payload))
	case wire.ServerCommandComplete:
		r.tags = append(r.tags, string(body[:len(body)-1]))
	case wire.ServerDataRow:
		if values, ok := wire.ParseDataRow(body); ok && len(values) > 0 {
			r.rows = append(r.rows, string(values[0]))
		}
	case wire.ServerErrorResponse:
		if e, err := wire.ParseError(body); err == nil && r.code == "" {
			r.code, r.message = e.Code, e.Message
		}
	}
	return typ, body
}

// do carries out one statement in one of the protocol's ways. An error is fatal unless its code is among those allowed, or the transaction has failed already.
func (c *leakClient) do(t *rapid.T, sql string, allowed ...wire.Code) (r leakReply, ok bool) {
	t.Helper()
	t.Logf("%s: %s", c.name, sql)
	var b []byte
	switch rapid.IntRange(0, 2).Draw(t, "protocol") {
	case 0:
		b = wire.AppendQuery(nil, sql)
	case 1:
		b = unprepared(sql)
	default:
		b = wire.AppendParse(nil, "once", wire.ParseTail(sql))
		b = wire.AppendExecute(wire.AppendBind(b, "", "once"), "")
		b = wire.AppendEmpty(wire.AppendClose(b, 'S', "once"), wire.ClientSync)
		if c.model.failed {
			b = unprepared(sql)
		}
	}
	r = c.flight(t, b, 1)
	ok = c.judge(t, sql, r, allowed...)
	if !ok && len(b) > 0 && b[0] == wire.ClientParse {
		c.flight(t, wire.AppendEmpty(wire.AppendClose(nil, 'S', "once"), wire.ClientSync), 1)
	}
	return r, ok
}

// query is do as a simple Query, whose text may hold several statements.
func (c *leakClient) query(t *rapid.T, sql string, allowed ...wire.Code) (r leakReply, ok bool) {
	t.Helper()
	t.Logf("%s: %s", c.name, sql)
	r = c.flight(t, wire.AppendQuery(nil, sql), 1)
	return r, c.judge(t, sql, r, allowed...)
}

// judge tells whether a statement has succeeded, and lets the model's transaction fail with it.
func (c *leakClient) judge(t *rapid.T, what string, r leakReply, allowed ...wire.Code) bool {
	t.Helper()
	m := c.model
	switch {
	case m.failed:
		if r.code != wire.CodeInFailedTransaction && !slices.Contains(allowed, r.code) { // what comes first differs
			t.Fatalf("%s: %s in a failed transaction: %q %s", c.name, what, r.code, r.message)
		}
	case r.code != "":
		if !slices.Contains(allowed, r.code) {
			t.Fatalf("%s: %s: %s %s", c.name, what, r.code, r.message)
		}
		m.failed = m.before != nil
	}
	if r.status != m.status() {
		t.Fatalf("%s: %s: status %q, want %q", c.name, what, r.status, m.status())
	}
	return r.code == ""
}

// cut ends the connection without a word.
func (c *leakClient) cut() { _ = c.conn.Close() }

// drained reads until the server closes.
func (c *leakClient) drained(t *rapid.T) {
	_ = c.conn.SetReadDeadline(time.Now().Add(leakPatience))
	if _, err := io.Copy(io.Discard, c.conn); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Fatalf("%s: after Terminate: %v", c.name, err)
	}
	_ = c.conn.Close()
}

// compareReported holds what ParameterStatus has told the client against its model. In a failed transaction PostgreSQL has gone back already.
func (c *leakClient) compareReported(t *rapid.T) {
	t.Helper()
	if c.model.failed {
		return
	}
	for _, name := range leakReported {
		if got, want := c.reported[name], c.model.show(name); got != want && !strings.HasPrefix(want, "'") {
			t.Fatalf("%s: %s was last reported as %q, and is %q", c.name, name, got, want)
		}
	}
}

// hear waits for the notifications that must come.
func (c *leakClient) hear(t *rapid.T) {
	t.Helper()
	for len(c.heard) < len(c.expected) {
		var r leakReply
		c.message(t, &r)
	}
	if !slices.Equal(c.heard, c.expected) {
		t.Fatalf("%s: heard %q, should have %q", c.name, c.heard, c.expected)
	}
	c.heard, c.expected = nil, nil
}

// leakUntil waits for a condition, leakPatience at most.
func leakUntil(t *rapid.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(leakPatience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", leakPatience, what)
		}
	}
}
