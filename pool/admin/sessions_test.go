package admin

import (
	"errors"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/pool"
)

// run serves a console by a real pooler, and gives its address and the end of it.
func run(t *testing.T, of control) (addr string, over <-chan error) {
	t.Helper()
	p := newPooler(t)
	if of == nil {
		of = p
	}
	p.SetConsole(newConsoleOf(p, of, "v1", func() error { return nil }))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(l); close(ended) }()
	t.Cleanup(func() {
		p.Close()
		<-ended
	})
	return l.Addr().String(), ended
}

// key is a session's cancel key.
type key struct {
	pid    uint32
	secret []byte
}

func login(t *testing.T, addr, database string) (*client, key) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(limit))
	x := &client{Frontend: pgproto3.NewFrontend(conn, conn), t: t, conn: conn, status: map[string]string{}}
	x.Send(&pgproto3.StartupMessage{
		ProtocolVersion: pgproto3.ProtocolVersionNumber, Parameters: map[string]string{"user": "root", "database": database, "application_name": "till"},
	})
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	x.welcome()
	return x, x.key
}

// TestSessionsAreShown: the console's sessions are clients of the database pgbouncer, in every count.
func TestSessionsAreShown(t *testing.T) {
	addr, _ := run(t, &fakeControl{})
	x, _ := login(t, addr, "poolerd")
	y, _ := login(t, addr, "pgbouncer")
	shown := x.query("SHOW CLIENTS").rows
	if len(shown) != 2 {
		t.Fatalf("%d clients", len(shown))
	}
	for i, row := range shown {
		got := texts(row)
		if got[1] != "root" || got[2] != "pgbouncer" || got[4] != "idle" || got[18] != "till" || got[20] != strconv.Itoa(i+1) {
			t.Errorf("client %q", got)
		}
	}
	if rows := x.query("SHOW ACTIVE_SOCKETS").rows; len(rows) != 1 || string(rows[0][20]) != "1" || string(rows[0][4]) != "cl_active" {
		t.Errorf("%d active sockets", len(rows))
	}
	pool := texts(x.query("SHOW POOLS").rows[0])
	if pool[0] != "pgbouncer" || pool[1] != "pgbouncer" || pool[2] != "2" || pool[15] != "statement" {
		t.Errorf("pool %q", pool)
	}
	lists := map[string]string{}
	for _, row := range x.query("SHOW LISTS").rows {
		lists[string(row[0])] = string(row[1])
	}
	if lists["used_clients"] != "2" || lists["login_clients"] != "0" || lists["pools"] != "1" {
		t.Errorf("lists %v", lists)
	}
	stats := texts(y.query("SHOW STATS_TOTALS").rows[0]) // the first command of the second session
	if stats[0] != "pgbouncer" || stats[2] != "2" || stats[3] != "2" {
		t.Errorf("stats %q", stats)
	}
	check(t, x.query("KILL_CLIENT 2"), "CZ", "KILL_CLIENT", "", "")
	if m, err := y.Receive(); err == nil {
		t.Errorf("the session goes on: %+v", m)
	}
}

// TestCancelRequest: the key of the welcome cancels what the session waits for.
func TestCancelRequest(t *testing.T) {
	f := &fakeControl{release: make(chan struct{}), waiting: make(chan struct{}, 1)}
	addr, _ := run(t, f)
	x, key := login(t, addr, "pgbouncer")
	x.Send(&pgproto3.Query{String: "PAUSE"})
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	<-f.waiting
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	request, err := (&pgproto3.CancelRequest{ProcessID: key.pid, SecretKey: key.secret}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	check(t, x.answer(), "EZ", "", "57014", "the wait was ended")
}

// TestShutdown: the reply comes first, then the pooler ends.
func TestShutdown(t *testing.T) {
	for _, sql := range []string{"SHUTDOWN", "shutdown wait_for_clients;", "SHUTDOWN WAIT_FOR_SERVERS"} {
		t.Run(sql, func(t *testing.T) {
			addr, over := run(t, nil)
			x, _ := login(t, addr, pool.ConsoleDatabase)
			check(t, x.query(sql), "CZ", "SHUTDOWN", "", "")
			if sql != "SHUTDOWN" {
				_ = x.conn.Close() // it may be the last one that is waited for
			} else if m, err := x.Receive(); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
				t.Errorf("the session does not end: %+v, %v", m, err)
			}
			select {
			case err := <-over:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(limit):
				t.Fatal("the pooler did not end")
			}
		})
	}
}
