package e2e

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

// TestTLSCopy carries much data in both directions, and in both at once.
func TestTLSCopy(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "require")
	const rows, copied = 20_000, "SELECT n, repeat(md5(n::text), 32) FROM generate_series(1, 20000) AS n" // 21 MB
	from, to := s.connect(t, ""), s.connect(t, "")
	mustExec(t, to, "BEGIN")
	mustExec(t, to, "CREATE TEMPORARY TABLE much (n int, text text) ON COMMIT DROP")
	sum := md5.New()
	reader, writer := io.Pipe()
	var both errgroup.Group
	both.Go(func() error {
		_, err := from.PgConn().CopyTo(within(t, time.Minute), io.MultiWriter(sum, writer), "COPY ("+copied+") TO STDOUT")
		return errors.Join(err, writer.CloseWithError(err))
	})
	both.Go(func() error {
		tag, err := to.PgConn().CopyFrom(within(t, time.Minute), reader, "COPY much FROM STDIN")
		if err == nil && tag.RowsAffected() != rows {
			err = fmt.Errorf("%d rows came", tag.RowsAffected())
		}
		_ = reader.CloseWithError(err)
		return err
	})
	if err := both.Wait(); err != nil {
		t.Fatal(err)
	}
	want(t, to, "SELECT count(*) FROM ("+copied+") AS a FULL JOIN much USING (n) WHERE much.text IS DISTINCT FROM a.repeat", "0")
	again := md5.New()
	if _, err := to.PgConn().CopyTo(within(t, time.Minute), again, "COPY (SELECT * FROM much ORDER BY n) TO STDOUT"); err != nil {
		t.Fatal(err)
	}
	if string(again.Sum(nil)) != string(sum.Sum(nil)) {
		t.Error("what came back is not what went in")
	}
	mustExec(t, to, "COMMIT")
}

// TestTLSPipeline sends and receives more than any buffer holds, in one pipeline: neither side may wait for the other with its own bytes unread.
func TestTLSPipeline(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "require")
	const statements = 1000
	large := strings.Repeat("folio ", 1500) // 9 kB, so 9 MB each way
	var all errgroup.Group
	for range 3 {
		conn := s.connect(t, "")
		all.Go(func() error {
			pipeline := conn.PgConn().StartPipeline(within(t, time.Minute))
			for range statements {
				pipeline.SendQueryParams("SELECT $1::text", [][]byte{[]byte(large)}, nil, nil, nil)
			}
			if err := pipeline.Sync(); err != nil {
				return err
			}
			got := 0
			for {
				result, err := pipeline.GetResults()
				if err != nil {
					return err
				}
				reader, ok := result.(*pgconn.ResultReader)
				if !ok {
					break
				}
				for reader.NextRow() {
					if string(reader.Values()[0]) == large {
						got++
					}
				}
				if _, err := reader.Close(); err != nil {
					return err
				}
			}
			if got != statements {
				return fmt.Errorf("%d good answers of %d", got, statements)
			}
			return pipeline.Close()
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestManyTLSClients keeps a thousand clients and lets each of them ask, again and again.
func TestManyTLSClients(t *testing.T) {
	const clients, atOnce, perClient = 1000, 50, 96 << 10
	s := startSecured(t, "require", "max_client_conn = 2000")
	want(t, s.connect(t, ""), "SELECT 1", "1")
	before := s.memory(t)
	conns := make([]*pgconn.PgConn, clients)
	defer func() {
		for _, conn := range conns {
			if conn != nil {
				_ = conn.Conn().Close()
			}
		}
	}()
	each := func(do func(ctx context.Context, i int) error) {
		t.Helper()
		var all errgroup.Group
		all.SetLimit(atOnce)
		for i := range clients {
			all.Go(func() error {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				return do(ctx, i)
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	config, err := pgconn.ParseConfig(s.url("postgres", ""))
	if err != nil {
		t.Fatal(err)
	}
	each(func(ctx context.Context, i int) (err error) {
		conns[i], err = pgconn.ConnectConfig(ctx, config.Copy())
		return err
	})
	connected := s.memory(t)
	for range 3 {
		each(func(ctx context.Context, i int) error {
			results, err := conns[i].Exec(ctx, fmt.Sprintf("SELECT %d", i)).ReadAll()
			if err != nil {
				return err
			}
			if got := string(results[0].Rows[0][0]); got != fmt.Sprint(i) {
				return fmt.Errorf("client %d: got %s", i, got)
			}
			return nil
		})
	}
	asked := s.memory(t)
	t.Logf("memory: %d kB alone, %d kB with %d clients with TLS, %d kB after they asked: %d bytes for each", before>>10, connected>>10, clients, asked>>10, (asked-before)/clients)
	// The race detector's own share of each connection is many times that.
	if most := before + clients*perClient; asked > most && os.Getenv("POOLERD_E2E_RACE") == "" {
		t.Errorf("memory is %d bytes, want at most %d", asked, most)
	}
}

// TestTLSCancel: pgx cancels over TLS, libpq before version 17 in the open, also where TLS is required. Both must arrive.
func TestTLSCancel(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "require")
	watch := observer(t, shared, "postgres")
	running := func(text string) string {
		return "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '" + text + "%' AND pid <> pg_backend_pid()"
	}
	conn := s.connect(t, "")
	failed := sleeper(t, conn, "tls_cancel")
	if err := conn.PgConn().CancelRequest(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	wantCancelled(t, "pgx", failed)

	var said strings.Builder
	psql := exec.CommandContext(within(t, 2*patience), program(t, "psql"), "-X", "-c", "SELECT pg_sleep(30) AS psql_sleeps", s.dsn())
	psql.Stderr = &said
	if err := psql.Start(); err != nil {
		t.Fatal(err)
	}
	ended := sync.OnceValue(psql.Wait)
	t.Cleanup(func() { _ = psql.Process.Kill(); _ = ended() })
	becomes(t, patience, watch, running("SELECT pg_sleep(30) AS psql_sleeps"), "1")
	if err := psql.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := ended(); err == nil || !strings.Contains(said.String(), "canceling statement due to user request") {
		t.Errorf("psql: %v, %s", err, said.String())
	}
	becomes(t, patience, watch, running("SELECT pg_sleep(30) AS psql_sleeps"), "0")
}
