package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Psql runs SQL, one or more statements, as the superuser, and returns what
// `psql -At` would print for the rows: fields divided by "|", NULL as nothing,
// each row ending in a line feed. As in a simple query, all statements are one
// transaction unless the text says otherwise. The error holds the SQLSTATE.
func (c *Cluster) Psql(ctx context.Context, database, sql string) (string, error) {
	conn, err := pgconn.Connect(ctx, c.URL(superuser, database))
	if err != nil {
		return "", c.explain(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return "", fmt.Errorf("database %s: %w", database, err)
	}
	var b strings.Builder
	for _, result := range results {
		for _, row := range result.Rows {
			for i, field := range row {
				if i > 0 {
					b.WriteByte('|')
				}
				b.Write(field)
			}
			b.WriteByte('\n')
		}
	}
	return b.String(), nil
}
