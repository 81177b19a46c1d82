package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// disturber is a client that shares the servers of the clients under test.
type disturber struct {
	name  string
	every time.Duration
	stays bool     // one connection for all rounds, or a new one each time
	names []string // prepares other texts under these names of drivers
	round []string // each carried out by itself, whatever comes of the one before
}

// statementNames are what the drivers call their first statements.
var statementNames = [...]string{"_pg3_0", "__asyncpg_stmt_1__", "S_1", "S_2", "1", "a"}

// disturbers use the names that the behaviours use for other things, and leave
// behind whatever a session can have. No notification is on a channel that a
// behaviour listens to.
func disturbers() []disturber {
	return []disturber{
		{name: "settings", every: 20 * time.Millisecond, stays: true, names: statementNames[:], round: []string{
			"SET statement_timeout = '59s'",
			"SET search_path = pg_catalog",
			"SET TimeZone = 'America/St_Johns'",
			"SET work_mem = '3MB'",
			"SET my.var = 'of a disturber'",
			"SET my.other = 'of a disturber'",
			"SET DateStyle = 'SQL, DMY'",
			"SET bytea_output = 'escape'",
			"SET client_min_messages = error",
			"SET default_transaction_isolation = 'repeatable read'",
			"BEGIN; SET LOCAL work_mem = '2MB'; SAVEPOINT one; SET TimeZone = 'Asia/Tokyo'; ROLLBACK TO one; COMMIT",
			"BEGIN; SET work_mem = '1MB'; ROLLBACK",
			"SELECT set_config('work_mem', '3MB', false), set_config('my.var', 'still', false)",
			"NOTIFY noise, 'from a disturber'",
			"SELECT 1 / 0",
			"RESET ALL",
		}},
		{name: "visitor", every: 25 * time.Millisecond, round: []string{
			"CREATE TEMP TABLE props (other text, columns text)",
			"CREATE TEMP TABLE kept (never text); CREATE TEMP TABLE made (n int); CREATE TEMP TABLE hidden (n text)",
			"CREATE TEMP TABLE left_behind (t text); INSERT INTO left_behind VALUES ('a disturber''s')",
			"CREATE TEMP VIEW seen AS SELECT 'no' AS v; CREATE TEMP SEQUENCE tally",
			"PREPARE p AS SELECT 'a disturber''s'; PREPARE q AS SELECT 1; PREPARE mine AS SELECT 2",
			"SELECT pg_try_advisory_lock(990), pg_try_advisory_lock_shared(991)",
			"SELECT nextval('seq')",
			"LISTEN noise; LISTEN more_noise",
			"DECLARE held CURSOR WITH HOLD FOR SELECT 'a disturber''s' FROM generate_series(1, 10)",
			"SET ROLE director",
			"SET SESSION AUTHORIZATION actor",
			"NOTIFY noise, 'from a visitor'",
		}},
		{name: "holder", every: 5 * time.Millisecond, stays: true, round: []string{
			"BEGIN; SELECT pg_sleep(0.002); COMMIT",
			"SELECT 1",
			"BEGIN; CREATE TEMP TABLE props (n text) ON COMMIT DROP; NOTIFY noise; ROLLBACK",
		}},
	}
}

// disturb runs the disturbers until the returned function is called, which
// fails the test if one of them did nothing. What they are answered does not
// matter: they are not what is under test.
func disturb(t *testing.T, at place) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, d := range disturbers() {
		running.Go(func() {
			rounds, refused := d.run(ctx, at)
			t.Logf("%s: disturber %s went round %d times; %d of its statements failed", at.database, d.name, rounds, refused)
			if rounds == 0 {
				t.Errorf("%s: disturber %s did nothing", at.database, d.name)
			}
		})
	}
	return func() {
		cancel()
		running.Wait()
	}
}

func (d disturber) run(ctx context.Context, at place) (rounds, refused int) {
	turn := time.NewTicker(d.every)
	defer turn.Stop()
	var conn *pgconn.PgConn
	defer func() { d.end(conn) }()
	for ctx.Err() == nil {
		if conn == nil || conn.IsClosed() {
			var err error
			conn, err = pgconn.Connect(ctx, fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=%s", at.user, at.host, at.port, at.database, driverSSLMode()))
			if err != nil {
				select {
				case <-ctx.Done():
				case <-turn.C:
				}
				continue
			}
			refused += d.prepare(ctx, conn)
		}
		for _, sql := range d.round {
			if _, err := conn.Exec(ctx, sql).ReadAll(); err != nil {
				refused++
				_, _ = conn.Exec(ctx, "ROLLBACK").ReadAll() // a server kept in a failed transaction would starve the others
			}
		}
		rounds++
		if !d.stays {
			d.end(conn)
			conn = nil
		}
		select {
		case <-ctx.Done():
		case <-turn.C:
		}
	}
	return rounds, refused
}

func (d disturber) prepare(ctx context.Context, conn *pgconn.PgConn) (refused int) {
	for i, name := range d.names {
		if _, err := conn.Prepare(ctx, name, fmt.Sprintf("SELECT 'a disturber''s', %d, $1::text", i), nil); err != nil {
			refused++
		}
	}
	return refused
}

func (d disturber) end(conn *pgconn.PgConn) {
	if conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
