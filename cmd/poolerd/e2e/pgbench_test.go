package e2e

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestPgbench runs pgbench's own scripts with 100 clients on a pool of 20, in
// each of its protocols. Not one transaction may fail, and what they wrote must
// add up.
func TestPgbench(t *testing.T) {
	const (
		clients = 100
		seconds = 3
	)
	pgbench := program(t, "pgbench")
	p := startPooler(t, options{poolSize: 20})
	server := []string{"-h", p.host, "-p", strconv.Itoa(p.port), "-U", p.user}
	run := func(t *testing.T, args ...string) string {
		t.Helper()
		return string(runClient(t, time.Minute, pgbench, append(append(server, args...), "bench")...))
	}
	run(t, "-i", "-q", "-s", "10")

	wrote := 0
	for _, mode := range []string{"simple", "extended", "prepared"} {
		for _, script := range []string{"select-only", "tpcb-like"} {
			t.Run(mode+"/"+script, func(t *testing.T) {
				if mode == "prepared" && script == "tpcb-like" {
					// pgbench waits for each Parse in a thread that has other clients in the middle of their transactions: it ends
					// only where a Parse needs no server of its own.
					needsPreparingAhead(t)
				}
				out := run(t, "-n", "-M", mode, "-c", strconv.Itoa(clients), "-j", "2", "-T", strconv.Itoa(seconds), "-b", script)
				done := figure(t, out, `number of transactions actually processed: (\d+)`)
				if failed := figure(t, out, `number of failed transactions: (\d+)`); failed != 0 || done == 0 {
					t.Errorf("%d transactions, %d failed:\n%s", done, failed, out)
				}
				t.Logf("%d transactions, tps %d", done, figure(t, out, `tps = (\d+)`))
				if script == "tpcb-like" {
					wrote += done
				}
			})
		}
	}
	conn := observer(t, shared, "bench")
	want(t, conn, `SELECT count(*) || ' ' || (sum(delta) = (SELECT sum(abalance) FROM pgbench_accounts)
		AND sum(delta) = (SELECT sum(tbalance) FROM pgbench_tellers) AND sum(delta) = (SELECT sum(bbalance) FROM pgbench_branches))
		FROM pgbench_history`, fmt.Sprintf("%d true", wrote))
}

// figure is the number that a pattern finds in a program's output.
func figure(t *testing.T, out, pattern string) int {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("there is no %q in:\n%s", pattern, out)
	}
	n, err := strconv.Atoi(strings.TrimSpace(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
