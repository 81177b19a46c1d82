package e2e

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestClientGone kills a client in the middle of a query and of a transaction.
// Within a second PostgreSQL does nothing for it any more, and the next client
// gets a clean server out of a pool of one.
func TestClientGone(t *testing.T) {
	t.Parallel()
	needsPooler(t)
	for how, kill := range map[string]func(*testing.T, *pgx.Conn){"RST": reset, "FIN": finish} {
		t.Run("query/"+how, func(t *testing.T) {
			t.Parallel()
			goneInQuery(t, how, kill)
		})
		t.Run("transaction/"+how, func(t *testing.T) {
			t.Parallel()
			goneInTransaction(t, how, kill)
		})
	}
}

func goneInQuery(t *testing.T, how string, kill func(*testing.T, *pgx.Conn)) {
	needsPoolerd(t)
	p := startPooler(t, options{poolSize: 1})
	watch := observer(t, shared, "fountain")
	running := "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(30) /* " + how + " */'"

	conn := connect(t, p, "fountain")
	send(t, conn, "SELECT pg_sleep(30) /* "+how+" */")
	becomes(t, patience, watch, running, "1")
	kill(t, conn)
	becomes(t, time.Second, watch, running, "0")
	nextIsClean(t, p)
}

func goneInTransaction(t *testing.T, how string, kill func(*testing.T, *pgx.Conn)) {
	p := startPooler(t, options{poolSize: 1})
	watch := observer(t, shared, "fountain")
	row := map[string]string{"RST": "1", "FIN": "2"}[how]
	lock := "SELECT id FROM api.playwright WHERE id = " + row + " FOR UPDATE"

	conn := connect(t, p, "fountain")
	mustExec(t, conn, "BEGIN")
	mustExec(t, conn, lock)
	if _, err := ask(within(t, patience), watch, lock+" NOWAIT"); sqlState(err) != "55P03" {
		t.Fatalf("the row is not locked: %v", err)
	}
	kill(t, conn)
	becomes(t, time.Second, watch, "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE a.state LIKE 'idle in transaction%' AND a.query = '"+lock+"'", "0")
	want(t, watch, lock+" NOWAIT", row)
	nextIsClean(t, p)
}

// send sends a simple query and reads no reply.
func send(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	frontend := conn.PgConn().Frontend()
	frontend.SendQuery(query(sql))
	if err := frontend.Flush(); err != nil {
		t.Fatal(err)
	}
}

// nextIsClean lets another client use the pool's only server.
func nextIsClean(t *testing.T, p *pooler) {
	t.Helper()
	begin := time.Now()
	conn := connect(t, p, "fountain")
	// In a transaction that was left open these two would differ.
	want(t, conn, "SELECT now() = statement_timestamp()", "t")
	if took := time.Since(begin); took > time.Second {
		t.Errorf("the next client waited %s", took)
	}
	mustExec(t, conn, "BEGIN")
	want(t, conn, "SELECT pg_current_xact_id_if_assigned() IS NULL", "t")
	mustExec(t, conn, "COMMIT")
	if status := conn.PgConn().TxStatus(); status != 'I' {
		t.Errorf("transaction status %c after COMMIT, want I", status)
	}
}
