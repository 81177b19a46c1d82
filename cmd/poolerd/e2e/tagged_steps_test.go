package e2e

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// taggedStep is one thing that a client of TestTaggedRows does: number n of
// this client, whose tag must be in all that comes back.
type taggedStep struct {
	name string
	do   func(ctx context.Context, conn *pgx.Conn, tag string, n int) error
}

func taggedSteps() []taggedStep {
	return []taggedStep{
		{"simple", stepSimple},
		{"extended", stepExtended},
		{"prepared", stepPrepared},
		{"batch", stepBatch},
		{"pipeline", stepPipeline},
		{"transaction", stepTransaction},
		{"failure", stepFailure},
		{"copy-out", stepCopyOut},
		{"copy-in", stepCopyIn},
		{"session", stepSession},
	}
}

// stepSimple asks two statements in one Query.
func stepSimple(ctx context.Context, conn *pgx.Conn, tag string, n int) error {
	sql := fmt.Sprintf("SELECT '%s'; SELECT '%s/' || i FROM generate_series(1, %d) AS i", tag, tag, n%20)
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return err
	}
	if len(results) != 2 || len(results[0].Rows) != 1 {
		return fmt.Errorf("%w: %d results", errWrong, len(results))
	}
	if err := same("simple", results[0].Rows[0][0], tag); err != nil {
		return err
	}
	return tags("simple", firstColumn(results[1].Rows), tag, n%20)
}

// stepExtended uses the unnamed statement.
func stepExtended(ctx context.Context, conn *pgx.Conn, tag string, n int) error {
	rows := conn.PgConn().ExecParams(ctx, "SELECT $1 || '/' || i FROM generate_series(1, $2::int) AS i",
		[][]byte{[]byte(tag), fmt.Appendf(nil, "%d", n%50)}, []uint32{25, 0}, nil, nil).Read()
	if rows.Err != nil {
		return rows.Err
	}
	return tags("extended", firstColumn(rows.Rows), tag, n%50)
}

// stepPrepared runs statements whose names all clients share, with a text of
// their own behind each.
func stepPrepared(ctx context.Context, conn *pgx.Conn, tag string, n int) error {
	name := fmt.Sprint(n % 3)
	sql := fmt.Sprintf("SELECT '%s/%s/' || $1::text", tag, name)
	if n%7 == 0 {
		if err := conn.Deallocate(ctx, name); err != nil {
			return err
		}
	}
	// Prepare of what is prepared already, and unchanged, says nothing.
	if _, err := conn.Prepare(ctx, name, sql); err != nil {
		return err
	}
	var got string
	if err := conn.QueryRow(ctx, name, fmt.Sprint(n)).Scan(&got); err != nil {
		return err
	}
	return same("prepared", []byte(got), fmt.Sprintf("%s/%s/%d", tag, name, n))
}

// stepBatch sends several statements, prepared by their texts, before one Sync.
func stepBatch(ctx context.Context, conn *pgx.Conn, tag string, n int) error {
	batch := &pgx.Batch{}
	const size = 5
	for i := range size {
		batch.Queue(fmt.Sprintf("SELECT $1 || '/%d'", i), tag)
	}
	results := conn.SendBatch(ctx, batch)
	for i := range size {
		var got string
		if err := results.QueryRow().Scan(&got); err != nil {
			_ = results.Close()
			return err
		}
		if err := same("batch", []byte(got), fmt.Sprintf("%s/%d", tag, i)); err != nil {
			_ = results.Close()
			return err
		}
	}
	return results.Close()
}

// stepPipeline sends several transactions before it reads a reply.
func stepPipeline(ctx context.Context, conn *pgx.Conn, tag string, n int) error {
	pipeline := conn.PgConn().StartPipeline(ctx)
	const size = 4
	for i := range size {
		pipeline.SendQueryParams("SELECT $1::text", [][]byte{fmt.Appendf(nil, "%s/%d", tag, i)}, nil, nil, nil)
		if err := pipeline.Sync(); err != nil {
			_ = pipeline.Close()
			return err
		}
	}
	for i := range size {
		if err := pipelineResult(pipeline, fmt.Sprintf("%s/%d", tag, i)); err != nil {
			_ = pipeline.Close()
			return err
		}
	}
	return pipeline.Close()
}

func pipelineResult(pipeline *pgconn.Pipeline, tag string) error {
	next, err := pipeline.GetResults()
	if err != nil {
		return err
	}
	reader, ok := next.(*pgconn.ResultReader)
	if !ok {
		return fmt.Errorf("%w: pipeline gave %T", errWrong, next)
	}
	result := reader.Read()
	if result.Err != nil {
		return result.Err
	}
	if len(result.Rows) != 1 {
		return fmt.Errorf("%w: pipeline gave %d rows", errWrong, len(result.Rows))
	}
	if err := same("pipeline", result.Rows[0][0], tag); err != nil {
		return err
	}
	next, err = pipeline.GetResults()
	if err != nil {
		return err
	}
	if _, ok := next.(*pgconn.PipelineSync); !ok {
		return fmt.Errorf("%w: pipeline gave %T, want the end of a transaction", errWrong, next)
	}
	return nil
}

// stepTransaction writes, sees what it wrote, and takes it back.
func stepTransaction(ctx context.Context, conn *pgx.Conn, tag string, n int) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO tagged SELECT $1, i FROM generate_series(1, 3) AS i", tag); err != nil {
		return err
	}
	var count int
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM tagged WHERE tag = $1", tag).Scan(&count); err != nil {
		return err
	}
	if count != 3 {
		return fmt.Errorf("%w: the transaction sees %d of its 3 rows", errWrong, count)
	}
	if err := tx.Rollback(ctx); err != nil {
		return err
	}
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM tagged").Scan(&count); err != nil {
		return err
	}
	if count != 0 {
		return fmt.Errorf("%w: %d rows stay after ROLLBACK", errWrong, count)
	}
	return nil
}

// stepFailure makes an error of its own in a transaction.
func stepFailure(ctx context.Context, conn *pgx.Conn, tag string, n int) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "SELECT pg_catalog.set_config('tagged.no', $1, true), $1::text::integer", tag)
	if sqlState(err) != "22P02" {
		if err == nil {
			return fmt.Errorf("%w: %q is an integer", errWrong, tag)
		}
		return err
	}
	if !strings.Contains(err.Error(), `"`+tag+`"`) {
		return fmt.Errorf("%w: another's error: %w", errWrong, err)
	}
	return tx.Rollback(ctx)
}

func stepCopyOut(ctx context.Context, conn *pgx.Conn, tag string, n int) error {
	var out bytes.Buffer
	sql := fmt.Sprintf("COPY (SELECT '%s/' || i || repeat('.', 100) FROM generate_series(1, 300) AS i) TO STDOUT", tag)
	if _, err := conn.PgConn().CopyTo(ctx, &out, sql); err != nil {
		return err
	}
	return tags("copy-out", strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n"), tag, 300)
}

// stepCopyIn writes by COPY into a transaction that is taken back.
func stepCopyIn(ctx context.Context, conn *pgx.Conn, tag string, n int) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	rows := strings.NewReader(strings.Repeat(tag+"\t1\n", 200))
	if _, err := conn.PgConn().CopyFrom(ctx, rows, "COPY tagged FROM STDIN"); err != nil {
		return err
	}
	var mine, all int
	if err := tx.QueryRow(ctx, "SELECT count(*) FILTER (WHERE tag = $1), count(*) FROM tagged", tag).Scan(&mine, &all); err != nil {
		return err
	}
	if mine != 200 || all != 200 {
		return fmt.Errorf("%w: after COPY there are %d rows, %d of them of this client, want 200", errWrong, all, mine)
	}
	return tx.Rollback(ctx)
}

// stepSession looks at what belongs to this client's session.
func stepSession(ctx context.Context, conn *pgx.Conn, tag string, n int) error {
	names := []string{"application_name"}
	if keepsSessions() {
		names = append(names, "tagged.simple", "tagged.extended")
	}
	for _, name := range names {
		got, err := ask(ctx, conn, "SELECT current_setting('"+name+"', true)")
		if err != nil {
			return err
		}
		if err := same(name, []byte(got), tag); err != nil {
			return err
		}
	}
	return nil
}

func firstColumn(rows [][][]byte) []string {
	values := make([]string, len(rows))
	for i, row := range rows {
		values[i] = string(row[0])
	}
	return values
}
