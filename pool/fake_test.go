package pool

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/rs/zerolog"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/sock"
)

// fakeServer is a PostgreSQL that carries nothing out: it answers each message in the shortest way, knows transaction blocks by their keywords, and counts.
type fakeServer struct {
	listener net.Listener
	tls      *tls.Config  // nil: it has none
	syncs    atomic.Int64 // ReadyForQuery messages sent after the login
	logins   atomic.Int64
	hook     func(c *fakeSession, typ byte, body []byte) bool // true: it has answered by itself
	onCancel func()                                           // called with the connection of a cancel request open; nil: it is closed at once
	mu       sync.Mutex
	sessions []*fakeSession
	seen     []string // the texts of Parse and Query
	wg       sync.WaitGroup
}

type fakeSession struct {
	server *fakeServer
	conn   net.Conn
	status wire.TxStatus
	texts  map[string]string // of prepared statements, by name
	known  map[string]string
	bound  string
	out    []byte
	skip   bool
}

func startFake(t *testing.T) *fakeServer {
	t.Helper()
	return startFakeAt(t, "127.0.0.1:0")
}

func startFakeAt(t *testing.T, address string) *fakeServer {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{listener: l}
	f.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			s := &fakeSession{server: f, conn: nc, status: wire.TxIdle, texts: map[string]string{}, known: map[string]string{}}
			f.mu.Lock()
			f.sessions = append(f.sessions, s)
			f.mu.Unlock()
			f.wg.Go(s.serve)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		f.killAll()
		f.wg.Wait()
	})
	return f
}

// killAll cuts every connection.
func (f *fakeServer) killAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sessions {
		_ = s.conn.Close()
	}
}

func (s *fakeSession) serve() {
	defer func() { _ = s.conn.Close() }()
	start, err := wire.ReadStartup(s.conn)
	if err == nil && start.Kind == wire.RequestSSL && s.server.tls != nil {
		_, _ = s.conn.Write([]byte{'S'})
		s.conn = tls.Server(s.conn, s.server.tls)
		start, err = wire.ReadStartup(s.conn)
	}
	if err == nil && start.Kind == wire.RequestSSL {
		if _, err = s.conn.Write([]byte{'N'}); err == nil {
			start, err = wire.ReadStartup(s.conn)
		}
	}
	if err == nil && start.Kind == wire.RequestCancel && s.server.onCancel != nil {
		s.server.onCancel()
	}
	if err != nil || start.Kind != wire.RequestSession {
		return
	}
	s.server.logins.Add(1)
	out := wire.AppendAuthenticationOK(nil)
	for _, p := range [][2]string{{"server_version", "15.0"}, {"client_encoding", "UTF8"}, {"TimeZone", "UTC"}, {"application_name", ""}, {"standard_conforming_strings", "on"}} {
		out = wire.AppendParameterStatus(out, p[0], p[1])
	}
	out = wire.AppendReadyForQuery(wire.AppendBackendKeyData(out, 1, []byte{1, 2, 3, 4}), wire.TxIdle)
	if _, err := s.conn.Write(out); err != nil {
		return
	}
	r := bufio.NewReaderSize(s.conn, 64<<10)
	head := make([]byte, wire.HeaderLen)
	body := make([]byte, 0, 64<<10)
	for {
		if _, err := io.ReadFull(r, head); err != nil {
			return
		}
		_, size, _ := wire.Header(head)
		if n := size - wire.HeaderLen; n > cap(body) {
			body = make([]byte, n)
		}
		body = body[:size-wire.HeaderLen]
		if _, err := io.ReadFull(r, body); err != nil || head[0] == wire.ClientTerminate {
			return
		}
		s.answer(head[0], body)
		if r.Buffered() == 0 && len(s.out) > 0 {
			if _, err := s.conn.Write(s.out); err != nil {
				return
			}
			s.out = s.out[:0]
		}
	}
}

func (s *fakeSession) answer(typ byte, body []byte) {
	if s.skip && typ != wire.ClientSync {
		return
	}
	if s.server.hook != nil && s.server.hook(s, typ, body) {
		return
	}
	switch typ {
	case wire.ClientParse:
		name, tail, _ := wire.CString(body)
		sql, _, _ := wire.CString(tail)
		if s.texts[string(name)] != string(sql) {
			s.texts[string(name)] = string(sql)
		}
		s.note(sql)
		s.out = wire.AppendEmpty(s.out, wire.ServerParseComplete)
	case wire.ClientBind:
		_, rest, _ := wire.CString(body)
		name, _, _ := wire.CString(rest)
		text, ok := s.texts[string(name)]
		if !ok {
			s.fail(wire.CodeUndefinedPreparedStatement)
			return
		}
		s.bound = text
		s.out = wire.AppendEmpty(s.out, wire.ServerBindComplete)
	case wire.ClientDescribe:
		s.out = wire.AppendEmpty(s.out, wire.ServerNoData)
	case wire.ClientExecute:
		s.run(s.bound)
	case wire.ClientClose:
		if name, _, _ := wire.CString(body[1:]); body[0] == 'S' {
			delete(s.texts, string(name))
		}
		s.out = wire.AppendEmpty(s.out, wire.ServerCloseComplete)
	case wire.ClientSync:
		s.skip = false
		s.ready()
	case wire.ClientQuery:
		sql, _, _ := wire.CString(body)
		s.note(sql)
		if bytes.IndexByte(sql, ';') < 0 {
			s.run(s.intern(sql))
		} else {
			for one := range strings.SplitSeq(string(sql), ";") {
				if one != "" {
					s.run(one)
				}
			}
		}
		s.ready()
	}
}

func (s *fakeSession) note(sql []byte) {
	s.server.mu.Lock()
	if len(s.server.seen) < 100 {
		s.server.seen = append(s.server.seen, string(sql))
	}
	s.server.mu.Unlock()
}

// intern keeps a text, so that seeing it again allocates nothing.
func (s *fakeSession) intern(sql []byte) string {
	text, ok := s.known[string(sql)]
	if !ok {
		text = string(sql)
		s.known[text] = text
	}
	return text
}

func (s *fakeSession) ready() {
	s.server.syncs.Add(1)
	s.out = wire.AppendReadyForQuery(s.out, s.status)
}

func (s *fakeSession) fail(code wire.Code) {
	s.out = wire.Errorf(code, "failed").Append(s.out)
	s.skip = true
	if s.status == wire.TxActive {
		s.status = wire.TxFailed
	}
}

// run answers with the statement's first word as the tag.
func (s *fakeSession) run(sql string) {
	tag, _, _ := strings.Cut(sql, " ")
	if tag == "DISCARD" {
		tag = sql
	}
	switch tag {
	case "BEGIN":
		s.status = wire.TxActive
	case "COMMIT", "ROLLBACK":
		s.status = wire.TxIdle
	}
	s.out = wire.AppendCommandComplete(s.out, tag)
}

// startPooler serves a pool before a server, on a free port.
func startPooler(t *testing.T, upstream string, change func(*config.Config)) (*Pooler, string) {
	t.Helper()
	return startPoolerWith(t, upstream, zerolog.Nop(), change)
}

func startPoolerWith(t *testing.T, upstream string, log zerolog.Logger, change func(*config.Config)) (*Pooler, string) {
	t.Helper()
	conf := config.Defaults()
	conf.AuthType, conf.WatchFunctions = config.AuthTrust, 0 // which the fake knows nothing of
	if err := config.ApplyUpstream(conf, upstream, config.Origin{}); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(conf)
	}
	p, err := New(conf, log)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Serve(l) }()
	t.Cleanup(func() {
		p.Close()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the pooler did not end within 10 s of Close")
		}
	})
	return p, l.Addr().String()
}

func (f *fakeServer) url() string { return "postgres://u@" + f.listener.Addr().String() + "/d" }

// testClient speaks to the pooler message by message.
type testClient struct {
	t    *testing.T
	conn net.Conn
	buf  []byte
	key  *pgproto3.BackendKeyData
}

// logIn opens a session; params are names and values in turn.
func logIn(t *testing.T, addr string, params ...string) *testClient {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return newTestClient(t, nc, params...)
}

// newTestClient opens a session on a connection.
func newTestClient(t *testing.T, nc net.Conn, params ...string) *testClient {
	t.Helper()
	c := &testClient{t: t, conn: nc, buf: make([]byte, 64<<10)}
	m := pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersionNumber, Parameters: map[string]string{"user": "u", "database": "d"}}
	for i := 0; i < len(params); i += 2 {
		m.Parameters[params[i]] = params[i+1]
	}
	b, err := m.Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.send(b)
	for {
		typ, body := c.message()
		switch typ {
		case wire.ServerErrorResponse:
			e, _ := wire.ParseError(body)
			t.Fatal(e.Error())
		case wire.ServerBackendKeyData:
			c.key = &pgproto3.BackendKeyData{}
			if err := c.key.Decode(body); err != nil {
				t.Fatal(err)
			}
		case wire.ServerReadyForQuery:
			return c
		}
	}
}

func (c *testClient) send(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *testClient) message() (byte, []byte) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	typ, body, err := wire.ReadMessage(c.conn, 1<<20)
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return typ, body
}

// replies reads up to the n-th ReadyForQuery, and gives the types of the messages, with an error's SQLSTATE and the status behind them.
func (c *testClient) replies(n int) string {
	c.t.Helper()
	var b strings.Builder
	for n > 0 {
		typ, body := c.message()
		b.WriteByte(typ)
		switch typ {
		case wire.ServerErrorResponse:
			b.WriteString("(" + string(wire.ErrorCode(body)) + ")")
		case wire.ServerReadyForQuery:
			b.WriteByte(body[0])
			n--
		}
	}
	return b.String()
}

// query sends a simple Query, and gives the replies.
func (c *testClient) query(sql string) string {
	c.t.Helper()
	c.send(wire.AppendQuery(nil, sql))
	return c.replies(1)
}

// swallow reads up to the n-th ReadyForQuery without allocating; no message is longer than the buffer.
func (c *testClient) swallow(n int) {
	have := 0
	for {
		k, err := c.conn.Read(c.buf[have:])
		if err != nil {
			c.t.Fatal(err)
		}
		have += k
		at := 0
		for have-at >= wire.HeaderLen {
			size := int(binary.BigEndian.Uint32(c.buf[at+1:])) + 1
			if have-at < size {
				break
			}
			if c.buf[at] == wire.ServerReadyForQuery {
				n--
			}
			at += size
		}
		have = copy(c.buf, c.buf[at:have])
		if n == 0 {
			return
		}
	}
}

// discardConn is a connection that takes everything and gives nothing.
type discardConn struct{ net.Conn }

func (discardConn) Write(p []byte) (int, error)      { return len(p), nil }
func (discardConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (discardConn) SetDeadline(time.Time) error      { return nil }
func (discardConn) SetReadDeadline(time.Time) error  { return nil }
func (discardConn) SetWriteDeadline(time.Time) error { return nil }

func (c discardConn) sock() *sock.Conn { return sock.New(c) }

func (f *fakeServer) port() int { return f.listener.Addr().(*net.TCPAddr).Port }
