package admin

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/pool"
	"poolerd/wire"
)

func TestWelcome(t *testing.T) {
	c := newConsole(t)
	x := connect(t, c, "root")
	for name, want := range map[string]string{
		"server_version": dialect + "/bouncer", "server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "GMT",
		"standard_conforming_strings": "on", "integer_datetimes": "on", "application_name": "", "is_superuser": "on", "session_authorization": "root",
	} {
		if got, ok := x.status[name]; !ok || got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if got := connect(t, c, "watcher").status["is_superuser"]; got != "off" {
		t.Errorf("is_superuser = %q for a stats user", got)
	}
}

func TestSimpleQuery(t *testing.T) {
	for _, test := range []struct{ sql, types, tag, code, message string }{
		{sql: "SHOW VERSION", types: "TDCZ", tag: "SHOW"},
		{sql: " show  version ; ;", types: "TDCZ", tag: "SHOW"},
		{sql: "Show/* of /* poolerd */ */Version -- now", types: "TDCZ", tag: "SHOW"},
		{sql: "SHOW STATE; SHOW VERSION", types: "TDDDCTDCZ", tag: "SHOW"},
		{sql: "SHOW STATE; FROB; SHOW VERSION", types: "TDDDCEZ", code: "08P01", message: "invalid command 'FROB', use SHOW HELP;"},
		{sql: "", types: "IZ"},
		{sql: " ; -- ping", types: "IZ"},
		{sql: "SHOW HELP", types: "NCZ", tag: "SHOW"},
		{sql: "SHOW", types: "EZ", code: "08P01", message: "invalid command 'SHOW', use SHOW HELP;"},
		{sql: " show frobs; ", types: "EZ", code: "08P01", message: "invalid command ' show frobs; ', use SHOW HELP;"},
		{sql: "SHOW 'STATE'", types: "EZ", code: "08P01", message: "invalid command"},
		{sql: "SHOW FDS", types: "EZ", code: "0A000", message: "SHOW FDS is not available: it would hand out sockets and passwords"},
		{sql: `"Show" "VERSION"`, types: "TDCZ", tag: "SHOW"},
		{sql: "SELECT VERSION", types: "TDCZ", tag: "SHOW"},
		{sql: "SHOW 'POOLS", types: "EZ", code: "42601", message: "no end"},
		{sql: "SHOW /* POOLS", types: "EZ", code: "42601", message: "no end"},
		{sql: strings.Repeat("é", 150), types: "EZ", code: "08P01", message: "'" + strings.Repeat("é", 100) + `...'`},
		{sql: "\xff", types: "EZ", code: "22021", message: "UTF-8"},
		{sql: "SELECT 1", types: "EZ", code: "08P01", message: "invalid command 'SELECT 1', use SHOW HELP;"},
		{sql: "BEGIN", types: "EZ", code: "08P01", message: "invalid command 'BEGIN', use SHOW HELP;"},
		{sql: "SHOW client_encoding", types: "TDCZ", tag: "SHOW"},
		{sql: "SHOW Standard_Conforming_Strings", types: "TDCZ", tag: "SHOW"},
		{sql: "SET client_encoding TO 'UTF8'", types: "NCZ", tag: "SET"},
		{sql: "set session extra_float_digits=3", types: "NCZ", tag: "SET"},
		{sql: "SET datestyle = ISO, MDY", types: "NCZ", tag: "SET"},
	} {
		t.Run(test.sql, func(t *testing.T) {
			x := connect(t, newConsole(t), "root")
			check(t, x.query(test.sql), test.types, test.tag, test.code, test.message)
			if got := x.query("SHOW VERSION").types; got != "TDCZ" {
				t.Errorf("afterwards SHOW VERSION gives %s", got)
			}
		})
	}
}

func check(t *testing.T, a answer, types, tag, code, message string) {
	t.Helper()
	if a.types != types {
		t.Errorf("messages %s, want %s", a.types, types)
	}
	if tag != "" && (len(a.tags) == 0 || a.tags[0] != tag) {
		t.Errorf("tags %v, want %s", a.tags, tag)
	}
	switch {
	case code == "" && a.err != nil:
		t.Errorf("error %s %s", a.err.Code, a.err.Message)
	case code != "" && a.err == nil:
		t.Errorf("no error, want %s", code)
	case code != "" && (a.err.Code != code || a.err.Severity != "ERROR" || !strings.Contains(a.err.Message, message)):
		t.Errorf("error %s %s %q, want ERROR %s with %q", a.err.Severity, a.err.Code, a.err.Message, code, message)
	}
}

func TestVersionAndHelp(t *testing.T) {
	c := newConsole(t)
	x := connect(t, c, "watcher")
	if got := string(x.query("SHOW VERSION").rows[0][0]); got != "PgBouncer 1.25.2" {
		t.Errorf("version %q", got)
	}
	own := connectAs(t, c, "watcher", func(s *pool.ConsoleSession) { s.Own = true })
	if got := string(own.query("SHOW VERSION").rows[0][0]); got != "PgBouncer 1.25.2 (poolerd v9.8.7)" {
		t.Errorf("version in the database poolerd %q", got)
	}
	help := x.query("SHOW HELP").notices[0]
	if help.Severity != "NOTICE" || help.Code != "00000" || help.Message != "Console usage" {
		t.Errorf("notice %+v", help)
	}
	named := map[string]bool{}
	for _, name := range strings.FieldsFunc(help.Detail, func(r rune) bool { return strings.ContainsRune(" \n\t|", r) }) {
		named[strings.ToLower(name)] = true
	}
	for what := range c.shows {
		if !named[what] {
			t.Errorf("SHOW HELP does not name SHOW %s", what)
		}
	}
	for word := range c.verbs {
		if !named[word] {
			t.Errorf("SHOW HELP does not name %s", word)
		}
	}
}

func TestSessionEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(x *client)
		code wire.Code // of the error that Serve gives
	}{
		{name: "terminate", do: func(x *client) { x.Send(&pgproto3.Terminate{}); _ = x.Flush() }},
		{name: "closed", do: func(x *client) { _ = x.conn.Close() }},
		{name: "closed within a message", do: func(x *client) { _, _ = x.conn.Write([]byte{'Q', 0, 0}); _ = x.conn.Close() }},
		{name: "message too long", do: func(x *client) { _, _ = x.conn.Write([]byte{'Q', 0, 2, 0, 0}) }, code: wire.CodeProtocolViolation},
		{name: "unknown message", do: func(x *client) { _, _ = x.conn.Write([]byte{'!', 0, 0, 0, 4}) }, code: wire.CodeProtocolViolation},
		{name: "query without end", do: func(x *client) { _, _ = x.conn.Write([]byte{'Q', 0, 0, 0, 5, 'x'}) }, code: wire.CodeProtocolViolation},
		{name: "broken bind", do: func(x *client) { _, _ = x.conn.Write([]byte{'B', 0, 0, 0, 5, 'x'}) }, code: wire.CodeProtocolViolation},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := connect(t, newConsole(t), "root")
			test.do(x)
			err := x.end()
			var refused *wire.Error
			switch {
			case test.code == "" && err != nil:
				t.Errorf("error %v", err)
			case test.code != "" && (!errors.As(err, &refused) || refused.Code != test.code || refused.Severity != "FATAL"):
				t.Errorf("error %v, want a FATAL %s", err, test.code)
			}
		})
	}
}

// TestDrained: the pooler ends sessions of the console by a read deadline.
func TestDrained(t *testing.T) {
	x := connect(t, newConsole(t), "root")
	_ = x.server.SetReadDeadline(time.Unix(1, 0))
	m, ok := x.next().(*pgproto3.ErrorResponse)
	if !ok || m.Severity != "FATAL" || m.Code != "57P01" {
		t.Errorf("got %+v", m)
	}
	if err := x.end(); err != nil {
		t.Error(err)
	}
}

func TestFunctionCallIsRefused(t *testing.T) {
	x := connect(t, newConsole(t), "root")
	check(t, x.ask(&pgproto3.FunctionCall{Function: 1}), "EZ", "", "0A000", "functions")
}
