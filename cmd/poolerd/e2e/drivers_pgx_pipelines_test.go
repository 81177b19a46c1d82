package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func pgxPipeline(ctx context.Context, a, _ *pgx.Conn) error {
	p := a.PgConn().StartPipeline(ctx)
	for n := range 300 {
		p.SendQueryParams("SELECT $1::text", [][]byte{[]byte(fmt.Sprint(n))}, nil, nil, nil)
		if n%100 == 50 {
			p.SendPipelineSync()
		}
	}
	if err := p.Sync(); err != nil {
		return err
	}
	for n := 0; ; {
		result, err := p.GetResults()
		if err != nil {
			return err
		}
		switch result := result.(type) {
		case nil:
			return errors.Join(differ("results", n, 300), p.Close(), holds(ctx, a, "1", "SELECT 1"))
		case *pgconn.ResultReader:
			read := result.Read()
			if read.Err != nil || string(read.Rows[0][0]) != fmt.Sprint(n) {
				return fmt.Errorf("result %d: %q, %w", n, read.Rows, orNone(read.Err))
			}
			n++
		}
		if n == 300 {
			return errors.Join(p.Close(), holds(ctx, a, "1", "SELECT 1"))
		}
	}
}

// pgxPipelineError prepares in a pipeline, too; what comes after the error is
// skipped up to the Sync.
func pgxPipelineError(ctx context.Context, a, _ *pgx.Conn) error {
	err := execs(ctx, a, "CREATE TABLE piped (n int)")
	for turn := range 3 {
		p := a.PgConn().StartPipeline(ctx)
		p.SendPrepare("before", "INSERT INTO piped VALUES ($1::int)", nil)
		p.SendQueryPrepared("before", [][]byte{[]byte("1")}, nil, nil)
		p.SendPipelineSync()
		p.SendQueryPrepared("before", [][]byte{[]byte("2")}, nil, nil)
		p.SendQueryParams("SELECT 1 / $1::int", [][]byte{[]byte("0")}, nil, nil, nil)
		p.SendPrepare("after", "SELECT 'never'", nil)
		p.SendQueryPrepared("before", [][]byte{[]byte("3")}, nil, nil)
		p.SendPipelineSync()
		p.SendDeallocate("before")
		if syncErr := p.Sync(); syncErr != nil {
			return syncErr
		}
		var states []string
		for {
			result, failed := p.GetResults()
			if failed != nil {
				states = append(states, sqlState(failed))
				if sqlState(failed) == "" {
					return failed
				}
				continue
			}
			if reader, ok := result.(*pgconn.ResultReader); ok {
				if failed := reader.Read().Err; failed != nil {
					states = append(states, sqlState(failed))
				}
			}
			if result == nil {
				break
			}
		}
		closed := p.Close()
		if sqlState(closed) != "" {
			closed = nil // told a second time
		}
		err = errors.Join(err, closed, differ("errors", strings.Join(slices.Compact(states), ","), "22012"), holds(ctx, a, strings.Repeat("1,", turn)+"1", "SELECT n FROM piped"))
		_, failed := a.PgConn().ExecPrepared(ctx, "after", nil, nil, nil).Close()
		err = errors.Join(err, lacks("a statement that was skipped", failed, "26000"))
	}
	return errors.Join(err, execs(ctx, a, "DROP TABLE piped"))
}

func pgxBatch(ctx context.Context, a, _ *pgx.Conn) error {
	if err := execs(ctx, a, "CREATE TABLE batched (n int)"); err != nil {
		return err
	}
	for range 2 {
		batch := &pgx.Batch{}
		for n := range 500 {
			batch.Queue("INSERT INTO batched VALUES ($1) RETURNING n", n).QueryRow(func(row pgx.Row) error {
				var got int
				return errors.Join(row.Scan(&got), differ("RETURNING", got, n))
			})
		}
		if err := a.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
	}
	return errors.Join(holds(ctx, a, "1000", "SELECT count(*) FROM batched"), execs(ctx, a, "DROP TABLE batched"))
}

func pgxBatchError(ctx context.Context, a, _ *pgx.Conn) error {
	err := execs(ctx, a, "CREATE TABLE batched (n int PRIMARY KEY)")
	for range 3 {
		batch := &pgx.Batch{}
		for n := range 100 {
			batch.Queue("INSERT INTO batched VALUES ($1)", n%50)
		}
		batch.Queue("SELECT 'never prepared'")
		err = errors.Join(err, lacks("the batch", a.SendBatch(ctx, batch).Close(), "23505"), holds(ctx, a, "0", "SELECT count(*) FROM batched"))
	}
	return errors.Join(err, execs(ctx, a, "DROP TABLE batched"))
}
