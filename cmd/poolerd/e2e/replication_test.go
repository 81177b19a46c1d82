package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/bench/postgres"
)

// replicationServer starts a PostgreSQL that can be replicated by rows, and a
// pooler before it.
func replicationServer(t *testing.T) (*postgres.Cluster, *pooler) {
	t.Helper()
	c := startCluster(t, postgres.Options{Settings: map[string]string{"wal_level": "logical"}})
	mustExec(t, observer(t, c, "postgres"), "CREATE TABLE rows (n int PRIMARY KEY, word text)")
	return c, startPooler(t, options{cluster: c})
}

// at is what tells one of PostgreSQL's programs where to connect.
func (p *pooler) at() []string {
	return []string{"--host=" + p.host, fmt.Sprintf("--port=%d", p.port), "--username=" + p.user, "--no-password"}
}

// replicate logs in for replication, "true" or "database".
func replicate(t *testing.T, p *pooler, database, kind string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(within(t, patience), p.url(database)+"&replication="+kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Conn().Close() })
	return conn
}

// TestReplicationCommands: both kinds of connections answer as PostgreSQL's own,
// take the client's parameters, and can be cancelled.
func TestReplicationCommands(t *testing.T) {
	t.Parallel()
	c, p := replicationServer(t)
	system, err := ask(within(t, patience), observer(t, c, "postgres"), "SELECT system_identifier FROM pg_control_system()")
	if err != nil {
		t.Fatal(err)
	}
	for kind, refused := range map[string]string{"true": "0A000", "database": ""} {
		conn := replicate(t, p, "postgres", kind+"&application_name=a%20standby&options=-c%20geqo%3Doff")
		for command, want := range map[string]string{"IDENTIFY_SYSTEM": system, "SHOW application_name": "a standby", "SHOW geqo": "off"} {
			rows, err := conn.Exec(within(t, patience), command).ReadAll()
			if err != nil {
				t.Fatalf("%s, %s: %v", kind, command, err)
			}
			if got := string(rows[0].Rows[0][0]); got != want {
				t.Errorf("%s, %s: got %s, want %s", kind, command, got, want)
			}
		}
		if got := conn.ParameterStatus("application_name"); got != "a standby" {
			t.Errorf("%s: application_name is reported as %q", kind, got)
		}
		if _, err := conn.Exec(within(t, patience), "SELECT 1").ReadAll(); sqlState(err) != refused {
			t.Errorf("%s, SELECT: got %v, want SQLSTATE %q", kind, err, refused)
		}
	}

	conn := replicate(t, p, "postgres", "database")
	failed := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err := conn.Exec(ctx, "SELECT pg_sleep(60)").ReadAll()
		failed <- err
	}()
	becomes(t, patience, observer(t, c, "postgres"), "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60)'", "1")
	if err := conn.CancelRequest(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	wantCancelled(t, "a query over a replication connection", failed)
}

// TestReplicationRefused: a client is told what PostgreSQL says, behind PgBouncer's words where it refuses the login.
func TestReplicationRefused(t *testing.T) {
	t.Parallel()
	c := startCluster(t, postgres.Options{})
	mustExec(t, observer(t, c, "postgres"), "CREATE ROLE plain LOGIN")
	p := startPooler(t, options{cluster: c})
	direct := &pooler{host: c.Host(), port: c.Port()}
	attempt := func(p *pooler, user, database, kind, command string) error {
		conn, err := pgconn.Connect(within(t, patience), fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable&replication=%s", user, p.address(), database, kind))
		if err != nil {
			return err
		}
		defer conn.Conn().Close()
		_, err = conn.Exec(within(t, patience), command).ReadAll()
		return err
	}
	for _, tc := range []struct{ name, user, database, kind, command, state string }{
		{"no right to replicate", "plain", "postgres", "database", "IDENTIFY_SYSTEM", "42501"},
		{"unknown role", "nobody", "postgres", "true", "IDENTIFY_SYSTEM", "28000"},
		{"unknown database", "postgres", "nowhere", "database", "IDENTIFY_SYSTEM", "3D000"},
		{"neither kind", "postgres", "postgres", "maybe", "IDENTIFY_SYSTEM", "22023"},
		{"too little in the WAL", "postgres", "postgres", "database", "CREATE_REPLICATION_SLOT s LOGICAL test_decoding", "55000"},
		{"SQL over physical replication", "postgres", "postgres", "on", "SELECT 1", "0A000"},
	} {
		var want, got *pgconn.PgError
		if err := attempt(direct, tc.user, tc.database, tc.kind, tc.command); !errors.As(err, &want) || want.Code != tc.state {
			t.Fatalf("%s: PostgreSQL itself says %v, not SQLSTATE %s", tc.name, err, tc.state)
		}
		if err := attempt(p, tc.user, tc.database, tc.kind, tc.command); !errors.As(err, &got) {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if got.Severity != want.Severity || got.Code != want.Code || strings.TrimPrefix(got.Message, "server login failed: ") != want.Message || got.Detail != want.Detail || got.Hint != want.Hint {
			t.Errorf("%s:\n got %s %+v\nwant %+v", tc.name, got.Message, got, want)
		}
	}
}

// TestBaseBackup copies the whole cluster through the pooler; a second
// connection brings the WAL of the meantime.
func TestBaseBackup(t *testing.T) {
	t.Parallel()
	p := startPooler(t, options{})
	dir := openFolder(t)
	plain := filepath.Join(dir, "plain")
	runClient(t, time.Minute, program(t, "pg_basebackup"), append(p.at(), "--pgdata="+plain, "--wal-method=stream", "--checkpoint=fast", "--no-sync")...)
	if out := runClient(t, time.Minute, program(t, "pg_verifybackup"), plain); !strings.Contains(string(out), "successfully verified") {
		t.Errorf("pg_verifybackup: %s", out)
	}
	tar := filepath.Join(dir, "tar")
	runClient(t, time.Minute, program(t, "pg_basebackup"), append(p.at(), "--pgdata="+tar, "--format=tar", "--wal-method=stream", "--checkpoint=fast", "--no-sync")...)
	for _, name := range []string{"base.tar", "pg_wal.tar", "backup_manifest"} {
		if info, err := os.Stat(filepath.Join(tar, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReceiveWAL archives WAL as it comes: the file is PostgreSQL's own, byte for
// byte, and SIGINT ends the program well.
func TestReceiveWAL(t *testing.T) {
	t.Parallel()
	c, p := replicationServer(t)
	watch := observer(t, c, "postgres")
	dir := openFolder(t)
	cmd := exec.CommandContext(within(t, time.Minute), program(t, "pg_receivewal"), append(p.at(), "--directory="+dir, "--no-loop", "--no-sync")...)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	becomes(t, patience, watch, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1")
	name, err := ask(within(t, patience), watch, "SELECT pg_walfile_name(pg_current_wal_lsn())")
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, watch, "INSERT INTO rows SELECT n, repeat('x', 100) FROM generate_series(1, 20000) n")
	mustExec(t, watch, "SELECT pg_switch_wal()")
	mustExec(t, watch, "INSERT INTO rows VALUES (0, 'in the next file')")
	eventually(t, patience, "the file has come whole", func() error {
		_, err := os.Stat(filepath.Join(dir, name))
		return err
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("pg_receivewal: %v\n%s", err, said.String())
	}
	got, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if want, err := os.ReadFile(filepath.Join(c.Dir(), "data", "pg_wal", name)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the %d bytes of %s are not those of PostgreSQL: %v", len(got), name, err)
	}
	becomes(t, patience, watch, "SELECT count(*) FROM pg_stat_replication", "0")
}

// TestReceiveLogical streams decoded changes up to a position.
func TestReceiveLogical(t *testing.T) {
	t.Parallel()
	c, p := replicationServer(t)
	watch := observer(t, c, "postgres")
	file := filepath.Join(openFolder(t), "changes")
	receive := append(p.at(), "--dbname=postgres", "--slot=changes")
	runClient(t, time.Minute, program(t, "pg_recvlogical"), append(receive, "--create-slot", "--plugin=test_decoding")...)
	mustExec(t, watch, "INSERT INTO rows VALUES (1, 'one'), (2, 'two')")
	mustExec(t, watch, "DELETE FROM rows WHERE n = 1")
	end, err := ask(within(t, patience), watch, "SELECT pg_current_wal_lsn()")
	if err != nil {
		t.Fatal(err)
	}
	runClient(t, time.Minute, program(t, "pg_recvlogical"), append(receive, "--start", "--file="+file, "--endpos="+end, "--no-loop", "--option=include-xids=0")...)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const changes = "BEGIN\ntable public.rows: INSERT: n[integer]:1 word[text]:'one'\ntable public.rows: INSERT: n[integer]:2 word[text]:'two'\nCOMMIT\n" +
		"BEGIN\ntable public.rows: DELETE: n[integer]:1\nCOMMIT\n"
	if string(text) != changes {
		t.Errorf("got\n%s\nwant\n%s", text, changes)
	}
	runClient(t, time.Minute, program(t, "pg_recvlogical"), append(receive, "--drop-slot")...)
}

// TestSubscription replicates a table to another PostgreSQL that subscribes
// through the pooler, and goes on after its server was ended.
func TestSubscription(t *testing.T) {
	t.Parallel()
	c, p := replicationServer(t)
	subscriber := startCluster(t, postgres.Options{Settings: map[string]string{"wal_retrieve_retry_interval": "100ms"}})
	from, to := observer(t, c, "postgres"), observer(t, subscriber, "postgres")
	mustExec(t, from, "INSERT INTO rows SELECT n, 'before ' || n FROM generate_series(1, 5000) n")
	mustExec(t, from, "CREATE PUBLICATION all_rows FOR TABLE rows")
	mustExec(t, to, "CREATE TABLE rows (n int PRIMARY KEY, word text)")
	mustExec(t, to, fmt.Sprintf("CREATE SUBSCRIPTION copies CONNECTION 'host=%s port=%d user=%s dbname=postgres' PUBLICATION all_rows", p.host, p.port, p.user))
	becomes(t, time.Minute, to, "SELECT count(*) FROM rows", "5000")

	mustExec(t, from, "INSERT INTO rows SELECT n, 'after ' || n FROM generate_series(5001, 10000) n")
	mustExec(t, from, "UPDATE rows SET word = upper(word) WHERE n % 100 = 0")
	mustExec(t, from, "DELETE FROM rows WHERE n % 1000 = 7")
	sum := "SELECT md5(string_agg(n || word, ',' ORDER BY n)) FROM rows"
	truth, err := ask(within(t, patience), from, sum)
	if err != nil {
		t.Fatal(err)
	}
	becomes(t, patience, to, sum, truth)

	// The walsender ends; the subscriber connects again.
	mustExec(t, from, "SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
	mustExec(t, from, "INSERT INTO rows VALUES (0, 'again')")
	becomes(t, patience, to, "SELECT word FROM rows WHERE n = 0", "again")
	mustExec(t, to, "DROP SUBSCRIPTION copies") // drops the slot through the pooler
	want(t, from, "SELECT count(*) FROM pg_replication_slots", "0")
}

// TestReplicationEnds: SIGQUIT does not wait for a stream that never ends; the
// client is told between two messages.
func TestReplicationEnds(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	c, p := replicationServer(t)
	watch := observer(t, c, "postgres")
	conn := replicate(t, p, "postgres", "database")
	if _, err := conn.Exec(within(t, patience), "CREATE_REPLICATION_SLOT endless LOGICAL test_decoding").ReadAll(); err != nil {
		t.Fatal(err)
	}
	stream := conn.Frontend()
	stream.Send(&pgproto3.Query{String: "START_REPLICATION SLOT endless LOGICAL 0/0"})
	if err := stream.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := conn.Conn().SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, ok := receive(t, conn).(*pgproto3.CopyBothResponse); !ok {
		t.Fatal("no CopyBothResponse has come")
	}
	mustExec(t, watch, "INSERT INTO rows SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n") // more than buffers hold
	p.signal(t, syscall.SIGQUIT)
	for {
		switch m := receive(t, conn).(type) {
		case *pgproto3.CopyData, *pgproto3.NoticeResponse:
			continue
		case *pgproto3.ErrorResponse:
			if m.Code != "57P01" || m.Severity != "FATAL" {
				t.Errorf("got %s %s %s, want FATAL 57P01", m.Severity, m.Code, m.Message)
			}
		default:
			t.Errorf("got %T, want an error", m)
		}
		break
	}
	if err := p.endsWithin(t, 3*time.Second); err != nil {
		t.Errorf("SIGQUIT: %v, want exit code 0", err)
	}
	becomes(t, patience, watch, "SELECT count(*) FROM pg_stat_replication", "0")
}

func receive(t *testing.T, conn *pgconn.PgConn) pgproto3.BackendMessage {
	t.Helper()
	m, err := conn.Frontend().Receive()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestReplicationLimits: a replication connection counts as a client and as a
// server of its database; when it has ended there is room again.
func TestReplicationLimits(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	p := startPooler(t, options{ini: fmt.Sprintf("[databases]\n* = host=%s port=%d max_db_connections=1\n[pgbouncer]\n%%LISTEN%%\nauth_type = trust\nmax_client_conn = 2\n"+
		"query_wait_timeout = 0.5\n", shared.Host(), shared.Port())})
	attempt := func() error {
		conn, err := pgconn.Connect(within(t, patience), p.url("fountain")+"&replication=database")
		if err == nil {
			_ = conn.Conn().Close()
		}
		return err
	}
	first := replicate(t, p, "fountain", "database")
	err := attempt()
	wantState(t, "a second one", err, "08P01")
	if late := (*pgconn.PgError)(nil); !errors.As(err, &late) || !strings.Contains(late.Detail, "max_db_connections") {
		t.Errorf("a second one: %v does not name the limit", err)
	}
	second := replicate(t, p, "postgres", "database") // another database
	err = attempt()
	wantState(t, "a third client", err, "53300")
	if !strings.Contains(err.Error(), "max_client_conn") {
		t.Errorf("a third client: %v does not name the limit", err)
	}
	for _, conn := range []*pgconn.PgConn{first, second} {
		if err := conn.Close(within(t, patience)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, patience, "there is room again", attempt)
}
