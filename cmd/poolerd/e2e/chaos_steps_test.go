package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// chaosStep is one thing that a client does.
type chaosStep struct {
	name string
	do   func(g *chaosGuest, ctx context.Context) error
}

// chaosSingle is how many of the steps can be done in statement mode.
const chaosSingle = 7

var chaosSteps = []chaosStep{
	{"simple", (*chaosGuest).simple},
	{"prepared", (*chaosGuest).prepared},
	{"write", (*chaosGuest).write},
	{"copy out", (*chaosGuest).copyOut},
	{"cancel", (*chaosGuest).cancel},
	{"vanish", (*chaosGuest).vanish},
	{"parameter", (*chaosGuest).parameter},
	{"pipeline", (*chaosGuest).pipeline},
	{"transaction", (*chaosGuest).transaction},
	{"transaction", (*chaosGuest).transaction},
	{"copy in", (*chaosGuest).copyIn},
	{"temporary", (*chaosGuest).temporary},
	{"notify", (*chaosGuest).notify},
	{"vanish inside", (*chaosGuest).vanishInside},
	{"slow", (*chaosGuest).slow},
}

func chaosStepNames() []string {
	names := map[string]bool{"login": true}
	for _, s := range chaosSteps {
		names[s.name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func (g *chaosGuest) simple(ctx context.Context) error {
	text := g.next()
	got, err := ask(ctx, g.conn, fmt.Sprintf("SELECT '%s'", text))
	if err != nil {
		return err
	}
	return same("a simple query's answer", []byte(got), text)
}

func (g *chaosGuest) prepared(ctx context.Context) error {
	text, got := g.next(), ""
	if err := g.conn.QueryRow(ctx, fmt.Sprintf("SELECT $1::text /* %d */", g.dice.IntN(5)), text).Scan(&got); err != nil {
		return err
	}
	return same("a prepared statement's answer", []byte(got), text)
}

// write writes a row outside of a transaction block.
func (g *chaosGuest) write(ctx context.Context) error {
	key := g.next()
	g.h.ledger.note(inDoubt, key)
	_, err := g.conn.Exec(ctx, "INSERT INTO deeds VALUES ($1)", []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheStatement}[g.dice.IntN(2)], key)
	switch {
	case err == nil:
		g.h.ledger.note(kept, key)
	case neverRan(err):
		g.h.ledger.note(undone, key)
	}
	return err
}

// neverRan tells whether an error says that its statement was not carried out.
func neverRan(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (strings.Contains(pg.Message, "query_wait_timeout") || pg.Code == "57014" || pg.Code == "25P02" || pg.Code == "53300")
}

// transaction writes rows in a block, and ends it in one way or the other.
func (g *chaosGuest) transaction(ctx context.Context) error {
	mode := []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec}[g.dice.IntN(3)]
	exec := func(sql string, args ...any) (pgconn.CommandTag, error) {
		return g.conn.Exec(ctx, sql, append([]any{mode}, args...)...)
	}
	if _, err := exec("BEGIN"); err != nil {
		return err
	}
	var keys []string
	for range 1 + g.dice.IntN(3) {
		key := g.next()
		keys = append(keys, key)
		g.h.ledger.note(undone, key)
		if _, err := exec("INSERT INTO deeds VALUES ($1)", key); err != nil {
			return err
		}
		var got string
		if err := g.conn.QueryRow(ctx, "SELECT key FROM deeds WHERE key = $1 AND xmin = pg_current_xact_id()::xid", mode, key).Scan(&got); err != nil {
			return err
		}
		if err := same("the row written last in this transaction", []byte(got), key); err != nil {
			return err
		}
	}
	if g.dice.IntN(4) == 0 {
		_, err := exec("ROLLBACK")
		return err
	}
	g.h.ledger.note(inDoubt, keys...)
	tag, err := exec("COMMIT")
	switch {
	case err == nil && tag.String() == "COMMIT":
		g.h.ledger.note(kept, keys...)
	case err == nil || neverRan(err):
		g.h.ledger.note(undone, keys...)
	}
	return err
}

// pipeline sends several statements at once, and wants the answer to each in its place.
func (g *chaosGuest) pipeline(ctx context.Context) error {
	batch := &pgx.Batch{}
	for range 2 + g.dice.IntN(20) {
		text := g.next()
		batch.Queue(fmt.Sprintf("SELECT $1::text /* %d */", g.dice.IntN(5)), text).QueryRow(func(row pgx.Row) error {
			var got string
			if err := row.Scan(&got); err != nil {
				return err
			}
			return same("an answer of a pipeline", []byte(got), text)
		})
	}
	return g.conn.SendBatch(ctx, batch).Close()
}

func (g *chaosGuest) copyOut(ctx context.Context) error {
	text := g.next()
	var out strings.Builder
	if _, err := g.conn.PgConn().CopyTo(ctx, &out, fmt.Sprintf("COPY (SELECT '%s' FROM generate_series(1, 2000)) TO STDOUT", text)); err != nil {
		return err
	}
	return same("what COPY gives", []byte(out.String()), strings.Repeat(text+"\n", 2000))
}

func (g *chaosGuest) copyIn(ctx context.Context) error {
	var rows [][]any
	var keys []string
	for range 1 + g.dice.IntN(200) {
		key := g.next()
		keys, rows = append(keys, key), append(rows, []any{key})
	}
	g.h.ledger.note(inDoubt, keys...)
	n, err := g.conn.CopyFrom(ctx, pgx.Identifier{"deeds"}, []string{"key"}, pgx.CopyFromRows(rows))
	switch {
	case err == nil && int(n) == len(rows):
		g.h.ledger.note(kept, keys...)
	case err == nil:
		return fmt.Errorf("%w: COPY has taken %d rows, not %d", errWrong, n, len(rows))
	case neverRan(err):
		g.h.ledger.note(undone, keys...)
	}
	return err
}

// cancel cancels its own query at a moment by chance, which may be too late.
func (g *chaosGuest) cancel(ctx context.Context) error {
	text := g.next()
	g.asked = true
	sent := make(chan struct{})
	pause := time.Duration(g.dice.IntN(40)) * time.Millisecond
	conn := g.conn.PgConn()
	go func() {
		defer close(sent)
		time.Sleep(pause)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = conn.CancelRequest(ctx)
	}()
	got, err := ask(ctx, g.conn, fmt.Sprintf("SELECT '%s' FROM pg_sleep(0.03)", text))
	<-sent // which PostgreSQL has by now
	if sqlState(err) == "57014" {
		return nil
	}
	if err != nil {
		return err
	}
	return same("the answer to a query that was to be cancelled", []byte(got), text)
}

// parameter asks for the client's own session parameters.
func (g *chaosGuest) parameter(ctx context.Context) error {
	for _, name := range []string{"chaos.tag", "application_name"} {
		got, err := ask(ctx, g.conn, "SHOW "+name)
		if err != nil {
			return err
		}
		if err := same(name, []byte(got), g.tag); err != nil {
			return err
		}
	}
	return nil
}

// temporary leaves something on a server that no other client may see, and that the client must find there again.
func (g *chaosGuest) temporary(ctx context.Context) error {
	text := g.next()
	if _, err := g.conn.Exec(ctx, "CREATE TEMPORARY TABLE mine AS SELECT '"+text+"'::text AS text", pgx.QueryExecModeSimpleProtocol); err != nil {
		if sqlState(err) == "42P07" {
			return fmt.Errorf("%w: another client's temporary table is there: %w", errWrong, err)
		}
		return err
	}
	before, err := ask(ctx, g.conn, "SELECT pg_backend_pid()::text || coalesce(pg_advisory_lock(hashtext('"+g.tag+"'))::text, '')")
	if err != nil {
		return err
	}
	got, err := ask(ctx, g.conn, "SELECT text FROM mine")
	if sqlState(err) == "42P01" {
		after, _ := ask(ctx, g.conn, "SELECT pg_backend_pid()")
		return fmt.Errorf("%w: the temporary table has gone without a word; the server's pid was %s before, and is now %s", errWrong, before, after)
	}
	if err != nil {
		return err
	}
	if err := same("the temporary table", []byte(got), text); err != nil {
		return err
	}
	_, err = g.conn.Exec(ctx, "DROP TABLE mine; SELECT pg_advisory_unlock_all()", pgx.QueryExecModeSimpleProtocol)
	return err
}

// notify tells itself something on a channel of its own: that, and nothing else, must come.
func (g *chaosGuest) notify(ctx context.Context) error {
	channel := fmt.Sprintf("channel_%d", g.number)
	if !g.listed {
		if _, err := g.conn.Exec(ctx, "LISTEN "+channel, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		g.listed = true
	}
	text := g.next()
	if _, err := g.conn.Exec(ctx, fmt.Sprintf("NOTIFY %s, '%s'", channel, text)); err != nil {
		return err
	}
	n, err := g.conn.WaitForNotification(ctx)
	if err != nil {
		return err
	}
	return same("a notification", []byte(n.Channel+" "+n.Payload), channel+" "+text)
}

// slow has a transaction with pauses in it.
func (g *chaosGuest) slow(ctx context.Context) error {
	if _, err := g.conn.Exec(ctx, "BEGIN", pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	for range 3 {
		if err := g.simple(ctx); err != nil {
			return err
		}
		time.Sleep(time.Duration(g.dice.IntN(30)) * time.Millisecond)
	}
	_, err := g.conn.Exec(ctx, "COMMIT", pgx.QueryExecModeSimpleProtocol)
	return err
}

// vanish closes the connection, without a word or in the middle of an answer, and comes back.
func (g *chaosGuest) vanish(context.Context) error {
	if g.dice.IntN(2) == 0 {
		frontend := g.conn.PgConn().Frontend()
		frontend.SendQuery(query("SELECT repeat('x', 1000) FROM generate_series(1, 3000)"))
		_ = frontend.Flush()
	}
	_ = g.conn.PgConn().Conn().Close()
	leave(g.conn)
	return nil
}

// vanishInside dies in a transaction, whose rows must not stay.
func (g *chaosGuest) vanishInside(ctx context.Context) error {
	key := g.next()
	g.h.ledger.note(undone, key)
	_, err := g.conn.Exec(ctx, "BEGIN; INSERT INTO deeds VALUES ('"+key+"')", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return err
	}
	return g.vanish(ctx)
}
