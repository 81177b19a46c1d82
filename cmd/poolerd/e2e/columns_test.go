package e2e

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestConsoleByBothNames: programs that count the columns of PgBouncer 1.25 read the database pgbouncer (CloudNativePG's metrics, pgmetrics and pgbouncer_fdw do, and
// take nothing else); our own columns are in the database poolerd.
func TestConsoleByBothNames(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	p := startPooler(t, options{ini: loadedIni(5)})
	for database, counts := range map[string]map[string]int{
		"pgbouncer": {"POOLS": 17, "CLIENTS": 21, "SERVERS": 21},
		"poolerd":   {"POOLS": 20, "CLIENTS": 22, "SERVERS": 22},
	} {
		console, err := pgx.Connect(within(t, patience), fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=disable&default_query_exec_mode=simple_protocol", p.user, p.host, p.port, database))
		if err != nil {
			t.Fatal(err)
		}
		for what, count := range counts {
			rows, err := console.Query(within(t, patience), "SHOW "+what)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(rows.FieldDescriptions()); n != count {
				t.Errorf("SHOW %s in database %s has %d columns, want %d", what, database, n, count)
			}
			rows.Close()
		}
		leave(console)
	}
}
