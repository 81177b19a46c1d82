package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestDrain ends poolerd by SIGINT: who is in a transaction finishes it, who is
// idle is closed, nobody new comes in, and the exit code is 0.
func TestDrain(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	p := startPooler(t, options{})
	inside, idle := connect(t, p, "fountain"), connect(t, p, "fountain")
	want(t, idle, "SELECT 1", "1")
	mustExec(t, inside, "BEGIN")
	mustExec(t, inside, "CREATE TABLE drained AS SELECT 1 AS n")

	p.signal(t, syscall.SIGINT)
	wantClosed(t, idle, time.Second)
	eventually(t, time.Second, "the door is closed", func() error {
		conn, err := pgx.Connect(within(t, patience), p.url("fountain"))
		if err != nil {
			return nil
		}
		leave(conn)
		return errors.New("a client came in")
	})
	want(t, inside, "SELECT n FROM drained", "1")
	mustExec(t, inside, "COMMIT")
	if err := p.endsWithin(t, 2*time.Second); err != nil {
		t.Errorf("SIGINT: %v, want exit code 0", err)
	}
	watch := observer(t, shared, "fountain")
	want(t, watch, "SELECT count(*) FROM drained", "1")
	mustExec(t, watch, "DROP TABLE drained")
}

// TestSIGTERM waits for the clients to leave, as PgBouncer does: those that are there work on, nobody new comes in, and the exit code is 0.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	p := startPooler(t, options{})
	idle := connect(t, p, "fountain")
	want(t, idle, "SELECT 1", "1")
	p.signal(t, syscall.SIGTERM)
	eventually(t, patience, "the door is closed", func() error {
		conn, err := pgx.Connect(within(t, patience), p.url("fountain"))
		if err != nil {
			return nil
		}
		leave(conn)
		return errors.New("a client came in")
	})
	mustExec(t, idle, "BEGIN")
	want(t, idle, "SELECT 2", "2")
	mustExec(t, idle, "COMMIT")
	leave(idle)
	if err := p.endsWithin(t, patience); err != nil {
		t.Errorf("SIGTERM: %v, want exit code 0", err)
	}
}

// TestSecondSignal does not wait for a client in a transaction.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	p := startPooler(t, options{})
	inside := connect(t, p, "fountain")
	mustExec(t, inside, "BEGIN")
	want(t, inside, "SELECT 'second signal'", "second signal")
	p.signal(t, syscall.SIGTERM)
	eventually(t, patience, "the first signal has been heard", func() error {
		if !strings.Contains(p.readWholeLog(t), "got SIGTERM, shutting down") {
			return errors.New("the log does not say so")
		}
		return nil
	})
	want(t, inside, "SELECT 'second signal'", "second signal")
	p.signal(t, syscall.SIGINT)
	if err := p.endsWithin(t, time.Second); err != nil {
		t.Errorf("SIGTERM and SIGINT: %v, want exit code 0", err)
	}
	// Its transaction does not stay open behind it.
	becomes(t, time.Second, observer(t, shared, "fountain"),
		"SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%second signal%'", "0")
}

// wantClosed waits until the other side closes an idle client.
func wantClosed(t *testing.T, conn *pgx.Conn, limit time.Duration) {
	t.Helper()
	socket := conn.PgConn().Conn()
	if err := socket.SetReadDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	// What it says before is its own matter: an ErrorResponse, if anything.
	_, err := io.Copy(io.Discard, socket)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		t.Fatalf("the idle client is not closed after %s", limit)
	}
}

// TestReload changes pool_size in the configuration file: SIGHUP makes it so,
// in SHOW CONFIG and in the pool. A broken file changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	needsPooler(t)
	const ini = `[databases]
fountain = host=%HOST% port=%PORT% user=postgres
[pgbouncer]
%LISTEN%
auth_type = any
admin_users = postgres
pool_mode = transaction
default_pool_size = %SIZE%
query_wait_timeout = 1
`
	content := func(size string) string {
		return strings.NewReplacer("%HOST%", shared.Host(), "%PORT%", strconv.Itoa(shared.Port()), "%SIZE%", size).Replace(ini)
	}
	p := startPooler(t, options{ini: content("1")})
	console := connectConsole(t, p)
	wantConfig(t, console, "default_pool_size", "1")
	holder, other := connect(t, p, "fountain"), connect(t, p, "fountain")
	mustExec(t, holder, "BEGIN")
	want(t, holder, "SELECT 1", "1")
	if under.kind == poolerd {
		_, err := ask(within(t, patience), other, "SELECT 1")
		wantState(t, "a full pool", err, "08", "53", "57")
	}

	p.writeConfig(t, content("2"))
	p.signal(t, syscall.SIGHUP)
	eventually(t, patience, "the new size is in force", func() error {
		if value := configValue(t, console, "default_pool_size"); value != "2" {
			return fmt.Errorf("it is %s", value)
		}
		return nil
	})
	want(t, other, "SELECT 1", "1")
	want(t, holder, "SELECT 2", "2")
	mustExec(t, holder, "COMMIT")

	if under.kind != poolerd {
		return
	}
	p.writeConfig(t, content("many"))
	p.signal(t, syscall.SIGHUP)
	eventually(t, patience, "the log names the broken key", func() error {
		if log := p.readWholeLog(t); !strings.Contains(log, "many") {
			return errors.New("it does not")
		}
		return nil
	})
	wantConfig(t, console, "default_pool_size", "2")
	want(t, other, "SELECT 3", "3")
}

// connectConsole logs in to the admin console.
func connectConsole(t *testing.T, p *pooler) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(p.url("pgbouncer"))
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(within(t, patience), config)
	if err != nil {
		t.Fatalf("connecting to the console: %v", err)
	}
	t.Cleanup(func() { leave(conn) })
	return conn
}

// show is what a SHOW command of the console returns, a map from column to
// text for each row.
func show(t *testing.T, console *pgx.Conn, what string) []map[string]string {
	t.Helper()
	results, err := console.PgConn().Exec(within(t, patience), "SHOW "+what).ReadAll()
	if err != nil {
		t.Fatalf("SHOW %s: %v", what, err)
	}
	var rows []map[string]string
	for _, fields := range results[0].Rows {
		row := map[string]string{}
		for i, column := range results[0].FieldDescriptions {
			row[column.Name] = string(fields[i])
		}
		rows = append(rows, row)
	}
	return rows
}

// configValue is a key's value in SHOW CONFIG, "" when it is not there.
func configValue(t *testing.T, console *pgx.Conn, key string) string {
	t.Helper()
	for _, row := range show(t, console, "CONFIG") {
		if row["key"] == key {
			return row["value"]
		}
	}
	return ""
}

func wantConfig(t *testing.T, console *pgx.Conn, key, value string) {
	t.Helper()
	if got := configValue(t, console, key); got != value {
		t.Fatalf("SHOW CONFIG: %s is %q, want %q", key, got, value)
	}
}
