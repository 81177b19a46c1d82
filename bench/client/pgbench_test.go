package client

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"poolerd/bench/load"
	"poolerd/bench/postgres"
	"poolerd/bench/proc"
	"poolerd/bench/workload"
)

// longVariable makes the comparison with pgbench as long as it takes to be sure.
const longVariable = "POOLERD_BENCH_LONG"

// figures are what one run showed.
type figures struct {
	tps       float64
	generator time.Duration // processor time a transaction
	server    time.Duration
}

// duel is a script that pgbench and this package run in turn.
type duel struct {
	cluster *postgres.Cluster
	file    string
	ours    *workload.Workload
	clients int
	round   time.Duration // whole seconds, since pgbench knows no others
}

func newDuel(t *testing.T, script string, clients int, round time.Duration) *duel {
	t.Helper()
	c := cluster(t)
	if out, err := c.Psql(t.Context(), "fountain", builtin(t, "select-only").Setup); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w, err := workload.FromScript("duel.sql", script)
	if err != nil {
		t.Fatal(err)
	}
	d := &duel{c, filepath.Join(t.TempDir(), "duel.sql"), w, clients, round}
	if err := os.WriteFile(d.file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// byPgbench runs a round by pgbench, with one thread, as it does by default and as a load has.
func (d *duel) byPgbench(t *testing.T) figures {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(d.cluster.BinDir(), "pgbench"), "-n", "-M", "prepared", "-f", d.file,
		"-c", strconv.Itoa(d.clients), "-T", strconv.Itoa(int(d.round.Seconds())), d.cluster.URL("postgres", "fountain"))
	before := d.serverTime(t)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("pgbench: %v: %s", err, out)
	}
	n := number(t, out, `actually processed: (\d+)`)
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return figures{number(t, out, `tps = ([\d.]+)`), used / time.Duration(n), (d.serverTime(t) - before) / time.Duration(n)}
}

func number(t *testing.T, text []byte, pattern string) float64 {
	t.Helper()
	m := regexp.MustCompile(pattern).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in %s", pattern, text)
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// byUs runs a round by this package.
func (d *duel) byUs(t *testing.T) figures {
	t.Helper()
	var before, after time.Duration
	res := run(t, load.Config{
		Clients: d.clients, Duration: d.round, Threads: 1,
		Connect: connecting(t, d.cluster.URL("postgres", "fountain"), d.ours, workload.Prepared, Options{}),
		Opened:  func() { before = d.serverTime(t) }, Closed: func() { after = d.serverTime(t) },
	})
	if len(res.Errors)+len(res.Outside) > 0 || res.Total.Count == 0 {
		t.Fatalf("errors: %v, %v; %d transactions", res.Errors, res.Outside, res.Total.Count)
	}
	n := time.Duration(res.Total.Count)
	return figures{res.Rate(), res.CPU / n, (after - before) / n}
}

func (d *duel) serverTime(t *testing.T) time.Duration {
	t.Helper()
	pid, err := d.cluster.PID()
	if err != nil {
		t.Fatal(err)
	}
	used, err := proc.TreeCPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// outcome are the ratios of our figures to pgbench's, each the median over rounds between its bounds.
type outcome struct{ tps, generator bounds }

type bounds struct{ low, median, high float64 }

// bounded gives the median, and two of the values that have the true one between them with 95% at least, whatever the distribution: by how many of n flips of a coin
// fall on one side. Fewer than 6 values cannot say so much; then they are the extremes.
func bounded(x []float64) bounds {
	x = slices.Sorted(slices.Values(x))
	n := len(x)
	outside, chance := 0, 0.0
	for k := 0; k < n/2; k++ {
		chance += binomial(n, k) / math.Pow(2, float64(n))
		if 2*chance > 0.05 {
			break
		}
		outside = k
	}
	return bounds{x[outside], (x[n/2] + x[(n-1)/2]) / 2, x[n-1-outside]}
}

func binomial(n, k int) float64 {
	b := 1.0
	for i := range k {
		b = b * float64(n-i) / float64(i+1)
	}
	return b
}

// fight runs rounds in turn: so many at least, and further ones until the throughput's ratio is known to within 3%, or until enough says that it does. Where the
// rounds are up, there are enough of them for the bounds to mean something.
func (d *duel) fight(t *testing.T, least, most int, enough func(tps bounds) bool) outcome {
	t.Helper()
	var tps, generator []float64
	var a, b figures
	for i := range most {
		if i%2 == 0 {
			a = d.byUs(t)
			b = d.byPgbench(t)
		} else {
			b = d.byPgbench(t)
			a = d.byUs(t)
		}
		tps = append(tps, a.tps/b.tps)
		generator = append(generator, float64(a.generator)/float64(b.generator))
		t.Logf("%8.0f/s, generator %v, server %v; pgbench %8.0f/s, %v, %v: ratio %.3f", a.tps, a.generator, a.server, b.tps, b.generator, b.server, a.tps/b.tps)
		if c := bounded(tps); i+1 >= least && (c.high-c.low < 0.06*c.median || enough(c)) {
			break
		}
	}
	o := outcome{bounded(tps), bounded(generator)}
	t.Logf("%d clients, %d rounds of %v, ours to pgbench: throughput %.3f (%.3f to %.3f), generator's processor time a transaction %.3f (%.3f to %.3f)",
		d.clients, len(tps), d.round, o.tps.median, o.tps.low, o.tps.high, o.generator.median, o.generator.low, o.generator.high)
	return o
}

const (
	selectOnly = `\set aid random(1, 100000 * :scale)
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
`
	selectThrice = `\set aid random(1, 100000 * :scale)
\set delta random(-5000, 5000)
BEGIN;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
SELECT abalance + :delta FROM pgbench_accounts WHERE aid = :aid;
SELECT tbalance FROM pgbench_tellers WHERE tid = 1 + :aid % 10;
END;
`
	selectSlowly = `\set aid random(1, 100000 * :scale)
SELECT abalance, pg_sleep(0.005) FROM pgbench_accounts WHERE aid = :aid;
`
)

// TestAsPgbench: where the server takes the time, this package counts the transactions that pgbench counts, to within 3%. Where generator and server share the processors
// to the last microsecond, as here with select-only, throughput is what the generator leaves to the server, so a cheaper one sees more: it must not see less.
//
// Other things run on this machine: a ratio is judged by the bounds that its rounds set to it. With POOLERD_BENCH_LONG=1 there are as many rounds as it takes, up to a minute of each load.
func TestAsPgbench(t *testing.T) {
	least, most, round := 3, 8, time.Second
	long := os.Getenv(longVariable) != ""
	if long {
		least, most, round = 7, 15, 2*time.Second
	}
	lowest, highest := 0.97, 1.03
	if raceDetector { // it slows this package alone: then all that can be seen is that both run the script
		least, lowest, highest = 1, 0, math.Inf(1)
	}
	t.Run("the server takes the time", func(t *testing.T) {
		o := newDuel(t, selectSlowly, 8, round).fight(t, least, most, func(tps bounds) bool { return !long && tps.low <= highest && tps.high >= lowest })
		if o.tps.high < lowest || o.tps.low > highest {
			t.Errorf("throughput is %.3f of pgbench's", o.tps.median)
		}
	})
	type shape struct {
		name, script string
		clients      int
	}
	saturated := []shape{{"select-only by 1", selectOnly, 1}, {"select-only by 8", selectOnly, 8}}
	if long {
		saturated = append(saturated, shape{"select-only by 64", selectOnly, 64}, shape{"five statements by 8", selectThrice, 8})
	}
	for _, tt := range saturated {
		t.Run(tt.name, func(t *testing.T) {
			o := newDuel(t, tt.script, tt.clients, round).fight(t, least, most, func(tps bounds) bool { return !long && tps.high >= lowest })
			if o.tps.high < lowest {
				t.Errorf("throughput is %.3f of pgbench's", o.tps.median)
			}
			if o.generator.low > 1.25 && !raceDetector {
				t.Errorf("a transaction costs the generator %.3f of what it costs pgbench", o.generator.median)
			}
		})
	}
}
