package replay

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"poolerd/wire"
	"poolerd/wire/record"
)

func mustLoad(t *testing.T, path string) *Recording {
	t.Helper()
	rec, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// TestLatencyFromTheSchedule: a target that is slower than recorded makes the transactions late, and that is in their latency.
func TestLatencyFromTheSchedule(t *testing.T) {
	const n, gap, delay = 10, 20, 40
	f := startFake(t, delay*time.Millisecond)
	rec := mustLoad(t, written(t, func(w *record.Writer, at func(int) time.Time) {
		_ = w.Opened(1, at(0), "u", "d")
		for i := range n {
			query(w, 1, at(gap*i), at(gap*i+1), "SELECT 1", "")
		}
		_ = w.Closed(1, at(gap*n), "")
	}))
	var parts []float64
	result, c, err := Run(t.Context(), Options{Recording: rec, Target: f.url(), Speed: 1, Progress: func(p float64) { parts = append(parts, p) }})
	if err != nil {
		t.Fatal(err)
	}
	// The last one is due after 9*20 ms, and begins after 9*40 ms at the earliest.
	if most := time.Duration(result.Lag.Max()) * time.Microsecond; most < (n-1)*(delay-gap)*time.Millisecond*9/10 {
		t.Errorf("the largest lag is %v", most)
	}
	if most := time.Duration(result.Total.Latency.Max()) * time.Microsecond; most < ((n-1)*(delay-gap)+delay)*time.Millisecond*9/10 {
		t.Errorf("the largest latency is %v", most)
	}
	if wait := time.Duration(c.Wait.Min()) * time.Microsecond; wait < delay*time.Millisecond*9/10 {
		t.Errorf("the shortest wait is %v", wait)
	}
	if wait := time.Duration(c.RecordedWait.Max()) * time.Microsecond; wait < 900*time.Microsecond || wait > 1100*time.Microsecond {
		t.Errorf("the longest recorded wait is %v", wait)
	}
	if result.Total.Count != n || c.Same != n || c.Played != n || result.Cut || result.Unfinished != 0 {
		t.Errorf("%d counted, %d the same, %d played, cut %v, %d unfinished", result.Total.Count, c.Same, c.Played, result.Cut, result.Unfinished)
	}
	if len(parts) == 0 || parts[len(parts)-1] != 1 || !slices.IsSorted(parts) {
		t.Errorf("progress was %v", parts)
	}
	sum := 0.0
	for _, rate := range result.Intervals {
		sum += rate * result.Window.Seconds() / float64(len(result.Intervals))
	}
	if sum < n-0.01 || sum > n+0.01 {
		t.Errorf("the intervals come to %v transactions", sum)
	}
}

// TestSpeed: the pauses between transactions and within them are divided by the speed.
func TestSpeed(t *testing.T) {
	f := startFake(t, 0)
	rec := mustLoad(t, written(t, func(w *record.Writer, at func(int) time.Time) {
		_ = w.Opened(1, at(0), "u", "d")
		query(w, 1, at(100), at(101), "SELECT 1", "")
		body := []byte("a\x00SELECT 2\x00\x00\x00")
		_ = w.Message(1, at(200), wire.ClientParse, body, len(body)+wire.HeaderLen)
		_ = w.Message(1, at(400), wire.ClientSync, nil, wire.HeaderLen)
		_ = w.Ready(1, at(401), wire.TxIdle, "")
		_ = w.Closed(1, at(10_000), "") // nobody waits for that
	}))
	for _, c := range []struct {
		speed      float64
		least, max time.Duration
	}{{1, 390 * time.Millisecond, 800 * time.Millisecond}, {4, 95 * time.Millisecond, 350 * time.Millisecond}, {0, 0, 90 * time.Millisecond}} {
		begun := time.Now()
		result, comparison, err := Run(t.Context(), Options{Recording: rec, Target: f.url(), Speed: c.speed})
		if err != nil {
			t.Fatal(err)
		}
		if result.Window < c.least || result.Window > c.max || time.Since(begun) > 3*time.Second {
			t.Errorf("speed %v took %v, %v in all", c.speed, result.Window, time.Since(begun))
		}
		if comparison.Same != 2 {
			t.Errorf("speed %v: %q", c.speed, comparison.Lines())
		}
	}
}

// TestErrors: those that were recorded are expected, others are counted as different, and values that errors quote are left out.
func TestErrors(t *testing.T) {
	f := startFake(t, 0)
	rec := mustLoad(t, written(t, func(w *record.Writer, at func(int) time.Time) {
		for i, one := range []struct{ sql, code string }{{"fail", "42601"}, {"fail", ""}, {"SELECT 1", "23505"}, {"SELECT 1", ""}, {"fail", "22012"}} {
			query(w, 1, at(i), at(i), one.sql, one.code)
		}
	}))
	result, c, err := Run(t.Context(), Options{Recording: rec, Target: f.url()})
	if err != nil {
		t.Fatal(err)
	}
	want := map[Outcome]int64{{"", "42601"}: 1, {"23505", ""}: 1, {"22012", "42601"}: 1}
	if c.Same != 2 || c.Played != 5 || len(c.Different) != len(want) {
		t.Errorf("%q", c.Lines())
	}
	for o, n := range want {
		if c.Different[o] != n {
			t.Errorf("%+v: %d times, want %d", o, c.Different[o], n)
		}
	}
	failure := result.Errors["42601"]
	if failure == nil || failure.Count != 3 || failure.Expected || failure.Text != `syntax error at "x"` {
		t.Errorf("the failure is %+v", failure)
	}
	if result.Total.Count != 3 {
		t.Errorf("%d counted, want 3", result.Total.Count)
	}
	if lines := strings.Join(c.Lines(), "\n"); !strings.Contains(lines, "1 that ended with 22012 ended with 42601") {
		t.Error(lines)
	}
}

// TestUsers: the recorded user's name can be replaced.
func TestUsers(t *testing.T) {
	f := startFake(t, 0)
	rec := mustLoad(t, written(t, func(w *record.Writer, at func(int) time.Time) {
		for i, user := range []string{"a", "b"} {
			_ = w.Opened(uint64(i), at(i), user, "d")
			query(w, uint64(i), at(i), at(i), "SELECT 1", "")
		}
	}))
	if _, _, err := Run(t.Context(), Options{Recording: rec, Target: f.url(), Users: map[string]string{"b": "c"}}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(f.users)
	if got := strings.Join(f.users, " "); got != "c u u" { // the first one tries the target
		t.Errorf("logged in as %s", got)
	}
}

// TestMaxClients: no more sessions at a time than that.
func TestMaxClients(t *testing.T) {
	f := startFake(t, 20*time.Millisecond)
	rec := mustLoad(t, written(t, func(w *record.Writer, at func(int) time.Time) {
		for i := range uint64(4) {
			_ = w.Opened(i, at(0), "u", "d")
		}
		for i := range uint64(4) {
			query(w, i, at(1), at(2), "SELECT 1", "")
		}
	}))
	if rec.Peak != 4 {
		t.Errorf("peak %d", rec.Peak)
	}
	one, _, err := Run(t.Context(), Options{Recording: rec, Target: f.url(), MaxClients: 1})
	if err != nil {
		t.Fatal(err)
	}
	if one.Window < 80*time.Millisecond {
		t.Errorf("four sessions one after the other took %v", one.Window)
	}
}

// TestCancelled: a replay that is ended early gives what there was.
func TestCancelled(t *testing.T) {
	f := startFake(t, 0)
	rec := mustLoad(t, written(t, func(w *record.Writer, at func(int) time.Time) {
		query(w, 1, at(0), at(1), "SELECT 1", "")
		query(w, 1, at(60_000), at(60_001), "SELECT 1", "")
		_ = w.Opened(2, at(30_000), "u", "d")
		query(w, 2, at(30_000), at(30_001), "SELECT 1", "")
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun := time.Now()
	result, c, err := Run(ctx, Options{Recording: rec, Target: f.url(), Speed: 1, Progress: func(p float64) {
		if p > 0.1 {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if time.Since(begun) > 10*time.Second || !result.Cut || result.Total.Count != 1 || result.Unfinished != 2 || c.Played != 1 {
		t.Errorf("after %v: cut %v, %d counted, %d unfinished, %d played", time.Since(begun), result.Cut, result.Total.Count, result.Unfinished, c.Played)
	}
}

// TestSilentTarget: an answer that does not come is a timeout, and the next transaction has another connection.
func TestSilentTarget(t *testing.T) {
	f := startFake(t, 0)
	f.silent = true
	rec := mustLoad(t, written(t, func(w *record.Writer, at func(int) time.Time) {
		query(w, 1, at(0), at(1), "SELECT 1", "")
		query(w, 1, at(1), at(2), "SELECT 1", "")
	}))
	result, c, err := Run(t.Context(), Options{Recording: rec, Target: f.url(), Patience: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if c.Errors["timeout"] != 2 || result.Errors["timeout"].Count != 2 || len(f.users) != 3 {
		t.Errorf("%v, %d logins", c.Errors, len(f.users))
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		path string
		want error
	}{
		{filepath.Join(dir, "nothing"), os.ErrNotExist},
		{file("empty", ""), record.ErrNotARecording},
		{file("text", "SELECT 1;\n"), record.ErrNotARecording},
		{dir, nil},
		{written(t, func(*record.Writer, func(int) time.Time) {}), ErrEmpty},
		{written(t, func(w *record.Writer, at func(int) time.Time) {
			query(w, 1, at(0), at(0), "ALTER ROLE x PASSWORD 'y'", "")
		}), ErrEmpty},
	} {
		_, err := Load(c.path)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %v, want %v", c.path, err, c.want)
		}
	}
	rec := mustLoad(t, written(t, func(w *record.Writer, at func(int) time.Time) { query(w, 1, at(0), at(0), "SELECT 1", "") }))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	_ = l.Close()
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Target: "postgres://127.0.0.1/"}, "no recording"},
		{Options{Recording: rec, Target: "postgres://u:swordfish@" + gone + "/d?sslmode=disable"}, "target cannot be used"},
		{Options{Recording: rec, Target: "postgres://u:swordfish@127.0.0.1:99999999/"}, "target"},
		{Options{Recording: rec, Target: "postgres://127.0.0.1/", Speed: -1}, "speed"},
		{Options{Recording: rec, Target: "postgres://127.0.0.1/", MaxClients: -1}, "clients"},
	} {
		_, _, err := Run(t.Context(), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "swordfish") {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}
