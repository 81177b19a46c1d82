package workload_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"poolerd/bench/workload"
	"poolerd/wire"
)

// Every built-in workload in every protocol against a real server: nothing but what is expected goes wrong, and nothing stays open.
func TestBuiltinsOnServer(t *testing.T) {
	for _, w := range workload.Builtins() {
		if w.Setup == "" {
			continue
		}
		for range 2 { // it may run again
			if _, err := workload.Server(t).Psql(t.Context(), "fountain", w.Setup); err != nil {
				t.Fatalf("%s: %v", w.Name, err)
			}
		}
	}
	for _, w := range workload.Builtins() {
		for _, p := range []workload.Protocol{workload.Prepared, workload.Unprepared, workload.Simple} {
			t.Run(w.Name+"/"+p.String(), func(t *testing.T) {
				if err := w.Check(p); err != nil {
					t.Fatal(err)
				}
				s := w.NewSession(3, 1, p, nil)
				runs := 25
				if w.Name == "reload-storm" {
					runs = 2
				}
				var d *driver
				for range runs {
					tx := s.Begin()
					if d == nil || tx.Connect {
						d = dial(t, w.Role)
						s.Disconnected()
					}
					before := len(d.texts)
					if status := d.transaction(t, s); status != 'I' {
						t.Fatalf("%s leaves the status %c: %v", tx.Name, status, d.texts)
					}
					for _, text := range d.texts[before:] {
						if !slices.Contains(tx.Expect, text[:5]) {
							t.Fatalf("%s: %s", tx.Name, text)
						}
					}
					if err := s.Err(); err != nil {
						t.Fatal(err)
					}
					if tx.Connect {
						d.close(t)
					}
				}
			})
		}
	}
}

// play runs a built-in workload n times and gives its driver.
func play(t *testing.T, name string, p workload.Protocol, n int) *driver {
	t.Helper()
	w, err := workload.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	if w.Setup != "" {
		if _, err := workload.Server(t).Psql(t.Context(), "fountain", w.Setup); err != nil {
			t.Fatal(err)
		}
	}
	s := w.NewSession(0, 1, p, nil)
	d := dial(t, w.Role)
	for range n {
		s.Begin()
		d.transaction(t, s)
	}
	return d
}

// ask gives the superuser's answer.
func ask(t *testing.T, sql string) string {
	t.Helper()
	out, err := workload.Server(t).Psql(t.Context(), "fountain", sql)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out, "\n")
}

// Writes write, outside what is read, and what must leave nothing leaves nothing.
func TestEffects(t *testing.T) {
	const lines = "SELECT count(*) FILTER (WHERE scene_id <= 432), count(*) FILTER (WHERE scene_id > 432) FROM api.dialogue"
	const untouched = 4320
	written := func(play func()) int {
		t.Helper()
		count := func() int {
			var read, written int
			if _, err := fmt.Sscanf(ask(t, lines), "%d|%d", &read, &written); err != nil || read != untouched {
				t.Fatalf("%d lines are read, want %d: %v", read, untouched, err)
			}
			return written
		}
		before := count()
		play()
		return count() - before
	}

	const n = 400
	var d *driver
	added := written(func() { d = play(t, "post", workload.Prepared, n) })
	if twice := len(d.texts); twice == 0 || twice > n/15 || added != n-twice {
		t.Errorf("post: %d of %d were there, and %d came", twice, n, added)
	}
	if added := written(func() { play(t, "prereq-rollback", workload.Prepared, 30) }); added != 0 {
		t.Errorf("prereq-rollback leaves %d lines", added)
	}
	if added := written(func() { play(t, "patch", workload.Simple, 30) }); added != 0 {
		t.Errorf("patch adds %d lines", added)
	}
	if got := ask(t, "SELECT count(*) > 10 FROM api.dialogue WHERE line LIKE 'Patched by the bench, take %'"); got != "t" {
		t.Error("patch changes nothing")
	}
	if added := written(func() { play(t, "rpc", workload.Unprepared, 70) }); added < 8 || added > 35 {
		t.Errorf("rpc: %d of 70 calls add a cue, want 2 in 7", added)
	}

	play(t, "tpcb", workload.Simple, 1) // makes the tables, if it is the first
	const balances = "SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches)"
	before := ask(t, balances)
	play(t, "tpcb", workload.Prepared, 50) // empties the history
	if got := ask(t, "SELECT count(*) FROM pgbench_history"); got != "50" {
		t.Errorf("tpcb leaves %s transactions in the history, want 50", got)
	}
	after, moved := ask(t, balances), ask(t, "SELECT sum(delta) FROM pgbench_history")
	for i, name := range []string{"accounts", "tellers", "branches"} {
		if got := number(t, strings.Split(after, "|")[i]) - number(t, strings.Split(before, "|")[i]); got != number(t, moved) {
			t.Errorf("tpcb: %s grew by %d, the history by %s", name, got, moved)
		}
	}

	d = play(t, "copy", workload.Prepared, 3)
	if got := d.received[wire.ServerCopyData]; got != 3000 {
		t.Errorf("copy brings %d rows, want 3 times 1,000", got)
	}
	if got := ask(t, "SELECT count(*) FROM poolerd_bench.copy_in"); got != "0" {
		t.Errorf("copy leaves %s rows", got)
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What the requests look for is there, and not everywhere.
func TestReadsFind(t *testing.T) {
	for _, sql := range []string{
		`SELECT min(n) > 50 AND max(n) <= 4320 FROM (SELECT count(*) AS n FROM unnest('{%e%,%the%,%any%,%never%,%mirror%,%lantern%}'::text[]) AS pattern,
			api.dialogue WHERE line ILIKE pattern AND scene_id <= 432 GROUP BY pattern) AS found`,
		`SELECT count(*) = 6 AND min(n) > 1 FROM (SELECT count(*) AS n FROM unnest('{mirror,silver lantern,carry,golden,harvest,messenger}'::text[]) AS q,
			api.search_lines(q) GROUP BY q) AS found`,
		`SELECT count(*) = 0 FROM api.search_lines('absent')`,
	} {
		if got := ask(t, sql); got != "t" {
			t.Errorf("%s: %s", sql, got)
		}
	}
}
