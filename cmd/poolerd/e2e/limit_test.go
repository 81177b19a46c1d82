package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// slack is how late a limit of one second may strike on a busy machine.
const slack = time.Second

// TestMaxClientConn refuses the client that is one too many, and takes it once
// another has left.
func TestMaxClientConn(t *testing.T) {
	t.Parallel()
	needsPooler(t)
	p := startPooler(t, options{settings: map[string]string{"max_client_conn": "2"}})
	first := connect(t, p, "fountain")
	connect(t, p, "fountain")
	_, err := pgx.Connect(within(t, patience), p.url("fountain"))
	if under.kind == poolerd {
		wantState(t, "the third of two clients", err, "53300")
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || pg.Severity != "FATAL" {
		t.Fatalf("the third of two clients: %v, want FATAL", err)
	}
	leave(first)
	eventually(t, time.Second, "there is room again", func() error {
		conn, err := pgx.Connect(within(t, patience), p.url("fountain"))
		if err == nil {
			leave(conn)
		}
		return err
	})
}

// TestQueryWaitTimeout makes a client wait too long for the pool's only server:
// it gets an error, stays, and is served later.
func TestQueryWaitTimeout(t *testing.T) {
	t.Parallel()
	needsPoolerd(t) // PgBouncer closes the client
	p := startPooler(t, options{poolSize: 1, settings: map[string]string{"query_wait_timeout": "1"}})
	holder, waiter := connect(t, p, "fountain"), connect(t, p, "fountain")
	mustExec(t, holder, "BEGIN")
	want(t, holder, "SELECT 1", "1")
	for name, mode := range map[string]pgx.QueryExecMode{
		"simple": pgx.QueryExecModeSimpleProtocol, "extended": pgx.QueryExecModeExec, "prepared": pgx.QueryExecModeCacheStatement,
	} {
		begin := time.Now()
		_, err := waiter.Exec(within(t, patience), "SELECT 'in the queue'", mode)
		wantState(t, name, err, "08", "53", "57")
		wantAfter(t, name, begin, time.Second)
		if waiter.IsClosed() {
			t.Fatalf("%s: the client was closed", name)
		}
	}
	// BEGIN may be answered at once; then what follows it must wait and fail, and ABORT succeed, as PostgREST needs it.
	_, err := waiter.Exec(within(t, patience), "BEGIN", pgx.QueryExecModeSimpleProtocol)
	if err == nil {
		_, err = waiter.Exec(within(t, patience), "SELECT 'in the queue'", pgx.QueryExecModeSimpleProtocol)
	}
	wantState(t, "BEGIN", err, "08", "53", "57")
	mustExec(t, waiter, "ABORT")
	if status := waiter.PgConn().TxStatus(); status != 'I' {
		t.Errorf("transaction status %c after ABORT, want I", status)
	}
	mustExec(t, holder, "COMMIT")
	want(t, waiter, "SELECT 'served'", "served")
}

// wantAfter fails unless a limit struck when it should.
func wantAfter(t *testing.T, what string, begin time.Time, limit time.Duration) {
	t.Helper()
	late := slack
	if under.kind == pgbouncer {
		late *= 2 // it looks at the clock now and then
	}
	if took := time.Since(begin); took < limit-100*time.Millisecond || took > limit+late {
		t.Errorf("%s: struck after %s, want %s", what, took.Round(time.Millisecond), limit)
	}
}

// TestIdleTransactionTimeout ends a client that does nothing in a transaction
// and holds a row: the row is free, the server is used by others.
func TestIdleTransactionTimeout(t *testing.T) {
	t.Parallel()
	needsPooler(t)
	p := startPooler(t, options{poolSize: 1, settings: map[string]string{"idle_transaction_timeout": "1"}})
	watch := observer(t, shared, "fountain")
	const lock = "SELECT id FROM api.script WHERE id = 1 FOR UPDATE"
	conn, healthy := connect(t, p, "fountain"), connect(t, p, "fountain")
	mustExec(t, conn, "BEGIN")
	mustExec(t, conn, lock)
	begin := time.Now()
	eventually(t, time.Second+slack, "the row is free", func() error {
		_, err := ask(within(t, patience), watch, lock+" NOWAIT")
		return err
	})
	wantAfter(t, "idle_transaction_timeout", begin, time.Second)
	_, err := ask(within(t, patience), conn, "SELECT 1")
	wantExplained(t, err, "25P03", "08", "57")
	want(t, healthy, "SELECT 2", "2")
}

// TestTransactionTimeout ends a transaction that is busy all the time.
func TestTransactionTimeout(t *testing.T) {
	t.Parallel()
	needsPooler(t)
	p := startPooler(t, options{poolSize: 1, settings: map[string]string{"transaction_timeout": "1"}})
	conn, healthy := connect(t, p, "fountain"), connect(t, p, "fountain")
	mustExec(t, conn, "BEGIN")
	begin := time.Now()
	var err error
	for err == nil && time.Since(begin) < patience {
		_, err = ask(within(t, patience), conn, "SELECT pg_sleep(0.05)")
	}
	wantAfter(t, "transaction_timeout", begin, time.Second)
	wantExplained(t, err, "25P04", "08", "57")
	want(t, healthy, "SELECT 2", "2")
}

// wantExplained fails unless a client was told why it was ended. The reason may
// have been sent while it was not reading.
func wantExplained(t *testing.T, err error, states ...string) {
	t.Helper()
	if under.kind != poolerd && err != nil {
		return // PgBouncer: its own codes
	}
	wantState(t, "the ended client", err, states...)
}

// TestQueryTimeout ends a query that takes too long, on the server too.
func TestQueryTimeout(t *testing.T) {
	t.Parallel()
	needsPooler(t)
	p := startPooler(t, options{poolSize: 1, settings: map[string]string{"query_timeout": "1"}})
	watch := observer(t, shared, "fountain")
	conn, healthy := connect(t, p, "fountain"), connect(t, p, "fountain")
	begin := time.Now()
	_, err := conn.Exec(within(t, patience), "SELECT pg_sleep(30) /* query_timeout */", pgx.QueryExecModeSimpleProtocol)
	wantAfter(t, "query_timeout", begin, time.Second)
	wantExplained(t, err, "08", "57")
	if under.kind == poolerd {
		becomes(t, time.Second, watch, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep(30) /* query_timeout%'", "0")
	}
	want(t, healthy, "SELECT 2", "2")
}

// TestClientIdleTimeout closes who does nothing, and not who is in a
// transaction or asks now and then.
func TestClientIdleTimeout(t *testing.T) {
	t.Parallel()
	needsPooler(t)
	p := startPooler(t, options{settings: map[string]string{"client_idle_timeout": "1"}})
	idle, never, lively, inside := connect(t, p, "fountain"), connect(t, p, "fountain"), connect(t, p, "fountain"), connect(t, p, "fountain")
	mustExec(t, inside, "BEGIN")
	want(t, inside, "SELECT 1", "1")
	begin := time.Now()
	want(t, idle, "SELECT 1", "1")
	for range 5 {
		time.Sleep(500 * time.Millisecond)
		want(t, lively, "SELECT 1", "1")
	}
	for _, conn := range []*pgx.Conn{idle, never} {
		wantClosed(t, conn, slack)
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("idle clients were closed after %s", took)
	}
	want(t, inside, "SELECT 2", "2")
	mustExec(t, inside, "COMMIT")
}

// TestClientLoginTimeout cuts off who connects and says nothing, or half of a
// startup packet. With tcp_defer_accept the kernel would keep the silent one to
// itself.
func TestClientLoginTimeout(t *testing.T) {
	t.Parallel()
	needsPooler(t)
	p := startPooler(t, options{ini: fmt.Sprintf("[databases]\n* = host=%s port=%d user=postgres\n[pgbouncer]\n%%LISTEN%%\nauth_type = any\nclient_login_timeout = 1\ntcp_defer_accept = 0\n",
		shared.Host(), shared.Port())})
	for name, text := range map[string]string{
		"nothing":       "",
		"SSLRequest":    "\x00\x00\x00\x08\x04\xd2\x16\x2f",
		"half a packet": "\x00\x00\x00\x50\x00\x03\x00\x00user\x00",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.DialTimeout("tcp", p.address(), patience)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			begin := time.Now()
			if _, err := conn.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, conn)
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				t.Fatal(fmt.Errorf("the login is not cut off: %w", err))
			}
			wantAfter(t, "client_login_timeout", begin, time.Second)
		})
	}
	want(t, connect(t, p, "fountain"), "SELECT 1", "1")
}
