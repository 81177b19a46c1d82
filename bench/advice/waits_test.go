package advice

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/bench/postgres"
)

// dial opens a connection that ends with the test.
func dial(t *testing.T, url string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func do(t *testing.T, conn *pgconn.PgConn, text string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), text).ReadAll(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// await waits until a query about the server says "t".
func await(t *testing.T, c *postgres.Cluster, query string) {
	t.Helper()
	for limit := time.Now().Add(15 * time.Second); sql(t, c, query) != "t"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("after 15 s still not so: %s", query)
		}
	}
}

// TestLockWaits: who waits for a lock is told, and that its holder was waiting for its client, but not what was written.
func TestLockWaits(t *testing.T) {
	c := cluster(t, true, 1)
	url := c.URL("postgres", "fountain")
	holder, waiter := dial(t, url), dial(t, url)
	all := advised(t, Options{URL: url, Private: true}, func() {
		do(t, holder, "BEGIN; UPDATE api.scene SET setting = 'the first secret' WHERE id = 1")
		done := make(chan error, 1)
		go func() {
			_, err := waiter.Exec(t.Context(), "UPDATE api.scene SET setting = 'the second secret' WHERE id = 1").ReadAll()
			done <- err
		}()
		await(t, c, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND clock_timestamp() - query_start > '1.5 s'")
		do(t, holder, "COMMIT")
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
	a := find(all, "wait for each other's locks")
	if a == nil || a.Severity != "costly" {
		t.Fatalf("got %+v", all)
	}
	text := strings.Join(a.Evidence, "\n")
	for _, want := range []string{"a row that another transaction has changed", "UPDATE api.scene SET setting = $", "holder was idle in its transaction"} {
		if !strings.Contains(text, want) {
			t.Errorf("the evidence does not say %q", want)
		}
	}
	for _, a := range all {
		if strings.Contains(a.Title+strings.Join(a.Evidence, " ")+a.Remedy, "secret") {
			t.Errorf("a constant is shown: %+v", a)
		}
	}
}

// TestThinkTime: a transaction that waits for its client is told.
func TestThinkTime(t *testing.T) {
	c := cluster(t, true, 1)
	url := c.URL("postgres", "fountain")
	a, b := dial(t, url), dial(t, url)
	o := Options{URL: url, Private: true, PoolSize: 2}
	all := advised(t, o, func() {
		for _, conn := range []*pgconn.PgConn{a, b} {
			do(t, conn, "BEGIN; SELECT count(*) FROM api.scene")
		}
		await(t, c, "SELECT min(clock_timestamp() - state_change) > '1.5 s' FROM pg_stat_activity WHERE state = 'idle in transaction'")
		do(t, a, "COMMIT")
		do(t, b, "COMMIT")
	})
	if all[0].Title != "servers are held while their client says nothing" || all[0].Severity != "costly" || !strings.Contains(all[0].Remedy, "idle_in_transaction_session_timeout") {
		t.Errorf("got %+v", all)
	}
	// A pool with room to spare is not hurt.
	o.PoolSize = 20
	all = advised(t, o, func() {
		do(t, a, "BEGIN; SELECT count(*) FROM api.scene")
		await(t, c, "SELECT min(clock_timestamp() - state_change) > '2.5 s' FROM pg_stat_activity WHERE state = 'idle in transaction'")
		do(t, a, "COMMIT")
	})
	if found := find(all, "servers are held"); found == nil || found.Severity != "worth a look" {
		t.Errorf("got %+v", all)
	}
}

func TestDeadlock(t *testing.T) {
	c := cluster(t, true, 1)
	url := c.URL("postgres", "fountain")
	a, b := dial(t, url), dial(t, url)
	all := advised(t, Options{URL: url, Private: true}, func() {
		do(t, a, "SET deadlock_timeout = '10ms'; BEGIN; UPDATE api.scene SET act = act WHERE id = 1")
		do(t, b, "SET deadlock_timeout = '10ms'; BEGIN; UPDATE api.scene SET act = act WHERE id = 2")
		first := make(chan error, 1)
		go func() {
			_, err := a.Exec(t.Context(), "UPDATE api.scene SET act = act WHERE id = 2").ReadAll()
			first <- err
		}()
		_, second := b.Exec(t.Context(), "UPDATE api.scene SET act = act WHERE id = 1").ReadAll()
		// The one that is not ended may go on once the other's locks are gone.
		do(t, b, "ROLLBACK")
		if err := <-first; (err == nil) == (second == nil) {
			t.Fatalf("no deadlock: %v, %v", err, second)
		}
		do(t, a, "ROLLBACK")
		// Ending sessions report what they have counted at once.
		_, _ = a.Close(t.Context()), b.Close(t.Context())
		await(t, c, "SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = 'fountain'")
	})
	if find(all, "deadlocks") == nil {
		t.Errorf("got %+v", all)
	}
}
