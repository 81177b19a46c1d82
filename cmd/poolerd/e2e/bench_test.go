package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"poolerd/bench/report"
	"poolerd/bench/report/browsertest"
	"poolerd/bench/web/webtest"
)

// shortBench are flags of a bench of a few seconds.
var shortBench = []string{"bench", "--rounds", "1", "--warmup", "200ms", "--duration", "600ms", "--clients", "8,16"}

// benchOf runs poolerd with args, and returns what it printed and its exit code.
func benchOf(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(within(t, 2*time.Minute), binaryOfBench(t), args...)
	var out, bad strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &bad
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), bad.String(), cmd.ProcessState.ExitCode()
}

// binaryOfBench is the poolerd under test.
func binaryOfBench(t *testing.T) string {
	t.Helper()
	needsPoolerd(t)
	return under.binary
}

// TestBench is what a new user sees: nothing is set up, and there is a recommendation, with a report that a browser draws without a network.
func TestBench(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	stdout, stderr, code := benchOf(t, append(shortBench, "--pool-sizes", "1,2,4,8", "--out", dir)...)
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{"pool_size ", "requests/s", "p99", filepath.Join(dir, "report.html")} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in what it printed:\n%s", want, stdout)
		}
	}
	results, err := report.ReadFiles(filepath.Join(dir, "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(results.Runs) != 8 || results.Recommendation == nil || results.Recommendation.PoolSize == 0 || results.Model == nil || len(results.Advice) == 0 {
		t.Errorf("results.jsonl holds %d runs, recommendation %+v, model %v, %d findings", len(results.Runs), results.Recommendation, results.Model != nil, len(results.Advice))
	}
	names := map[string]bool{} // a run of few transactions may lack the rare ones
	for _, run := range results.Runs {
		for name := range run.ByName {
			names[name] = true
		}
		if run.Pooler == nil || run.Server == nil || run.Generator == nil || run.QueueUS == nil || run.Latency.P9999 == 0 || len(run.ByName) == 0 {
			t.Errorf("pool size %d, %d clients: a meter is missing: %+v", run.PoolSize, run.Clients, run)
		}
		for code, failure := range run.Errors {
			if !failure.Expected {
				t.Errorf("pool size %d, %d clients: %d times %s: %s", run.PoolSize, run.Clients, failure.Count, code, failure.Text)
			}
		}
	}

	if len(names) != 8 {
		t.Errorf("transactions of %v", names)
	}
	page := browsertest.Open(t, filepath.Join(dir, "report.html"))
	for _, problem := range page.Problems() {
		t.Errorf("in the browser: %s", problem)
	}
	plots := page.Plots()
	if len(plots) < 6 {
		t.Errorf("%d plots are drawn, and at least throughput, latency (twice each), distribution, processor time and wait were expected", len(plots))
	}
	picture := filepath.Join(dir, "report.png")
	page.Screenshot(picture)
	if info, err := os.Stat(picture); err != nil || info.Size() < 20_000 {
		t.Errorf("the picture of the report: %v, %v", info, err)
	}
}

// TestBenchBadInput: what cannot be measured is refused in words that name it and the way out, before anything is started, and leaves nothing behind.
func TestBenchBadInput(t *testing.T) {
	t.Parallel()
	good := shared.URL("postgres", "bench")
	for _, tc := range []struct {
		name string
		args []string
		want []string
		code int
	}{
		{"nobody there", []string{"--target", "a=postgres://x@127.0.0.1:1/x"}, []string{"target a", "connection refused", "nothing listens there"}, 1},
		{"no such role", []string{"--target", "a=" + strings.Replace(good, "postgres@", "nobody:hush@", 1)}, []string{"target a", `role "nobody" does not exist`, "look at the user"}, 1},
		{"no such database", []string{"--target", "a=" + strings.Replace(good, "/bench", "/nowhere", 1)}, []string{`database "nowhere" does not exist`, "look at the database in its URL"}, 1},
		{"no sample", []string{"--upstream", good}, []string{"workload postgrest needs the sample", "--script FILE", "configs/fountain.sql"}, 1},
		{"twice the same name", []string{"--target", "a=" + good, "--target", "a=" + good}, []string{"--target a is given twice"}, 2},
		{"no such workload", []string{"--workload", "selct1"}, []string{`"selct1"`, `did you mean "select1"`}, 2},
		{"no number", []string{"--clients", "8,many"}, []string{`"many" is not a whole number`, "--clients 4,8,16"}, 2},
		{"no such limit", []string{"--slo", "p99"}, []string{"p99=20ms"}, 2},
		{"a latency that cannot be put there", []string{"--target", "a=" + good, "--server-latency", "1ms"}, []string{"--server-latency 1ms", "leave --target out"}, 2},
		{"no such target", []string{"--target", "a=" + good, "--pid", "b=1"}, []string{"--pid b=1", "no --target has that name"}, 2},
		{"no such process", []string{"--target", "a=" + good, "--pid", "a=999999999"}, []string{"--pid a=999999999"}, 1},
		{"too many descriptors", []string{"--target", "a=" + good, "--clients", "100000", "--workload", "listen-fanout"}, []string{"descriptors", "ulimit"}, 1},
		{"no such script", []string{"--script", "/nowhere/x.sql"}, []string{"/nowhere/x.sql"}, 2},
		{"no such command", []string{"everything"}, []string{`"everything"`, "plan, report, compare or replay"}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "out")
			args := append([]string{"bench", "--out", dir, "--duration", "300ms", "--rounds", "1"}, tc.args...)
			stdout, stderr, code := benchOf(t, args...)
			for _, want := range tc.want {
				if !strings.Contains(stdout+stderr, want) {
					t.Errorf("%q is not in what it says:\n%s%s", want, stdout, stderr)
				}
			}
			if strings.Contains(stdout+stderr, "hush") {
				t.Errorf("a password is in what it says:\n%s%s", stdout, stderr)
			}
			if code != tc.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, tc.code, stdout, stderr)
			}
		})
	}
}

// TestBenchInterrupted: Ctrl-C ends the measuring, not the report.
func TestBenchInterrupted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	cmd := exec.CommandContext(within(t, 2*time.Minute), binaryOfBench(t), "bench", "--target", "direct="+shared.URL("postgres", "bench"),
		"--workload", "select1", "--clients", "2", "--rounds", "50", "--warmup", "50ms", "--duration", "300ms", "--no-advice", "--out", dir)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitRuns(t, filepath.Join(dir, "results.jsonl"), 3)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("exit code %d\n%s%s", code, stdout.String(), stderr.String())
	}
	results, err := report.ReadFiles(filepath.Join(dir, "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(results.Runs) < 3 || len(results.Runs) >= 50 {
		t.Errorf("%d runs are kept", len(results.Runs))
	}
	for _, name := range []string{"report.html", "results.csv"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// awaitRuns waits until results hold so many runs.
func awaitRuns(t *testing.T, path string, wanted int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if runsIn(path) >= wanted {
			return
		}
	}
	t.Fatalf("%s does not hold %d runs after a minute", path, wanted)
}

func runsIn(path string) (n int) {
	file, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var record struct{ Kind string }
		if json.Unmarshal(lines.Bytes(), &record) == nil && record.Kind == "run" {
			n++
		}
	}
	return n
}

// TestBenchTargetThatDies: a target that goes away in mid-run is counted, and what was measured before is kept.
func TestBenchTargetThatDies(t *testing.T) {
	p := startPooler(t, options{})
	dir := filepath.Join(t.TempDir(), "out")
	cmd := exec.CommandContext(within(t, 2*time.Minute), binaryOfBench(t), "bench",
		"--target", "direct="+shared.URL("postgres", "bench"), "--target", fmt.Sprintf("dying=%s", p.url("bench")),
		"--workload", "select1", "--clients", "2", "--rounds", "6", "--warmup", "50ms", "--duration", "300ms", "--no-advice", "--out", dir)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitRuns(t, filepath.Join(dir, "results.jsonl"), 4)
	p.signal(t, syscall.SIGKILL)
	_ = cmd.Wait()
	results, err := report.ReadFiles(filepath.Join(dir, "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	good, failed := 0, 0
	for _, run := range results.Runs {
		switch {
		case run.Target == "direct" && run.Transactions > 0 && len(run.Errors) == 0:
			good++
		case run.Target == "dying" && len(run.Errors) > 0:
			failed++
		}
	}
	if len(results.Runs) != 12 || good != 6 || failed == 0 {
		t.Errorf("%d runs, %d of the target that lives are whole, %d of the other say what happened\n%s", len(results.Runs), good, failed, out.String())
	}
}

// TestBenchHTTP drives an HTTP server that makes PostgREST's transactions through poolerd: a stand-in, since PostgREST itself is seldom installed where tests run.
func TestBenchHTTP(t *testing.T) {
	p := startPooler(t, options{user: "authenticator", poolSize: 4})
	const secret = "a secret of thirty-two bytes, at least"
	server, err := webtest.Start(webtest.Options{Database: p.url("fountain"), Pool: 20, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(t.TempDir(), "out")
	stdout, stderr, code := benchOf(t, "bench", "--http", server.URL(), "--http-secret", secret, "--clients", "4,8", "--rounds", "1", "--warmup", "100ms", "--duration", "500ms", "--out", dir)
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	results, err := report.ReadFiles(filepath.Join(dir, "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range results.Runs {
		if run.Transactions == 0 || run.Protocol != "http" || run.ByName["post"].Count == 0 {
			t.Errorf("%d clients: %d requests, %d of them POST", run.Clients, run.Transactions, run.ByName["post"].Count)
		}
		for code, failure := range run.Errors {
			if !failure.Expected {
				t.Errorf("%d clients: %d times %s: %s", run.Clients, failure.Count, code, failure.Text)
			}
		}
	}
	if strings.Contains(results.Header.Command, secret) || !strings.Contains(results.Header.Command, "--http-secret xxxxx") {
		t.Errorf("the report's command line is %s", results.Header.Command)
	}
}

// TestBenchReplay records traffic through poolerd, and plays it again.
func TestBenchReplay(t *testing.T) {
	recording := filepath.Join(t.TempDir(), "traffic.rec")
	p := startPooler(t, options{settings: map[string]string{"record": recording, "record_parameters": "kept"}})
	ctx := within(t, time.Minute)
	conn, err := pgx.Connect(ctx, p.url("fountain"))
	if err != nil {
		t.Fatal(err)
	}
	const asked = 25
	for i := range asked {
		var name string
		if err := conn.QueryRow(ctx, "SELECT name FROM api.playwright WHERE id = $1", i%20+1).Scan(&name); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(ctx); err != nil {
		t.Fatal(err)
	}
	p.stop(t)
	dir := filepath.Join(t.TempDir(), "out")
	stdout, stderr, code := benchOf(t, "bench", "replay", "--target", shared.URL("postgres", "fountain"), "--speed", "0", "--out", dir, recording)
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	results, err := report.ReadFiles(filepath.Join(dir, "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(results.Runs) != 1 || results.Runs[0].Transactions < asked || len(results.Runs[0].Errors) > 0 {
		t.Errorf("%+v\n%s", results.Runs, stdout)
	}
	if _, bad, code := benchOf(t, "bench", "replay", "--target", shared.URL("postgres", "fountain"), "--out", dir+"2", os.Args[0]); code != 1 || !strings.Contains(bad, "recording") {
		t.Errorf("a file that is no recording: exit code %d, %s", code, bad)
	}
}

// TestBenchAfterwards: reports are rendered again, compared, and planned with, without a server.
func TestBenchAfterwards(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	if stdout, stderr, code := benchOf(t, append(shortBench, "--pool-sizes", "1,2,4,8,16", "--no-advice", "--out", dir)...); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if err := os.Remove(filepath.Join(dir, "report.html")); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, code := benchOf(t, "bench", "report", dir); code != 0 || !strings.Contains(stdout, "pool_size ") {
		t.Errorf("report: exit code %d\n%s%s", code, stdout, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "report.html")); err != nil {
		t.Error(err)
	}
	if stdout, stderr, code := benchOf(t, "bench", "compare", dir, dir); code != 0 || !strings.Contains(stdout, "no difference beyond the noise") {
		t.Errorf("compare with itself: exit code %d\n%s%s", code, stdout, stderr)
	}
	slower := slowed(t, dir)
	if stdout, stderr, code := benchOf(t, "bench", "compare", dir, slower); code != 1 || !strings.Contains(stdout, "worse") {
		t.Errorf("compare with one of half the speed: exit code %d\n%s%s", code, stdout, stderr)
	}
	stdout, stderr, code := benchOf(t, "bench", "plan", "--rate", "500", "--slo", "p99=50ms", "--rtt", "1ms", "--what-if", "rtt=5ms", "--what-if", "replicas=10,db-pool=20", dir)
	if code != 0 || !strings.Contains(stdout, "pool_size") || !strings.Contains(stdout, "round trip") || strings.Count(stdout, "What if") != 2 {
		t.Errorf("plan: exit code %d\n%s%s", code, stdout, stderr)
	}
	if _, bad, code := benchOf(t, "bench", "plan", "--rate", "500", "--what-if", "speed=2", dir); code != 2 || !strings.Contains(bad, "rtt=5ms") {
		t.Errorf("a change that is not known: exit code %d, %s", code, bad)
	}
	if _, bad, code := benchOf(t, append(shortBench, "--out", dir)...); code != 2 || !strings.Contains(bad, "--force") {
		t.Errorf("a folder with results: exit code %d, %s", code, bad)
	}
}

// slowed copies results with half the throughput in every run.
func slowed(t *testing.T, dir string) string {
	t.Helper()
	results, err := report.ReadFiles(filepath.Join(dir, "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "results.jsonl")
	file, err := os.Create(other)
	if err != nil {
		t.Fatal(err)
	}
	w := report.NewWriter(file)
	err = w.Header(results.Header)
	for _, run := range results.Runs {
		run.TPS /= 2
		for i := range run.Intervals {
			run.Intervals[i] /= 2
		}
		err = errors.Join(err, w.Run(run))
	}
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	return other
}

// TestBenchTargets compares PostgreSQL with a pooler that the bench starts and ends itself, at scheduled rates and then for the largest rate that keeps a promise.
func TestBenchTargets(t *testing.T) {
	port := freePort(t)
	pooled := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/fountain?sslmode=disable", port)
	command := fmt.Sprintf("pooled=%s serve --listen 127.0.0.1:%d --upstream %s --auth-type trust --admin-users postgres --pool-size 4 --log-level warn",
		binaryOfBench(t), port, shared.URL("postgres", "fountain"))
	dir := filepath.Join(t.TempDir(), "out")
	stdout, stderr, code := benchOf(t, "bench", "--target", "direct="+shared.URL("postgres", "fountain"), "--target", "pooled="+pooled, "--pooler-cmd", command,
		"--workload", "get-by-pk", "--clients", "8", "--rates", "1000,3000", "--slo", "p95=250ms", "--rounds", "2", "--warmup", "100ms", "--duration", "400ms", "--no-advice", "--out", dir)
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{"pooled beside direct", "offered/s", "direct keeps p95=250ms up to ", "pooled keeps p95=250ms up to "} {
		if !strings.Contains(strings.Join(strings.Fields(stdout), " "), want) {
			t.Errorf("%q is not in what it printed:\n%s", want, stdout)
		}
	}
	results, err := report.ReadFiles(filepath.Join(dir, "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range results.Runs {
		if run.OfferedRate == 0 || run.Lag == nil {
			t.Errorf("%s: no rate or no lag: %+v", run.Target, run)
		}
		if pooled := run.Target == "pooled"; run.Transactions > 0 && (pooled != (run.QueueUS != nil) || !pooled && run.Pooler != nil) {
			t.Errorf("%s at %.0f/s: queue %v, pooler %v", run.Target, run.OfferedRate, run.QueueUS, run.Pooler)
		}
	}
	if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		_ = conn.Close()
		t.Error("the pooler that the bench has started still listens")
	}
}
