package e2e

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestConsoleBehind reaches a console through a database of a pooler, as those do who show one PgBouncer's statistics through another. A console knows no session parameters, so that none may be
// asked of it, whatever the client has.
func TestConsoleBehind(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	far := startPooler(t, options{})
	near := startPooler(t, options{ini: fmt.Sprintf("[databases]\nstats = host=%s port=%d dbname=pgbouncer user=postgres\n", far.host, far.port) +
		"[pgbouncer]\n%LISTEN%\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 1\n"})
	for _, zone := range []string{"UTC", "Asia/Tokyo"} {
		config, err := pgx.ParseConfig(near.url("stats"))
		if err != nil {
			t.Fatal(err)
		}
		config.RuntimeParams = map[string]string{"application_name": "watcher of " + zone, "timezone": zone, "search_path": "x"}
		config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		client, err := pgx.ConnectConfig(within(t, patience), config)
		if err != nil {
			t.Fatal(err)
		}
		defer leave(client)
		for range 2 {
			if rows := show(t, client, "DATABASES"); len(rows) == 0 {
				t.Error("SHOW DATABASES has no rows")
			}
		}
	}
}
