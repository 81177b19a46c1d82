package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

func pgxCopyIn(ctx context.Context, a, _ *pgx.Conn) error {
	if err := execs(ctx, a, "CREATE TABLE copied (n int, t text)"); err != nil {
		return err
	}
	rows := pgx.CopyFromSlice(10_000, func(i int) ([]any, error) { return []any{i, fmt.Sprint("row ", i)}, nil })
	n, err := a.CopyFrom(ctx, pgx.Identifier{"copied"}, []string{"n", "t"}, rows)
	return errors.Join(err, differ("rows", n, 10_000), holds(ctx, a, "49995000", "SELECT sum(n) FROM copied"), execs(ctx, a, "DROP TABLE copied"))
}

func pgxCopyOut(ctx context.Context, a, _ *pgx.Conn) error {
	var out strings.Builder
	_, err := a.PgConn().CopyTo(ctx, &out, "COPY (SELECT n, 'row ' || n FROM generate_series(0, 9999) AS n) TO STDOUT")
	return errors.Join(err, differ("rows", out.String(), rowsFrom(0, 10_000)), holds(ctx, a, "1", "SELECT 1"))
}

var errGivenUp = errors.New("given up")

// brokenPipe gives so many bytes.
type brokenPipe struct {
	left int
	fill string
}

func (b *brokenPipe) Read(p []byte) (int, error) {
	if b.left -= len(b.fill); b.left < 0 {
		return 0, errGivenUp
	}
	return copy(p, b.fill), nil
}

func pgxCopyOutLeft(ctx context.Context, a, _ *pgx.Conn) error {
	return fmt.Errorf("pgx closes the connection then: %w", errUnable)
}

func pgxCopyError(ctx context.Context, a, _ *pgx.Conn) error {
	err := execs(ctx, a, "CREATE TABLE half (n int CHECK (n < 5000))")
	for range 3 {
		_, failed := a.CopyFrom(ctx, pgx.Identifier{"half"}, []string{"n"}, pgx.CopyFromSlice(10_000, func(i int) ([]any, error) { return []any{i}, nil }))
		err = errors.Join(err, lacks("COPY", failed, "23514"), holds(ctx, a, "0", "SELECT count(*) FROM half"))
	}
	return errors.Join(err, execs(ctx, a, "DROP TABLE half"))
}

func pgxCopyFail(ctx context.Context, a, _ *pgx.Conn) error {
	err := execs(ctx, a, "CREATE TABLE half (n int)")
	_, failed := a.PgConn().CopyFrom(ctx, &brokenPipe{100_000, "1\n2\n"}, "COPY half FROM STDIN")
	return errors.Join(err, lacks("COPY", failed, "57014"), holds(ctx, a, "0", "SELECT count(*) FROM half"), execs(ctx, a, "DROP TABLE half"))
}

func pgxCopyTemporary(ctx context.Context, a, b *pgx.Conn) error {
	var err error
	for _, conn := range []*pgx.Conn{a, b} {
		err = errors.Join(err, execs(ctx, conn, "CREATE TEMP TABLE props (n int)"))
	}
	for range 5 {
		for conn, width := range map[*pgx.Conn]int{a: 100, b: 50} {
			_, failed := conn.CopyFrom(ctx, pgx.Identifier{"props"}, []string{"n"}, pgx.CopyFromSlice(width, func(int) ([]any, error) { return []any{7}, nil }))
			err = errors.Join(err, failed)
		}
	}
	return errors.Join(err, holds(ctx, a, "500", "SELECT count(*) FROM props"), holds(ctx, b, "250", "SELECT count(*) FROM props"))
}
