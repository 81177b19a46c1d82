package admin

import (
	"context"

	"poolerd/pool"
	"poolerd/wire"
)

func versionColumns() []column { return columnsOf(text, "version") }

// showVersion says no more than PgBouncer does to those who did not ask for poolerd: pgbouncer_fdw takes what is behind the last point for a number.
func showVersion(_ context.Context, c *Console, s *pool.ConsoleSession) (result, *wire.Error) {
	if s.Own {
		return rows([][]any{{Describe(c.version)}})
	}
	return rows([][]any{{Version}})
}
