package pool

import (
	"testing"

	"poolerd/wire"
)

// TestUnlistenHearsFirst: what was notified before an UNLISTEN is told ahead of its answer, as by a session of the client's own, which hears it while it is idle. The hub's connection may be
// later than the client, so that it is asked for often.
func TestUnlistenHearsFirst(t *testing.T) {
	cluster := startCluster(t)
	_, addr := startPooler(t, cluster.URL("postgres", "postgres"), nil)
	listener := logIn(t, addr, "user", "postgres", "database", "postgres")
	notifier := logIn(t, addr, "user", "postgres", "database", "postgres")
	for range 50 {
		for _, stop := range []string{"UNLISTEN news", "UNLISTEN *", "SELECT 1; UNLISTEN news"} {
			listener.query("LISTEN news")
			notifier.query("NOTIFY news")
			listener.send(wire.AppendQuery(nil, stop))
			heard := false
			for typ := byte(0); typ != wire.ServerReadyForQuery; {
				typ, _ = listener.message()
				heard = heard || typ == wire.ServerNotificationResponse
			}
			if !heard {
				t.Fatalf("%s: nothing was heard of what was notified before", stop)
			}
			notifier.query("NOTIFY news")
			if got := listener.query("SELECT 1"); got != "TDCZI" {
				t.Fatalf("%s: afterwards the client got %s", stop, got)
			}
		}
	}
}
