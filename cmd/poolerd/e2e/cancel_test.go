package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgproto3"
)

func query(sql string) *pgproto3.Query { return &pgproto3.Query{String: sql} }

// TestCancelLibpq cancels with PQcancel; see testdata/cancel.py.
func TestCancelLibpq(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2} {
		p := startPooler(t, options{poolSize: size})
		args := []string{"--conninfo", fmt.Sprintf("host=%s port=%d user=%s dbname=fountain sslmode=disable", p.host, p.port, p.user)}
		if size == 1 && under.kind != direct {
			args = append(args, "--one-server")
		}
		t.Logf("%s", runPython(t, time.Minute, "cancel.py", args...))
	}
}

// connectCancelling logs in a client that sends a CancelRequest when a context
// ends, and waits for the reply.
func connectCancelling(t *testing.T, p *pooler) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(p.url("fountain"))
	if err != nil {
		t.Fatal(err)
	}
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: patience}
	}
	conn, err := pgx.ConnectConfig(within(t, patience), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(conn) })
	return conn
}

// TestCancelContext ends pgx's context in mid-query, many times; beside it
// another client's queries go on.
func TestCancelContext(t *testing.T) {
	t.Parallel()
	p := startPooler(t, options{poolSize: 2})
	watch := observer(t, shared, "fountain")
	conn, neighbour := connectCancelling(t, p), connect(t, p, "fountain")
	for round := range 5 {
		slept := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_, err := neighbour.Exec(ctx, "SELECT pg_sleep(0.4)")
			slept <- err
		}()
		text := fmt.Sprintf("SELECT pg_sleep(20) /* cancelled %d */", round)
		running := "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = '" + text + "'"
		ctx, cancel := context.WithCancel(context.Background())
		failed := make(chan error, 1)
		go func() {
			_, err := conn.Exec(ctx, text, pgx.QueryExecModeSimpleProtocol)
			failed <- err
		}()
		becomes(t, patience, watch, running, "1")
		begin := time.Now()
		cancel()
		wantState(t, "the cancelled query", <-failed, "57014")
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the cancel took %s", took)
		}
		becomes(t, time.Second, watch, running, "0")
		want(t, conn, "SELECT 'still here'", "still here")
		if err := <-slept; err != nil {
			t.Fatalf("the neighbour's query: %v", err)
		}
	}
}

// TestCancelQueued cancels a client that waits for the pool's only server. The
// one that has it is left alone.
func TestCancelQueued(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	p := startPooler(t, options{poolSize: 1})
	holder, waiter := connect(t, p, "fountain"), connectCancelling(t, p)
	mustExec(t, holder, "BEGIN")
	want(t, holder, "SELECT 1", "1")

	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		begin := time.Now()
		_, err := waiter.Exec(ctx, "SELECT 'the queue'")
		cancel()
		wantState(t, "the queued query", err, "57014")
		if took := time.Since(begin); took > 1200*time.Millisecond {
			t.Errorf("the cancel took %s", took-200*time.Millisecond)
		}
	}
	want(t, holder, "SELECT 2", "2")
	mustExec(t, holder, "COMMIT")
	want(t, waiter, "SELECT 'still here'", "still here")
}
