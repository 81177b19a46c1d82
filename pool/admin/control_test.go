package admin

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/pool"
)

// TestControl: what each command tells the pooler, in each of its forms, and what it answers.
func TestControl(t *testing.T) {
	for _, test := range []struct{ sql, tag, told, code, message string }{
		{sql: "PAUSE", tag: "PAUSE", told: "pause "},
		{sql: " pause ; ", tag: "PAUSE", told: "pause "},
		{sql: "Pause MyDb;", tag: "PAUSE", told: "pause MyDb"},
		{sql: `PAUSE "My ""Db"`, tag: "PAUSE", told: `pause My "Db`},
		{sql: `"pause" shop`, tag: "PAUSE", told: "pause shop"},
		{sql: "PAUSE pgbouncer", code: "08P01", message: "cannot pause admin db: pgbouncer"},
		{sql: "PAUSE a b", code: "08P01", message: "invalid command 'PAUSE a b', use SHOW HELP;"},
		{sql: "PAUSE 'a'", code: "08P01", message: "invalid command 'PAUSE 'a'', use SHOW HELP;"},
		{sql: "PAUSE a=b", code: "08P01", message: "invalid command"},
		{sql: "RESUME", tag: "RESUME", told: "resume "},
		{sql: "resume shop", tag: "RESUME", told: "resume shop"},
		{sql: "RESUME pgbouncer", code: "08P01", message: "database pgbouncer is not paused"},
		{sql: "SUSPEND", tag: "SUSPEND", told: "suspend"},
		{sql: "SUSPEND shop", code: "08P01", message: "invalid command 'SUSPEND shop', use SHOW HELP;"},
		{sql: "DISABLE shop", tag: "DISABLE", told: "disable shop"},
		{sql: "DISABLE", code: "08P01", message: "a database is required"},
		{sql: `disable ""`, code: "08P01", message: "a database is required"},
		{sql: "DISABLE pgbouncer", code: "08P01", message: "cannot disable admin db: pgbouncer"},
		{sql: "ENABLE shop", tag: "ENABLE", told: "enable shop"},
		{sql: "ENABLE", code: "08P01", message: "a database is required"},
		{sql: "ENABLE poolerd", code: "08P01", message: "cannot disable admin db: poolerd"},
		{sql: "RECONNECT", tag: "RECONNECT", told: "reconnect "},
		{sql: "RECONNECT shop", tag: "RECONNECT", told: "reconnect shop"},
		{sql: "RECONNECT pgbouncer", code: "08P01", message: "cannot reconnect admin db: pgbouncer"},
		{sql: "KILL", tag: "KILL", told: "kill "},
		{sql: "KILL shop", tag: "KILL", told: "kill shop"},
		{sql: "KILL pgbouncer", code: "08P01", message: "cannot kill admin db: pgbouncer"},
		{sql: "KILL_CLIENT 17", tag: "KILL_CLIENT", told: "kill_client 17"},
		{sql: "KILL_CLIENT 0x11", tag: "KILL_CLIENT", told: "kill_client 17"},
		{sql: "KILL_CLIENT", code: "08P01", message: "invalid client pointer supplied"},
		{sql: "KILL_CLIENT -1", code: "08P01", message: "invalid client pointer supplied"},
		{sql: "KILL_CLIENT somebody", code: "08P01", message: "invalid client pointer supplied"},
		{sql: "WAIT_CLOSE", tag: "WAIT_CLOSE", told: "wait_close "},
		{sql: "WAIT_CLOSE shop", tag: "WAIT_CLOSE", told: "wait_close shop"},
		{sql: "WAIT_CLOSE pgbouncer", code: "08P01", message: "cannot wait in admin db: pgbouncer"},
		{sql: "SHUTDOWN", tag: "SHUTDOWN", told: "close"},
		{sql: "shutdown wait_for_servers", tag: "SHUTDOWN", told: "drain servers"},
		{sql: "SHUTDOWN WAIT_FOR_CLIENTS;", tag: "SHUTDOWN", told: "drain clients"},
		{sql: "SHUTDOWN NOW", code: "08P01", message: "invalid command 'SHUTDOWN NOW', use SHOW HELP;"},
		{sql: "RELOAD shop", code: "08P01", message: "invalid command 'RELOAD shop', use SHOW HELP;"},
	} {
		t.Run(test.sql, func(t *testing.T) {
			f := &fakeControl{}
			x := connect(t, newConsoleOf(newPooler(t), f, "v1", nil), "root")
			types, told := "CZ", []string{test.told}
			if test.code != "" {
				types, told = "EZ", nil
			}
			check(t, x.query(test.sql), types, test.tag, test.code, test.message)
			if got := f.notes(); !slices.Equal(got, told) {
				t.Errorf("told %q, want %q", got, told)
			}
			if test.code == "" {
				check(t, x.ask(&pgproto3.Parse{Query: test.sql}, &pgproto3.Describe{ObjectType: 'S'}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{}),
					"1tn2CZ", test.tag, "", "")
			}
		})
	}
}

// TestRefusals: what the pooler refuses is answered as it is.
func TestRefusals(t *testing.T) {
	f := &fakeControl{refusal: refuse("no such database: attic")}
	x := connect(t, newConsoleOf(newPooler(t), f, "v1", nil), "root")
	for _, sql := range []string{
		"PAUSE attic", "RESUME attic", "SUSPEND", "DISABLE attic", "ENABLE attic", "RECONNECT attic", "KILL attic", "KILL_CLIENT 5", "WAIT_CLOSE attic",
	} {
		check(t, x.query(sql), "EZ", "", "08P01", "no such database: attic")
	}
}

func TestReload(t *testing.T) {
	calls := 0
	var fails error
	x := connect(t, newConsoleOf(newPooler(t), &fakeControl{}, "v1", func() error { calls++; return fails }), "root")
	check(t, x.query("reload;"), "CZ", "RELOAD", "", "")
	if calls != 1 {
		t.Errorf("reload was called %d times", calls)
	}
	fails = errors.New("test.ini:3: pool_size: no number")
	a := x.query("RELOAD")
	check(t, a, "EZ", "", "F0000", "RELOAD failed, see logs for additional details")
	if a.err == nil || a.err.Detail != fails.Error() {
		t.Errorf("detail %+v", a.err)
	}
}

// TestOnlyAdministratorsControl: whoever is in stats_users may look at everything and change nothing.
func TestOnlyAdministratorsControl(t *testing.T) {
	f, called := &fakeControl{}, false
	c := newConsoleOf(newPooler(t), f, "v1", func() error { called = true; return nil })
	x := connect(t, c, "watcher")
	commands := []string{"SHUTDOWN", "SHUTDOWN WAIT_FOR_SERVERS", "SHUTDOWN WAIT_FOR_CLIENTS", "SET default_pool_size = 3"}
	for word := range c.verbs {
		commands = append(commands, word)
	}
	for _, sql := range commands {
		check(t, x.query(sql), "EZ", "", "08P01", "admin access needed")
		check(t, x.ask(&pgproto3.Parse{Query: sql}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{}), "12EZ", "", "08P01", "admin access needed")
	}
	if told := f.notes(); called || len(told) > 0 {
		t.Errorf("a stats user reloaded: %v, and said %q", called, told)
	}
	for what := range c.shows {
		if a := x.query("SHOW " + what); a.err != nil && what != "fds" {
			t.Errorf("SHOW %s: %s", what, a.err.Message)
		}
	}
}

// TestOwnerControls: who came over the Unix socket as this process's user needs no admin_users.
func TestOwnerControls(t *testing.T) {
	f := &fakeControl{}
	x := connectAs(t, newConsoleOf(newPooler(t), f, "v1", nil), "pgbouncer", func(s *pool.ConsoleSession) { s.Owner = true })
	if x.status["is_superuser"] != "on" {
		t.Error("the owner is no superuser")
	}
	check(t, x.query("KILL shop"), "CZ", "KILL", "", "")
}

// TestWaits: a command that waits answers when it is done, and another session is served meanwhile.
func TestWaits(t *testing.T) {
	for _, sql := range []string{"PAUSE", "PAUSE shop", "SUSPEND", "WAIT_CLOSE"} {
		t.Run(sql, func(t *testing.T) {
			f := &fakeControl{release: make(chan struct{}), waiting: make(chan struct{}, 1)}
			c := newConsoleOf(newPooler(t), f, "v1", nil)
			x := connect(t, c, "root")
			x.Send(&pgproto3.Query{String: sql})
			x.Send(&pgproto3.Query{String: "SHOW VERSION"}) // in its turn
			if err := x.Flush(); err != nil {
				t.Fatal(err)
			}
			<-f.waiting
			check(t, connect(t, c, "root").query("SHOW STATE"), "TDDDCZ", "SHOW", "", "")
			close(f.release)
			check(t, x.answer(), "CZ", strings.Fields(sql)[0], "", "")
			check(t, x.answer(), "TDCZ", "SHOW", "", "")
		})
	}
}

// TestCancel: a cancel request ends the wait. One that comes when nothing waits does nothing, then or later.
func TestCancel(t *testing.T) {
	for sql, told := range map[string][]string{
		"PAUSE":      {"pause ", "pause  ended"},
		"PAUSE shop": {"pause shop", "pause shop ended"},
		"SUSPEND":    {"suspend", "suspend ended"},
		"WAIT_CLOSE": {"wait_close ", "wait_close  ended"},
	} {
		t.Run(sql, func(t *testing.T) {
			f := &fakeControl{release: make(chan struct{}), waiting: make(chan struct{}, 1)}
			x := connect(t, newConsoleOf(newPooler(t), f, "v1", nil), "root")
			x.session.Cancel()
			check(t, x.query("SHOW VERSION"), "TDCZ", "SHOW", "", "")
			x.Send(&pgproto3.Query{String: sql})
			if err := x.Flush(); err != nil {
				t.Fatal(err)
			}
			<-f.waiting
			x.session.Cancel()
			check(t, x.answer(), "EZ", "", "57014", "the wait was ended")
			if got := f.notes(); !slices.Equal(got, told) {
				t.Errorf("told %q, want %q", got, told)
			}
		})
	}
}

// TestLeaves: the wait of a client that goes ends, whatever it has sent before.
func TestLeaves(t *testing.T) {
	for name, leave := range map[string]func(*client){
		"says so": func(x *client) { x.Send(&pgproto3.Sync{}); x.Send(&pgproto3.Terminate{}); _ = x.Flush() },
		"is gone": func(x *client) { x.Send(&pgproto3.Sync{}); _ = x.Flush(); _ = x.conn.Close() },
		"drained": func(x *client) { _ = x.server.SetReadDeadline(time.Unix(1, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeControl{release: make(chan struct{}), waiting: make(chan struct{}, 1)}
			x := connect(t, newConsoleOf(newPooler(t), f, "v1", nil), "root")
			for _, m := range []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "PAUSE"}, &pgproto3.Bind{}, &pgproto3.Execute{}} {
				x.Send(m)
			}
			if err := x.Flush(); err != nil {
				t.Fatal(err)
			}
			<-f.waiting
			leave(x)
			if err := x.end(); err != nil {
				t.Error(err)
			}
			if got := f.notes(); !slices.Equal(got, []string{"pause ", "pause  ended"}) {
				t.Errorf("told %q", got)
			}
		})
	}
}

// TestWhoMayLookNow: a session that is older than the settings may do what its user may do now.
func TestWhoMayLookNow(t *testing.T) {
	p := newPooler(t)
	x := connect(t, newConsoleOf(p, &fakeControl{}, "v1", nil), "watcher")
	check(t, x.query("SHOW STATE"), "TDDDCZ", "SHOW", "", "")
	next := p.Config().Clone()
	next.StatsUsers = []string{"other"}
	if err := p.Reload(next); err != nil {
		t.Fatal(err)
	}
	check(t, x.query("SHOW STATE"), "EZ", "", "08P01", "admin access needed")
	check(t, x.query("SHOW CLIENTS"), "EZ", "", "08P01", "admin access needed")
}
