package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"poolerd/bench/proc"
)

// measurement is a sample of one second.
func measurement(transactions float64, cpu time.Duration) sample {
	at := time.UnixMilli(0)
	return sample{
		window: window{opened: at, closed: at.Add(time.Second), transactions: transactions, latencySum: 0.001 * transactions},
		cpu:    cpu, resident: 10 << 20,
	}
}

// exampleReport has a cell with a failed transaction and a broken run, a cell
// at one client, and one pooler that did not bear the idle clients.
func exampleReport() report {
	loads := loads()
	broken := measurement(1, time.Hour) // must not count
	broken.fail(errors.New("pgbench: exit status 2"))
	failed := measurement(20000, 600*time.Millisecond)
	failed.failed = 3
	busy := cellResult{
		cell: cell{load: loads[0], clients: 64},
		rounds: map[string]map[int]sample{
			"poolerd":   {0: measurement(20000, 400*time.Millisecond), 1: failed, 2: broken},
			"PgBouncer": {0: measurement(20000, 800*time.Millisecond), 1: measurement(10000, 600*time.Millisecond), 2: measurement(10000, time.Second)},
			"direct":    {0: measurement(30000, 0)},
		},
		syscalls: map[string]syscallCount{"poolerd": {total: 4, byName: map[string]float64{"read": 2, "write": 2}}},
	}
	slow := measurement(1000, 30*time.Millisecond)
	slow.window.latencySum = 0.0013 * slow.window.transactions
	lone := cellResult{
		cell: cell{load: loads[3], clients: 1},
		rounds: map[string]map[int]sample{
			"poolerd": {0: slow},
			"direct":  {0: measurement(1000, 0)},
		},
		trouble: []string{"PgBouncer did not start: no | luck"},
	}
	return report{
		options: options{poolSize: 20, rounds: 3, seconds: 1, jobs: 2, seed: 1, strace: true, idle: 1000},
		machine: "2 cores", load: "0.01", subject: "poolerd", reference: "PgBouncer",
		cells: []cellResult{busy, lone},
		idle: []idleResult{
			{name: "poolerd", before: 10 << 20, loggedIn: 10<<20 + 1_500_000, queried: 10<<20 + 2_000_000},
			{name: "PgBouncer", err: errors.New("client 7 of 1000: refused")},
		},
	}
}

func TestReport(t *testing.T) {
	var b strings.Builder
	if err := exampleReport().write(&b); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/report.md")
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Fatalf("the report is\n%s\nwant testdata/report.md:\n%s", b.String(), want)
	}
}

func TestReportOfPoolerdAlone(t *testing.T) {
	r := report{
		options: options{rounds: 1}, subject: "poolerd", reference: "PgBouncer", alone: true,
		notes: []string{"Not compared: no PgBouncer."},
		cells: []cellResult{{
			cell:   cell{load: loads()[0], clients: 16},
			rounds: map[string]map[int]sample{"poolerd": {0: measurement(1000, time.Second)}, "direct": {0: measurement(2000, 0)}},
		}},
	}
	var b strings.Builder
	if err := r.write(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# poolerd beside PostgreSQL without a pooler", "**Not compared: no PgBouncer.**",
		"| -S extended | 16 | - | 1000.0 (1000.0..1000.0) | - | - | 1000 | - | 2000 | 10 / - | 0 / absent / 0 |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}

func TestTroubled(t *testing.T) {
	sound := func() report {
		return report{cells: []cellResult{{rounds: map[string]map[int]sample{"poolerd": {0: measurement(1, proc.Tick)}}}}}
	}
	if sound().troubled() {
		t.Fatal("a sound report is troubled")
	}
	for name, spoil := range map[string]func(*report){
		"failed transaction": func(r *report) { r.cells[0].rounds["poolerd"][0] = sample{failed: 1} },
		"broken run":         func(r *report) { r.cells[0].rounds["poolerd"][0] = sample{broken: true} },
		"a line of trouble":  func(r *report) { r.cells[0].rounds["poolerd"][0] = sample{trouble: []string{"x"}} },
		"a missing peer":     func(r *report) { r.cells[0].trouble = []string{"x"} },
		"idle clients lost":  func(r *report) { r.idle = []idleResult{{err: errors.New("x")}} },
	} {
		t.Run(name, func(t *testing.T) {
			r := sound()
			spoil(&r)
			if !r.troubled() {
				t.Fatal("not troubled")
			}
		})
	}
}
