package replay

import (
	"compress/gzip"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"poolerd/wire"
	"poolerd/wire/record"
)

// fakeTarget is a PostgreSQL that answers every Query and Sync after a given time, and counts.
type fakeTarget struct {
	listener net.Listener
	delay    time.Duration
	silent   bool // it never answers
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	seen  []string // texts and types
	users []string
}

func startFake(t *testing.T, delay time.Duration) *fakeTarget {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeTarget{listener: l, delay: delay}
	f.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, nc)
			f.mu.Unlock()
			f.wg.Go(func() { f.serve(nc) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		f.mu.Lock()
		for _, nc := range f.conns {
			_ = nc.Close()
		}
		f.mu.Unlock()
		f.wg.Wait()
	})
	return f
}

func (f *fakeTarget) url() string {
	return "postgres://u@" + f.listener.Addr().String() + "/d?sslmode=disable"
}

func (f *fakeTarget) serve(nc net.Conn) {
	defer func() { _ = nc.Close() }()
	start, err := wire.ReadStartup(nc)
	if err != nil {
		return
	}
	f.mu.Lock()
	f.users = append(f.users, start.User())
	f.mu.Unlock()
	b := wire.AppendReadyForQuery(wire.AppendBackendKeyData(wire.AppendAuthenticationOK(nil), 1, []byte{1, 2, 3, 4}), wire.TxIdle)
	if _, err := nc.Write(b); err != nil {
		return
	}
	for {
		typ, body, err := wire.ReadMessage(nc, 1<<20)
		if err != nil || typ == wire.ClientTerminate {
			return
		}
		f.mu.Lock()
		f.seen = append(f.seen, strings.TrimRight(string(typ)+" "+string(body), "\x00 "))
		f.mu.Unlock()
		switch {
		case f.silent:
			continue
		case typ == wire.ClientQuery:
			time.Sleep(f.delay) // the server's work
			b = wire.AppendCommandComplete(nil, "SELECT 1")
			if strings.HasPrefix(string(body), "fail") {
				b = wire.Errorf(wire.CodeSyntaxError, `syntax error at "x": "secret"`).Append(nil)
			}
			b = wire.AppendReadyForQuery(b, wire.TxIdle)
		case typ == wire.ClientParse:
			b = wire.AppendEmpty(nil, wire.ServerParseComplete)
		case typ == wire.ClientSync:
			b = wire.AppendReadyForQuery(nil, wire.TxIdle)
		default:
			continue
		}
		if _, err := nc.Write(b); err != nil {
			return
		}
	}
}

// written makes a recording by a Writer.
func written(t *testing.T, write func(w *record.Writer, at func(ms int) time.Time)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "traffic")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	start := time.UnixMicro(1_700_000_000_000_000)
	w, err := record.NewWriter(f, record.Kept, start)
	if err != nil {
		t.Fatal(err)
	}
	write(w, func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) })
	if err := w.Close(0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// query records a Query and its answer.
func query(w *record.Writer, id uint64, from, to time.Time, sql, code string) {
	body := []byte(sql + "\x00")
	_ = w.Message(id, from, wire.ClientQuery, body, len(body)+wire.HeaderLen)
	_ = w.Ready(id, to, wire.TxIdle, code)
}

// writeZipped writes a file's bytes as a Writer's file has them.
func writeZipped(to io.Writer, b []byte) {
	z := gzip.NewWriter(to)
	_, _ = z.Write(b)
	_ = z.Close()
}
