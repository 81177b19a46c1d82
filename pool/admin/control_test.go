package admin

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

func TestReload(t *testing.T) {
	calls := 0
	var fails error
	c := New(newPooler(t), "v1", func() error { calls++; return fails })
	x := connect(t, c, "root")
	check(t, x.query("reload;"), "CZ", "RELOAD", "", "")
	if calls != 1 {
		t.Errorf("reload was called %d times", calls)
	}
	fails = errors.New("test.ini:3: pool_size: no number")
	a := x.query("RELOAD")
	check(t, a, "EZ", "", "F0000", "stay")
	if a.err == nil || a.err.Detail != fails.Error() {
		t.Errorf("detail %+v", a.err)
	}
}

func TestOnlyAdministratorsControl(t *testing.T) {
	called := false
	c := New(newPooler(t), "v1", func() error { called = true; return nil })
	x := connect(t, c, "watcher")
	for _, name := range []string{"RELOAD", "SHUTDOWN", "SHUTDOWN WAIT_FOR_SERVERS", "SHUTDOWN WAIT_FOR_CLIENTS"} {
		check(t, x.query(name), "EZ", "", "42501", name)
		check(t, x.ask(&pgproto3.Parse{Query: name}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{}), "12EZ", "", "42501", name)
	}
	if called {
		t.Error("a stats user reloaded")
	}
	for _, name := range c.names {
		if strings.HasPrefix(name, "show ") {
			if a := x.query(name); a.err != nil {
				t.Errorf("%s: %s", name, a.err.Message)
			}
		}
	}
}

// TestShutdown: the reply comes first, then the pooler ends.
func TestShutdown(t *testing.T) {
	for _, sql := range []string{"SHUTDOWN", "shutdown wait_for_clients;", "SHUTDOWN WAIT_FOR_SERVERS"} {
		t.Run(sql, func(t *testing.T) {
			p := newPooler(t)
			c := New(p, "v1", func() error { return nil })
			p.SetConsole(c)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			over := make(chan error, 1)
			go func() { over <- p.Serve(l) }()
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(limit))
			x := &client{Frontend: pgproto3.NewFrontend(conn, conn), t: t, conn: conn, status: map[string]string{}}
			x.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersionNumber, Parameters: map[string]string{"user": "root", "database": "poolerd"}})
			if err := x.Flush(); err != nil {
				t.Fatal(err)
			}
			x.welcome()
			check(t, x.query(sql), "CZ", "SHUTDOWN", "", "")
			if m, err := x.Receive(); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
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
