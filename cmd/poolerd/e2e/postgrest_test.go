package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestPostgRESTPattern runs 50,000 requests of PostgREST's kind by a real libpq:
// 200 clients on a pool of 10. See testdata/postgrest.py for what is checked.
func TestPostgRESTPattern(t *testing.T) {
	const (
		clients  = 200
		requests = 50_000
		limit    = 90 * time.Second
		poolSize = 10
	)
	p := startPooler(t, options{user: "authenticator", poolSize: poolSize})
	most := watchServers(t, "authenticator")

	args := []string{
		"--conninfo", fmt.Sprintf("host=%s port=%d user=authenticator dbname=fountain sslmode=disable", p.host, p.port),
		"--clients", strconv.Itoa(clients), "--requests", strconv.Itoa(requests), "--limit", fmt.Sprint(limit.Seconds()),
	}
	if !keepsSessions() {
		args = append(args, "--leaks")
	}
	var got struct {
		Requests, Errors, Conflicts, Kept int
		Seconds                           float64
		MostAtATime                       int `json:"most_at_a_time"`
	}
	out := runPython(t, limit+patience, "postgrest.py", args...)
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)
	if got.Requests != requests || got.Errors != 0 {
		t.Errorf("%d requests with %d errors, want %d with none", got.Requests, got.Errors, requests)
	}
	if got.MostAtATime != clients {
		t.Errorf("at most %d requests at a time, want %d", got.MostAtATime, clients)
	}
	if got.Conflicts == 0 || got.Kept == 0 {
		t.Errorf("%d conflicts, %d rows kept: the mix is not what it should be", got.Conflicts, got.Kept)
	}
	servers := most()
	t.Logf("at most %d servers", servers)
	if under.kind != direct && (servers < 1 || servers > poolSize) {
		t.Errorf("at most %d servers at a time, want 1 to %d", servers, poolSize)
	}

	direct := observer(t, shared, "fountain")
	want(t, direct, "WITH gone AS (DELETE FROM api.playwright WHERE id >= 1000000 RETURNING 1) SELECT count(*) FROM gone", strconv.Itoa(got.Kept))
}

// watchServers counts a role's servers again and again until the function that
// it returns is called, which gives the highest count.
func watchServers(t *testing.T, role string) func() int {
	t.Helper()
	conn := observer(t, shared, "postgres")
	stop, most := make(chan struct{}), 0
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			n, err := countServers(t, conn, role)
			if err != nil {
				t.Error(err)
				return
			}
			most = max(most, n)
		}
	})
	end := sync.OnceFunc(func() {
		close(stop)
		watch.Wait()
	})
	t.Cleanup(end)
	return func() int {
		end()
		return most
	}
}

func countServers(t *testing.T, conn *pgx.Conn, role string) (n int, err error) {
	err = conn.QueryRow(within(t, patience), "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND backend_type = 'client backend'", role).Scan(&n)
	return n, err
}
