package pool

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/pool/config"
)

// TestRoleMadeAgain: who has been dropped and made again is another user, whom the old one's sessions do not know: PostgreSQL's "invalid role OID". No login gets one of those.
func TestRoleMadeAgain(t *testing.T) {
	h, cluster := authHouse(t, func(c *config.Config) { c.PoolMode = config.ModeSession })
	host, port, _ := net.SplitHostPort(h.tcp)
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	logIn := func(password string) *pgconn.PgConn {
		t.Helper()
		conn, err := pgconn.Connect(ctx, "dbname=shop user=reader sslmode=disable host="+host+" port="+port+" password="+password)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		return conn
	}
	ask := func(conn *pgconn.PgConn) (pid string, err error) {
		rows, err := conn.Exec(ctx, "SELECT pg_backend_pid(), current_user").ReadAll()
		if err != nil {
			return "", err
		}
		return string(rows[0].Rows[0][0]), nil
	}
	stays := logIn("first")
	if _, err := ask(stays); err != nil {
		t.Fatal(err)
	}
	h.expect("dbname=shop user=reader password=first", "") // leaves a free server
	for _, password := range []string{"second", "third"} {
		if _, err := cluster.Psql(t.Context(), "postgres", "DROP ROLE reader; CREATE ROLE reader LOGIN PASSWORD '"+password+"'"); err != nil {
			t.Fatal(err)
		}
		again := logIn(password)
		pid, err := ask(again)
		if err != nil {
			t.Errorf("made again with password %s: %v", password, err)
		}
		_ = again.Close(ctx)
		next := logIn(password)
		if same, err := ask(next); err != nil || same != pid {
			t.Errorf("the next login has server %s, %v, want that of the one before, %s", same, err, pid)
		}
		_ = next.Close(ctx)
	}
	_ = stays.Close(ctx) // its server goes, too
	within(t, "the old user's servers are closed", func() bool {
		pool, refused := h.pooler.pool("shop", "reader")
		if refused != nil {
			t.Fatal(refused)
		}
		defer pool.part()
		return !pool.hasObsolete()
	})
	h.log.wants(t, "closing because: secret of the user changed (age=")
}
