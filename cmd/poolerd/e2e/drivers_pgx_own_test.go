package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// pgxBehaviours are what pgx does in its own way. Their names are those of the
// same behaviours of the other clients.
func pgxBehaviours(open opener) []own {
	with := func(name string, show func(ctx context.Context, a, b *pgx.Conn) error) own {
		return own{name, func(ctx context.Context, at place) error {
			a, err := open(ctx, at, nil)
			if err != nil {
				return err
			}
			defer leave(a)
			b, err := open(ctx, at, nil)
			if err != nil {
				return err
			}
			defer leave(b)
			return show(ctx, a, b)
		}}
	}
	return []own{
		with("200 statements prepared under names", pgxStatements),
		with("the driver evicts statements", pgxEviction),
		with("one name, two texts", pgxOneName),
		with("COPY in, 10,000 rows", pgxCopyIn),
		with("COPY out, 10,000 rows", pgxCopyOut),
		with("COPY out, given up half way", pgxCopyOutLeft),
		with("COPY in fails at a row", pgxCopyError),
		with("COPY in given up by the client", pgxCopyFail),
		with("COPY into a temporary table over transactions", pgxCopyTemporary),
		{"cancel a query", func(ctx context.Context, at place) error { return pgxCancel(ctx, at, open) }},
		with("transactions of the driver", pgxTransactions),
		with("savepoints of the driver", pgxSavepoints),
		with("isolation and read only of the driver", pgxIsolation),
		with("serialization failure", pgxSerialization),
		with("pipeline", pgxPipeline),
		with("pipeline with an error in the middle", pgxPipelineError),
		with("batch", pgxBatch),
		with("batch with an error in the middle", pgxBatchError),
		with("1 MB parameter", func(ctx context.Context, a, _ *pgx.Conn) error { return pgxLarge(ctx, a, 1<<20) }),
		with("20 MB parameter and result", func(ctx context.Context, a, _ *pgx.Conn) error { return pgxLarge(ctx, a, 20<<20) }),
		with("large object of the driver", pgxLargeObject),
		with("notices", pgxNotices),
		with("settings that the driver is told of", pgxTold),
		with("types of the database", pgxTypes),
		with("a statement described only", pgxDescribe),
		with("several results of one query", pgxResults),
		with("rows left unread", pgxRowsLeft),
	}
}

// holds is an error unless the query's one value, as text, is this.
func holds(ctx context.Context, conn *pgx.Conn, want, sql string, args ...any) error {
	got, err := columnOf(conn.Query(ctx, sql, args...))
	if err != nil {
		return fmt.Errorf("%.200s: %w", sql, err)
	}
	return differ(fmt.Sprintf("%.200s", sql), strings.Join(got, ","), want)
}

func execs(ctx context.Context, conn *pgx.Conn, all ...string) error {
	for _, sql := range all {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

func pgxStatements(ctx context.Context, a, b *pgx.Conn) error {
	for turn := range 3 {
		for n := range 200 {
			name := fmt.Sprintf("s%d", n)
			for i, conn := range []*pgx.Conn{a, b} {
				if turn == 0 {
					if _, err := conn.Prepare(ctx, name, fmt.Sprintf("SELECT $1::text || '-%d-%d'", i, n)); err != nil {
						return err
					}
				}
				if err := holds(ctx, conn, fmt.Sprintf("%d-%d-%d", turn, i, n), name, fmt.Sprint(turn)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// pgxEviction prepares and deallocates as the driver's cache of statements does
// when it is full.
func pgxEviction(ctx context.Context, a, _ *pgx.Conn) error {
	for turn := range 40 {
		name := fmt.Sprintf("s%d", turn%3)
		if _, err := a.Prepare(ctx, name, fmt.Sprintf("SELECT $1::text || '%d'", turn)); err != nil {
			return err
		}
		if err := holds(ctx, a, fmt.Sprintf("x%d", turn), name, "x"); err != nil {
			return err
		}
		if err := a.Deallocate(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func pgxOneName(ctx context.Context, a, b *pgx.Conn) error {
	_, errA := a.Prepare(ctx, "same", "SELECT 'a' || $1::text")
	_, errB := b.Prepare(ctx, "same", "SELECT 'b' || $1::text || 'b'")
	err := errors.Join(errA, errB)
	for turn := range 20 {
		err = errors.Join(err, holds(ctx, a, fmt.Sprintf("a%d", turn), "same", fmt.Sprint(turn)), holds(ctx, b, fmt.Sprintf("b%db", turn), "same", fmt.Sprint(turn)))
	}
	return err
}

func pgxCancel(ctx context.Context, at place, open opener) error {
	a, err := open(ctx, at, nil)
	if err != nil {
		return err
	}
	defer leave(a)
	config := a.Config()
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: patience}
	}
	b, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer leave(b)
	for _, block := range []string{"", "BEGIN"} {
		if block != "" {
			err = errors.Join(err, execs(ctx, b, block))
		}
		brief, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		begin := time.Now()
		_, failed := columnOf(b.Query(brief, "SELECT pg_sleep(20)"))
		cancel()
		if took := time.Since(begin); took > 2*time.Second {
			err = errors.Join(err, fmt.Errorf("the cancel took %s", took))
		}
		err = errors.Join(err, lacks("the cancelled query", failed, "57014"), holds(ctx, a, "1", "SELECT 1"))
		if block != "" {
			_, failed = b.Exec(ctx, "SELECT 1")
			err = errors.Join(err, lacks("after it", failed, "25P02"), execs(ctx, b, "ROLLBACK"))
		}
		err = errors.Join(err, holds(ctx, b, "2", "SELECT 2"))
	}
	return err
}

func pgxTransactions(ctx context.Context, a, b *pgx.Conn) error {
	err := execs(ctx, b, "CREATE TABLE moves (n int)")
	for n := range 5 {
		err = errors.Join(err, pgx.BeginFunc(ctx, a, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO moves VALUES ($1)", n)
			return errors.Join(err, holds(ctx, b, fmt.Sprint(n), "SELECT count(*) FROM moves"))
		}))
		undone := pgx.BeginFunc(ctx, a, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "INSERT INTO moves VALUES ($1)", 1000); err != nil {
				return err
			}
			return errGivenUp
		})
		if !errors.Is(undone, errGivenUp) {
			err = errors.Join(err, fmt.Errorf("a transaction given up: %w", orNone(undone)))
		}
	}
	return errors.Join(err, holds(ctx, b, "4", "SELECT max(n) FROM moves"), execs(ctx, b, "DROP TABLE moves"))
}

func pgxSavepoints(ctx context.Context, a, _ *pgx.Conn) error {
	err := execs(ctx, a, "CREATE TABLE nested (n int)")
	err = errors.Join(err, pgx.BeginFunc(ctx, a, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO nested VALUES (1)")
		for range 3 {
			failed := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "INSERT INTO nested VALUES (2)"); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, "SELECT 1 / $1::int", 0)
				return err
			})
			err = errors.Join(err, lacks("a division by zero", failed, "22012"))
		}
		return errors.Join(err, pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO nested VALUES (3)")
			return err
		}))
	}))
	return errors.Join(err, holds(ctx, a, "1,3", "SELECT n FROM nested ORDER BY n"), execs(ctx, a, "DROP TABLE nested"))
}

func pgxIsolation(ctx context.Context, a, b *pgx.Conn) error {
	var err error
	options := pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly, DeferrableMode: pgx.Deferrable}
	for range 5 {
		failed := pgx.BeginTxFunc(ctx, a, options, func(tx pgx.Tx) error {
			err = errors.Join(err, holds(ctx, a, "serializable", "SHOW transaction_isolation"), holds(ctx, a, "on", "SHOW transaction_deferrable"),
				holds(ctx, b, "read committed", "SHOW transaction_isolation"))
			_, err := tx.Exec(ctx, "INSERT INTO kept (v) VALUES ('never')")
			return err
		})
		err = errors.Join(err, lacks("INSERT", failed, "25006"))
	}
	return errors.Join(err, holds(ctx, a, "read committed", "SHOW transaction_isolation"), holds(ctx, a, "off", "SHOW transaction_read_only"))
}

func pgxSerialization(ctx context.Context, a, b *pgx.Conn) error {
	if err := execs(ctx, a, "CREATE TABLE counters AS SELECT 0 AS n"); err != nil {
		return err
	}
	options := pgx.TxOptions{IsoLevel: pgx.Serializable}
	ta, errA := a.BeginTx(ctx, options)
	tb, errB := b.BeginTx(ctx, options)
	if err := errors.Join(errA, errB, holds(ctx, a, "0", "SELECT n FROM counters"), holds(ctx, b, "0", "SELECT n FROM counters")); err != nil {
		return err
	}
	err := errors.Join(execs(ctx, a, "UPDATE counters SET n = n + 1"), ta.Commit(ctx))
	_, failed := tb.Exec(ctx, "UPDATE counters SET n = n + 1")
	return errors.Join(err, lacks("the second UPDATE", failed, "40001"), tb.Rollback(ctx), holds(ctx, b, "1", "SELECT n FROM counters"), execs(ctx, a, "DROP TABLE counters"))
}

func pgxLarge(ctx context.Context, a *pgx.Conn, size int) error {
	data := make([]byte, size)
	if _, err := io.ReadFull(rand.Reader, data); err != nil {
		return err
	}
	var got []byte
	if err := a.QueryRow(ctx, "SELECT $1::bytea", data).Scan(&got); err != nil {
		return err
	}
	if !slices.Equal(got, data) {
		return errors.New("it came back changed")
	}
	return holds(ctx, a, fmt.Sprint(size), "SELECT length($1::text)", strings.Repeat("x", size))
}

func pgxLargeObject(ctx context.Context, a, _ *pgx.Conn) error {
	content := strings.Repeat("0123456789", 50_000)
	var oid uint32
	err := pgx.BeginFunc(ctx, a, func(tx pgx.Tx) (err error) {
		objects := tx.LargeObjects()
		if oid, err = objects.Create(ctx, 0); err != nil {
			return err
		}
		object, err := objects.Open(ctx, oid, pgx.LargeObjectModeWrite)
		if err != nil {
			return err
		}
		_, err = io.WriteString(object, content)
		return err
	})
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, a, func(tx pgx.Tx) error {
		objects := tx.LargeObjects()
		object, err := objects.Open(ctx, oid, pgx.LargeObjectModeRead)
		if err != nil {
			return err
		}
		got, err := io.ReadAll(object)
		if err == nil && string(got) != content {
			err = errors.New("it came back changed")
		}
		return errors.Join(err, objects.Unlink(ctx, oid))
	})
}

func pgxNotices(ctx context.Context, a, b *pgx.Conn) error {
	var heard []string
	for name, conn := range map[string]*pgx.Conn{"a": a, "b": b} {
		config := conn.Config()
		config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { heard = append(heard, name+" "+n.Message) }
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return err
		}
		defer leave(conn)
		if err := execs(ctx, conn, fmt.Sprintf("DO $$ BEGIN RAISE NOTICE 'to %s'; END $$", name), "SET client_min_messages = warning",
			"DO $$ BEGIN RAISE NOTICE 'never'; END $$"); err != nil {
			return err
		}
	}
	slices.Sort(heard)
	return differ("notices", strings.Join(heard, ", "), "a to a, b to b")
}

func pgxTold(ctx context.Context, a, b *pgx.Conn) error {
	zones := func(want string) error {
		return differ("TimeZone", a.PgConn().ParameterStatus("TimeZone")+" "+b.PgConn().ParameterStatus("TimeZone"), want)
	}
	err := errors.Join(zones("UTC UTC"), execs(ctx, a, "SET TimeZone = 'Europe/Berlin'"))
	for range 10 {
		err = errors.Join(err, holds(ctx, a, "Europe/Berlin", "SHOW TimeZone"), holds(ctx, b, "UTC", "SHOW TimeZone"), zones("Europe/Berlin UTC"))
	}
	return errors.Join(err,
		execs(ctx, a, "BEGIN", "SET TimeZone = 'Asia/Tokyo'"), zones("Asia/Tokyo UTC"),
		execs(ctx, a, "ROLLBACK"), zones("Europe/Berlin UTC"),
		execs(ctx, a, "RESET ALL"), zones("UTC UTC"))
}

func pgxTypes(ctx context.Context, a, _ *pgx.Conn) error {
	types, err := a.LoadTypes(ctx, []string{"s1.colour", "s1._colour", "s1.pair"})
	if err != nil {
		return err
	}
	a.TypeMap().RegisterTypes(types)
	for range 3 {
		var colours []string
		var pair struct {
			N int
			T string
		}
		err := a.QueryRow(ctx, "SELECT ARRAY['red', 'blue']::s1.colour[], ROW(1, 'x')::s1.pair").Scan(&colours, &pair)
		if err := errors.Join(err, differ("types", fmt.Sprint(colours, pair), "[red blue] {1 x}")); err != nil {
			return err
		}
	}
	return nil
}

func pgxDescribe(ctx context.Context, a, _ *pgx.Conn) error {
	for range 3 {
		d, err := a.PgConn().Prepare(ctx, "", "SELECT $1::int AS n, $2::text AS t, id FROM kept", nil)
		if err != nil {
			return err
		}
		err = differ("description", fmt.Sprintln(d.ParamOIDs, d.Fields[0].Name, d.Fields[1].DataTypeOID, d.Fields[2].Name), "[23 25] n 25 id\n")
		_, failed := a.PgConn().Prepare(ctx, "", "SELECT * FROM missing", nil)
		if err := errors.Join(err, lacks("of a table that is not there", failed, "42P01"), holds(ctx, a, "1", "SELECT 1")); err != nil {
			return err
		}
	}
	return nil
}

func pgxResults(ctx context.Context, a, _ *pgx.Conn) error {
	results, err := a.PgConn().Exec(ctx, "SELECT 1; SELECT 2 WHERE false; SELECT 3").ReadAll()
	if err != nil {
		return err
	}
	err = differ("results", fmt.Sprintln(len(results), len(results[1].Rows), string(results[2].Rows[0][0])), "3 0 3\n")
	_, failed := a.PgConn().Exec(ctx, "INSERT INTO kept (v) VALUES ('undone'); SELECT 1 / 0; SELECT 3").ReadAll()
	return errors.Join(err, lacks("a division by zero", failed, "22012"), holds(ctx, a, "0", "SELECT count(*) FROM kept WHERE v = 'undone'"))
}

func pgxRowsLeft(ctx context.Context, a, _ *pgx.Conn) error {
	for range 3 {
		rows, err := a.Query(ctx, "SELECT n, repeat('x', 100) FROM generate_series(1, 5000) AS n")
		if err != nil {
			return err
		}
		for range 10 {
			rows.Next()
		}
		rows.Close()
		if err := errors.Join(rows.Err(), holds(ctx, a, "goes on", "SELECT 'goes on'")); err != nil {
			return err
		}
	}
	return nil
}
