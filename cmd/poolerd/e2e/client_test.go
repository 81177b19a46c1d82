package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// connect logs in through the pooler; the client leaves with the test.
func connect(t *testing.T, p *pooler, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(within(t, patience), p.url(database))
	if err != nil {
		t.Fatalf("connecting to %s: %v", database, err)
	}
	t.Cleanup(func() { leave(conn) })
	return conn
}

// leave says goodbye, which must not take long whatever state the client is in.
func leave(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// mustExec runs SQL that must succeed.
func mustExec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(within(t, patience), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// ask is the one value that a query returns, as text.
func ask(ctx context.Context, conn *pgx.Conn, sql string) (string, error) {
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return "", err
	}
	last := results[len(results)-1]
	if len(last.Rows) != 1 || len(last.Rows[0]) != 1 {
		return "", fmt.Errorf("%s: %d rows, not one value", sql, len(last.Rows))
	}
	return string(last.Rows[0][0]), nil
}

// want fails unless a query returns one value.
func want(t *testing.T, conn *pgx.Conn, sql, value string) {
	t.Helper()
	switch got, err := ask(within(t, patience), conn, sql); {
	case err != nil:
		t.Fatalf("%s: %v", sql, err)
	case got != value:
		t.Fatalf("%s: got %q, want %q", sql, got, value)
	}
}

// observer is a client of PostgreSQL itself, beside the pooler.
func observer(t *testing.T, c interface {
	URL(user, database string) string
}, database string,
) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(within(t, patience), c.URL("postgres", database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(conn) })
	return conn
}

// becomes waits until a query returns a value.
func becomes(t *testing.T, limit time.Duration, conn *pgx.Conn, sql, value string) {
	t.Helper()
	eventually(t, limit, sql+" is "+value, func() error {
		got, err := ask(within(t, patience), conn, sql)
		if err == nil && got != value {
			err = fmt.Errorf("it is %q", got)
		}
		return err
	})
}

// sqlState is the SQLSTATE of an error that a server or the pooler sent, "" of
// any other error.
func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// isLoss tells whether an error is what a client may see when its server went
// away: class 08, administrator shutdown, or the end of its own connection. A
// reply that does not come, or that breaks the protocol, is none of these.
func isLoss(err error) bool {
	if code := sqlState(err); code != "" {
		return code == "57P01" || strings.HasPrefix(code, "08")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return pgconn.SafeToRetry(err) // nothing was sent: pgx found its connection closed already
}

// wantState fails unless an error has one of the SQLSTATEs; one of two
// characters stands for its class.
func wantState(t *testing.T, what string, err error, states ...string) {
	t.Helper()
	code := sqlState(err)
	for _, state := range states {
		if code == state || len(state) == 2 && strings.HasPrefix(code, state) {
			return
		}
	}
	t.Fatalf("%s: got %v, want an error with SQLSTATE %s", what, err, strings.Join(states, " or "))
}

// reset closes a client's socket so that the other side sees RST.
func reset(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	socket := conn.PgConn().Conn().(*net.TCPConn)
	if err := socket.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := socket.Close(); err != nil {
		t.Fatal(err)
	}
}

// finish closes a client's socket, with no Terminate, so that the other side
// sees FIN.
func finish(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	if err := conn.PgConn().Conn().Close(); err != nil {
		t.Fatal(err)
	}
}
