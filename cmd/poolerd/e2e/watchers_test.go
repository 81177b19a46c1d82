package e2e

import (
	"fmt"
	"os"
	"regexp"
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

// TestFailedLoginsAreBanned: whoever guesses passwords is in the log by a line that the filters of fail2ban in use for PgBouncer find, once a guess.
func TestFailedLoginsAreBanned(t *testing.T) {
	t.Parallel()
	for method, filter := range map[string]string{
		"scram-sha-256": `(?m)^.+@127\.0\.0\.1:.+password authentication failed$`,
		"plain":         `(?m)^.+@127\.0\.0\.1:.+error: password authentication failed$`,
		"md5":           `(?m)^.+@127\.0\.0\.1:.+error: password authentication failed$`,
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			d := newDropIn(t, "auth_type = "+method, "auth_file = "+userlist(t, "postgres", "right"))
			d.start(t, "-q")
			for _, user := range []string{"postgres", "nobody"} {
				conn, err := pgx.Connect(within(t, patience), fmt.Sprintf("postgres://%s:wrong@127.0.0.1:%d/fountain?sslmode=disable", user, d.port))
				if err == nil {
					leave(conn)
					t.Fatalf("%s came in with a wrong password", user)
				}
			}
			text, err := os.ReadFile(d.logFile)
			if err != nil {
				t.Fatal(err)
			}
			if lines := regexp.MustCompile(filter).FindAll(text, -1); len(lines) != 2 {
				t.Errorf("fail2ban finds %q in\n%s", lines, text)
			}
		})
	}
}
