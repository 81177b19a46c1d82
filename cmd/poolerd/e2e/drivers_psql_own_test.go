package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// psqlBehaviours are what psql does in its own way. Their names are those of
// the same behaviours of the other clients.
func psqlBehaviours(path string) []own {
	with := func(name string, show func(ctx context.Context, a, b *psqlSession) error) own {
		return own{name, func(ctx context.Context, at place) error {
			a, err := openPsql(ctx, path, at, nil)
			if err != nil {
				return err
			}
			defer endPsql(a)
			b, err := openPsql(ctx, path, at, nil)
			if err != nil {
				return err
			}
			defer endPsql(b)
			return show(ctx, a, b)
		}}
	}
	return []own{
		with("200 statements prepared under names", psqlStatements),
		with("one name, two texts", psqlOneName),
		with("COPY in, 10,000 rows", psqlCopyIn),
		with("COPY out, 10,000 rows", psqlCopyOut),
		with("COPY in fails at a row", psqlCopyError),
		with("COPY into a temporary table over transactions", psqlCopyTemporary),
		with("cancel a query", psqlCancel),
		with("savepoints of the driver", psqlSavepoints),
		with("server-side cursor", psqlCursor),
		with("1 MB parameter", func(ctx context.Context, a, _ *psqlSession) error { return psqlLarge(ctx, a, 1_000_000) }),
		with("20 MB parameter and result", func(ctx context.Context, a, _ *psqlSession) error { return psqlLarge(ctx, a, 20_000_000) }),
		with("large object of the driver", psqlLargeObject),
		with("notices", psqlNotices),
		with("settings that the driver is told of", psqlTold),
		with("a statement described only", psqlDescribe),
		with("several results of one query", psqlResults),
	}
}

func endPsql(p *psqlSession) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = p.close(ctx)
}

// says runs commands whose output must be these lines.
func (p *psqlSession) says(ctx context.Context, commands string, lines ...string) error {
	got, err := p.send(ctx, commands)
	if err != nil {
		return fmt.Errorf("%.200s: %w", commands, err)
	}
	return differ(fmt.Sprintf("%.200s", commands), strings.Join(got, "\n"), strings.Join(lines, "\n"))
}

func psqlStatements(ctx context.Context, a, b *psqlSession) error {
	for turn := range 2 {
		for n := range 200 {
			for i, conn := range []*psqlSession{a, b} {
				st := statement{fmt.Sprintf("SELECT $1::text || '-%d-%d'", i, n), prepared, []string{fmt.Sprint(turn)}}
				got, err := conn.run(ctx, st)
				if err != nil {
					return err
				}
				if err := differ(st.sql, strings.Join(got, ","), fmt.Sprintf("%d-%d-%d", turn, i, n)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func psqlOneName(ctx context.Context, a, b *psqlSession) error {
	err := errors.Join(a.says(ctx, "PREPARE same AS SELECT 'a' || $1;"), b.says(ctx, "PREPARE same AS SELECT 'b' || $1;"))
	for turn := range 20 {
		execute := fmt.Sprintf("EXECUTE same ('%d');", turn)
		err = errors.Join(err, a.says(ctx, execute, fmt.Sprint("a", turn)), b.says(ctx, execute, fmt.Sprint("b", turn)))
	}
	return err
}

// rowsFrom are lines of n and a text, as COPY takes and gives them.
func rowsFrom(low, high int) string {
	var rows strings.Builder
	for n := low; n < high; n++ {
		fmt.Fprintf(&rows, "%d\trow %d\n", n, n)
	}
	return rows.String()
}

func psqlCopyIn(ctx context.Context, a, _ *psqlSession) error {
	return errors.Join(
		a.says(ctx, "CREATE TABLE copied (n int, t text);"),
		a.says(ctx, "COPY copied FROM STDIN;\n"+rowsFrom(0, 10_000)+`\.`),
		a.says(ctx, "SELECT count(*), sum(n), max(length(t)) FROM copied;", strings.Join([]string{"10000", "49995000", "8"}, psqlField)),
		a.says(ctx, "DROP TABLE copied;"),
	)
}

func psqlCopyOut(ctx context.Context, a, _ *psqlSession) error {
	want := strings.Split(strings.TrimSpace(rowsFrom(0, 10_000)), "\n")
	return errors.Join(
		a.says(ctx, "COPY (SELECT n, 'row ' || n FROM generate_series(0, 9999) AS n) TO STDOUT;", want...),
		a.says(ctx, "SELECT 1;", "1"),
	)
}

func psqlCopyError(ctx context.Context, a, _ *psqlSession) error {
	err := a.says(ctx, "CREATE TABLE half (n int CHECK (n < 5000), t text);")
	for range 3 {
		_, copyErr := a.send(ctx, "COPY half FROM STDIN;\n"+rowsFrom(0, 10_000)+`\.`)
		if e, ok := errors.AsType[*pgconn.PgError](copyErr); ok && e.Code == "23514" { // which psql 15 does not set for an error of COPY, and 18 does
			copyErr = nil
		}
		err = errors.Join(err, copyErr, a.says(ctx, "SELECT count(*) FROM half;", "0"))
	}
	err = errors.Join(err, a.says(ctx, "DROP TABLE half;"), a.close(ctx))
	return errors.Join(err, differ("errors", strings.Count(a.errors.String(), `violates check constraint "half_n_check"`), 3))
}

func psqlCopyTemporary(ctx context.Context, a, b *psqlSession) error {
	var err error
	for _, conn := range []*psqlSession{a, b} {
		err = errors.Join(err, conn.says(ctx, "CREATE TEMP TABLE props (n int, t text);"))
	}
	for range 5 {
		err = errors.Join(err, a.says(ctx, "COPY props FROM STDIN;\n"+rowsFrom(0, 100)+`\.`), b.says(ctx, "COPY props FROM STDIN;\n"+rowsFrom(0, 50)+`\.`))
	}
	return errors.Join(err, a.says(ctx, "SELECT count(*) FROM props;", "500"), b.says(ctx, "SELECT count(*) FROM props;", "250"))
}

// psqlCancel interrupts psql, which cancels, and, as its commands come from a
// pipe, ends.
func psqlCancel(ctx context.Context, a, b *psqlSession) error {
	failed := make(chan error, 1)
	go func() {
		_, err := a.send(ctx, "SELECT pg_sleep(20) AS cancelled;")
		failed <- err
	}()
	running := "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%AS cancelled;' AND datname = current_database() AND pid <> pg_backend_pid();"
	if err := b.becomes(ctx, running, "1"); err != nil {
		return err
	}
	if err := a.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	if err := <-failed; !strings.Contains(orNone(err).Error(), "canceling statement due to user request") {
		return fmt.Errorf("the cancelled query: %w", orNone(err))
	}
	return errors.Join(b.becomes(ctx, running, "0"), b.says(ctx, "SELECT 1;", "1"))
}

// becomes waits until a query has this answer.
func (p *psqlSession) becomes(ctx context.Context, query, answer string) error {
	turn := time.NewTicker(20 * time.Millisecond)
	defer turn.Stop()
	for {
		rows, err := p.send(ctx, query)
		if err != nil || strings.Join(rows, "\n") == answer {
			return err
		}
		<-turn.C
	}
}

func psqlSavepoints(ctx context.Context, a, _ *psqlSession) error {
	err := a.says(ctx, "CREATE TABLE nested (n int);\n\\set ON_ERROR_ROLLBACK on\nBEGIN;\nINSERT INTO nested VALUES (1);")
	for range 3 {
		_, failed := a.send(ctx, "SELECT 1 / 0;")
		err = errors.Join(err, lacks("a division by zero", failed, "22012"))
	}
	return errors.Join(err, a.says(ctx, "INSERT INTO nested VALUES (3);\nCOMMIT;\nSELECT n FROM nested ORDER BY n;", "1", "3"), a.says(ctx, "DROP TABLE nested;"))
}

func psqlCursor(ctx context.Context, a, _ *psqlSession) error {
	rows, err := a.send(ctx, "\\set FETCH_COUNT 7\nSELECT n FROM generate_series(1, 1000) AS n;")
	return errors.Join(err, differ("rows", len(rows), 1000), a.says(ctx, "SELECT 'on' WHERE false;\nSELECT 'goes on';", "goes on"))
}

func psqlLarge(ctx context.Context, a *psqlSession, size int) error {
	rows, err := a.send(ctx, "SELECT length('"+strings.Repeat("x", size)+"');\nSELECT repeat('y', "+fmt.Sprint(size)+");")
	if err != nil {
		return err
	}
	if len(rows) != 2 || rows[0] != fmt.Sprint(size) || rows[1] != strings.Repeat("y", size) {
		return errors.New("it came back changed")
	}
	return nil
}

func psqlLargeObject(ctx context.Context, a, b *psqlSession) error {
	dir, err := os.MkdirTemp("", "poolerd-e2e-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file, copied := filepath.Join(dir, "object"), filepath.Join(dir, "copy")
	content := strings.Repeat("0123456789", 50_000)
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		return err
	}
	if _, err := a.send(ctx, `\lo_import `+file+"\n\\set oid :LASTOID\nSET my.oid = :oid;\n\\lo_export :oid "+copied+"\n\\lo_unlink :oid"); err != nil {
		return err
	}
	got, err := os.ReadFile(copied)
	if err != nil {
		return err
	}
	if string(got) != content {
		return errors.New("it came back changed")
	}
	return errors.Join(
		a.says(ctx, "SELECT count(*) FROM pg_largeobject_metadata WHERE oid = current_setting('my.oid')::oid;", "0"),
		b.says(ctx, "SELECT coalesce(current_setting('my.oid', true), '');", ""),
	)
}

func psqlNotices(ctx context.Context, a, b *psqlSession) error {
	err := errors.Join(
		a.says(ctx, "DO $$ BEGIN RAISE NOTICE 'to a'; RAISE WARNING 'also a'; END $$;"),
		b.says(ctx, "SET client_min_messages = warning;\nDO $$ BEGIN RAISE NOTICE 'never'; RAISE WARNING 'to b'; END $$;"),
	)
	if err != nil {
		return err
	}
	for conn, want := range map[*psqlSession]string{a: "NOTICE:  to a\nWARNING:  also a\n", b: "WARNING:  to b\n"} {
		if err := conn.close(ctx); err != nil {
			return err
		}
		if err := differ("standard error", conn.errors.String(), want); err != nil {
			return err
		}
	}
	return nil
}

func psqlTold(ctx context.Context, a, b *psqlSession) error {
	err := a.says(ctx, "SET client_encoding TO 'LATIN1';\n\\encoding", "LATIN1")
	for range 5 {
		err = errors.Join(err, a.says(ctx, "SELECT octet_length(U&'\\00e9'), U&'\\00e9';", "2"+psqlField+"\xe9"), b.says(ctx, "SELECT U&'\\00e9';\n\\encoding", "é", "UTF8"))
	}
	return errors.Join(err, a.says(ctx, "RESET client_encoding;\n\\encoding", "UTF8"))
}

func psqlDescribe(ctx context.Context, a, _ *psqlSession) error {
	return a.says(ctx, `SELECT 1 AS n, 'x'::text AS t, id FROM kept \gdesc`, "n"+psqlField+"integer", "t"+psqlField+"text", "id"+psqlField+"integer")
}

func psqlResults(ctx context.Context, a, _ *psqlSession) error {
	err := a.says(ctx, `SELECT 1 \; SELECT 2 WHERE false \; SELECT 3;`, "1", "3")
	_, failed := a.send(ctx, `INSERT INTO kept (v) VALUES ('undone') \; SELECT 1 / 0 \; SELECT 3;`)
	return errors.Join(err, lacks("a division by zero", failed, "22012"), a.says(ctx, "SELECT count(*) FROM kept WHERE v = 'undone';", "0"))
}
