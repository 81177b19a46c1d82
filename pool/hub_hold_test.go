package pool

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/wire"
)

// TestHoldsAndHubs: the connection that listens for clients goes with the servers, and the listeners are told by the end of theirs: they may have missed something.
func TestHoldsAndHubs(t *testing.T) {
	cluster := startCluster(t)
	direct, err := pgconn.Connect(t.Context(), cluster.URL("postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = direct.Close(context.Background()) })
	others := func() string {
		rows, err := direct.Exec(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()").ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return string(rows[0].Rows[0][0])
	}
	p, addr := startPooler(t, cluster.URL("postgres", "postgres"), nil)
	for name, command := range map[string]func() *wire.Error{
		"PAUSE":     func() *wire.Error { return p.Pause(t.Context(), "") },
		"RECONNECT": func() *wire.Error { return p.Reconnect("postgres") },
		"KILL":      func() *wire.Error { return p.Kill("postgres") },
	} {
		listener := logIn(t, addr, "user", "postgres", "database", "postgres")
		listener.query("LISTEN something")
		beside := logIn(t, addr, "user", "postgres", "database", "postgres")
		beside.query("SELECT 1")
		if got := others(); got == "0" {
			t.Fatalf("%s: nobody is connected", name)
		}
		must(t, command())
		if got := listener.closed(); got != "E(08006)" && got != "E(57P01)" {
			t.Errorf("%s: the listener got %s", name, got)
		}
		within(t, name+": no connection", func() bool { return others() == "0" })
		if name != "RECONNECT" {
			_ = p.Resume("")
		}
		if name != "KILL" {
			if got := beside.query("SELECT 1"); got != "TDCZI" {
				t.Errorf("%s: a client that does not listen got %s", name, got)
			}
		}
		again := logIn(t, addr, "user", "postgres", "database", "postgres")
		again.query("LISTEN something")
		beside = logIn(t, addr, "user", "postgres", "database", "postgres")
		beside.query("NOTIFY something")
		if typ, _ := again.message(); typ != wire.ServerNotificationResponse {
			t.Errorf("%s: afterwards a listener got %c", name, typ)
		}
		_ = p.Kill("postgres")
		_ = p.Resume("")
	}
}
