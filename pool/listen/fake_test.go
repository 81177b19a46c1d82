package listen

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// fakePID is the first connection's process id; the next one has the next.
const fakePID = 4200

// fake is a server that says yes to everything, and what a test wants it to say.
type fake struct {
	listener net.Listener
	refuse   func(sql string) *pgproto3.ErrorResponse // nil: accept; set before the first connection
	sync     func()                                   // called before a Sync is answered; set as refuse
	work     sync.WaitGroup

	mu      sync.Mutex
	conns   []net.Conn
	talks   net.Conn // the newest whose login is over
	queries []string // all that came, but neverIdle
	syncs   int
}

func newFake(t testing.TB) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	f := &fake{listener: l}
	f.work.Go(f.accept)
	t.Cleanup(func() {
		_ = l.Close()
		f.cut()
		f.work.Wait()
	})
	return f
}

func (f *fake) accept() {
	for {
		nc, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.conns = append(f.conns, nc)
		pid := uint32(fakePID + len(f.conns) - 1)
		f.mu.Unlock()
		f.work.Go(func() { f.serve(nc, pid) })
	}
}

func (f *fake) serve(nc net.Conn, pid uint32) {
	defer func() { _ = nc.Close() }()
	b := pgproto3.NewBackend(nc, nc)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	f.say(nc, &pgproto3.AuthenticationOk{}, &pgproto3.BackendKeyData{ProcessID: pid, SecretKey: []byte{1, 2, 3, 4}}, ready)
	f.mu.Lock()
	f.talks = nc
	f.mu.Unlock()
	for {
		m, err := b.Receive()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *pgproto3.Query:
			f.answer(nc, m.String)
		case *pgproto3.Sync:
			if f.sync != nil {
				f.sync()
			}
			f.mu.Lock()
			f.syncs++
			f.mu.Unlock()
			f.say(nc, ready)
		default:
			return
		}
	}
}

var ready = &pgproto3.ReadyForQuery{TxStatus: 'I'}

func (f *fake) answer(nc net.Conn, sql string) {
	if sql == neverIdle {
		f.say(nc, &pgproto3.CommandComplete{CommandTag: []byte("SELECT 0")}, ready)
		return
	}
	f.mu.Lock()
	f.queries = append(f.queries, sql)
	f.mu.Unlock()
	if f.refuse != nil {
		if e := f.refuse(sql); e != nil {
			f.say(nc, e, ready)
			return
		}
	}
	f.say(nc, &pgproto3.CommandComplete{CommandTag: []byte("LISTEN")}, ready)
}

func (f *fake) say(nc net.Conn, messages ...pgproto3.BackendMessage) {
	var out []byte
	for _, m := range messages {
		out, _ = m.Encode(out)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, _ = nc.Write(out)
}

// last is the newest connection whose login is over.
func (f *fake) last() net.Conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.talks
}

func (f *fake) notify(channel, payload string) {
	f.say(f.last(), &pgproto3.NotificationResponse{PID: 77, Channel: channel, Payload: payload})
}

// cut ends all connections without a word.
func (f *fake) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, nc := range f.conns {
		_ = nc.Close()
	}
}

// count tells how often a statement came.
func (f *fake) count(sql string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, q := range f.queries {
		if q == sql {
			n++
		}
	}
	return n
}

func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.queries)
}

func (f *fake) connect(ctx context.Context) (*pgconn.PgConn, error) {
	return pgconn.Connect(ctx, fmt.Sprintf("postgres://x@%s/x?sslmode=disable", f.listener.Addr()))
}

// hub makes a Hub of the fake's.
func (f *fake) hub(t testing.TB, o Options) *Hub {
	t.Helper()
	o.Connect = f.connect
	h := New(o)
	t.Cleanup(h.Close)
	return h
}

// decode reads NotificationResponses.
func decode(t testing.TB, b []byte) (list []pgproto3.NotificationResponse) {
	t.Helper()
	for len(b) > 0 {
		if len(b) < 5 || b[0] != 'A' || len(b) < 1+int(binary.BigEndian.Uint32(b[1:])) {
			t.Fatalf("not a whole notification: %q", b[:min(len(b), 40)])
		}
		size := 1 + int(binary.BigEndian.Uint32(b[1:]))
		var n pgproto3.NotificationResponse
		must(t, n.Decode(b[5:size]))
		list = append(list, n)
		b = b[size:]
	}
	return list
}
