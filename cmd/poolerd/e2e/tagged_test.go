package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestTaggedRows lets 100 clients on a pool of 10 do all that a client does,
// each with its own tag in every row, while servers are killed at random. A
// client may lose its server; it must never see another's row. After the
// killing there is not one error more.
func TestTaggedRows(t *testing.T) {
	const (
		clients = 100
		killing = 6 * time.Second
		calm    = 2 * time.Second
	)
	p := startPooler(t, options{poolSize: 10})
	setup := observer(t, shared, "bench")
	mustExec(t, setup, "CREATE TABLE tagged (tag text, n int); CREATE INDEX ON tagged (tag)")
	defer mustExec(t, setup, "DROP TABLE tagged")

	run := &taggedRun{url: p.url("bench"), done: make([]atomic.Int64, len(taggedSteps()))}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() { run.client(ctx, i) })
	}
	kills := killServers(t, killing)
	// What the last kill struck is noticed when its client next asks.
	eventually(t, patience, "the errors after the last kill are over", func() error {
		before := run.lost.Load()
		time.Sleep(300 * time.Millisecond)
		if n := run.lost.Load() - before; n > 0 {
			return fmt.Errorf("%d more losses", n)
		}
		return nil
	})
	lost := run.lost.Load()
	run.calm.Store(true)
	time.Sleep(calm)
	stop()
	all.Wait()

	for i, step := range taggedSteps() {
		n := run.done[i].Load()
		t.Logf("%-12s %6d", step.name, n)
		if n == 0 {
			t.Errorf("%s was never done", step.name)
		}
	}
	t.Logf("%d kills, %d losses", kills, lost)
	if kills < 10 {
		t.Errorf("only %d servers were killed", kills)
	}
	if under.kind == poolerd && lost > kills {
		t.Errorf("%d clients lost their server by %d kills: %v", lost, kills, errors.Join(run.losses...))
	}
	for _, err := range run.errors {
		t.Error(err)
	}
}

// killServers ends a random server of the pool every 100 ms or so.
func killServers(t *testing.T, during time.Duration) int64 {
	t.Helper()
	conn := observer(t, shared, "postgres")
	killed := int64(0)
	for begin := time.Now(); time.Since(begin) < during; time.Sleep(100 * time.Millisecond) {
		tag, err := conn.Exec(within(t, patience), `SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
			WHERE datname = 'bench' AND application_name LIKE 'tag-%' AND backend_type = 'client backend' ORDER BY random() LIMIT 1) AS victim`)
		if err != nil {
			t.Fatal(err)
		}
		killed += tag.RowsAffected()
	}
	return killed
}

// errWrong marks what must never be: another client's row, or another error
// than the loss of a server.
var errWrong = errors.New("wrong")

// taggedRun is what the clients share.
type taggedRun struct {
	url  string
	lost atomic.Int64   // steps that ended by the loss of a server
	calm atomic.Bool    // the killing is over: nothing may be lost any more
	done []atomic.Int64 // successes of each step

	mu     sync.Mutex
	errors []error // the first few
	losses []error // all of them
}

func (r *taggedRun) noteLoss(err error) {
	r.lost.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.losses = append(r.losses, err)
}

func (r *taggedRun) wrong(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errors) < 10 {
		r.errors = append(r.errors, err)
	}
}

// client works until ctx ends, and comes back when it has lost its connection.
func (r *taggedRun) client(ctx context.Context, number int) {
	dice := rand.New(rand.NewPCG(uint64(number), 0))
	steps := taggedSteps()
	var conn *pgx.Conn
	for n := 0; ctx.Err() == nil; n++ {
		tag := fmt.Sprintf("tag-%d", number)
		step := dice.IntN(len(steps))
		err := func() (err error) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if conn == nil || conn.IsClosed() {
				if conn, err = r.connect(ctx, tag); err != nil {
					return fmt.Errorf("connect: %w", err)
				}
			}
			if err := steps[step].do(ctx, conn, tag, n); err != nil {
				return fmt.Errorf("%s %d: %w", steps[step].name, n, err)
			}
			return nil
		}()
		switch {
		case err == nil:
			r.done[step].Add(1)
			continue
		case errors.Is(err, errWrong) || !isLoss(err):
			r.wrong(fmt.Errorf("%s: %w", tag, err))
			return
		case r.calm.Load():
			r.wrong(fmt.Errorf("%s: after the last kill: %w", tag, err))
			return
		}
		r.noteLoss(fmt.Errorf("%s: %w", tag, err))
		if conn != nil && !conn.IsClosed() {
			recoverClient(conn)
		}
	}
	if conn != nil {
		leave(conn)
	}
}

// recoverClient ends the transaction that a lost server may have left open in
// the client's eyes, or the client where it cannot.
func recoverClient(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if conn.PgConn().TxStatus() == 'I' {
		return
	}
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
		leave(conn)
	}
}

// connect gives each client its tag as session state too, in three ways.
func (r *taggedRun) connect(ctx context.Context, tag string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(r.url)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["application_name"] = tag
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil || !keepsSessions() {
		return conn, err
	}
	_, err = conn.Exec(ctx, "SET tagged.simple = '"+tag+"'", pgx.QueryExecModeSimpleProtocol)
	if err == nil {
		_, err = conn.Exec(ctx, "SET tagged.extended = '"+tag+"'")
	}
	if err != nil {
		leave(conn)
		return nil, err
	}
	return conn, nil
}

// same fails for a value that is not the client's own.
func same(what string, got []byte, tag string) error {
	if string(got) != tag {
		return fmt.Errorf("%w: %s is %q, want %q", errWrong, what, got, tag)
	}
	return nil
}

// tags fails unless there are n rows, which all begin with the client's tag
// followed by "/".
func tags(what string, rows []string, tag string, n int) error {
	if len(rows) != n {
		return fmt.Errorf("%w: %s has %d rows, want %d", errWrong, what, len(rows), n)
	}
	for _, row := range rows {
		if !strings.HasPrefix(row, tag+"/") {
			return fmt.Errorf("%w: %s has %q, want %q", errWrong, what, row, tag+"/...")
		}
	}
	return nil
}
