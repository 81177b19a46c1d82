package workload_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"poolerd/bench/workload"
)

func session(t testing.TB, name string, p workload.Protocol) *workload.Session {
	t.Helper()
	w, err := workload.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return w.NewSession(0, 1, p, nil)
}

// script is a session of a script that must be right.
func script(t testing.TB, p workload.Protocol, vars map[string]string, text string) *workload.Session {
	t.Helper()
	w, err := workload.FromScript("test.sql", text)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Check(p); err != nil {
		t.Fatal(err)
	}
	return w.NewSession(0, 1, p, vars)
}

// The round trips of a request, as a real PostgREST makes them.
func TestRoundTrips(t *testing.T) {
	for _, c := range []struct {
		name                       string
		cold, warm, unprepared, by int
	}{
		{"get-by-pk", 8, 4, 4, 4},
		{"get-list", 8, 4, 4, 4},
		{"get-embed", 8, 4, 4, 4},
		{"head-count", 8, 4, 4, 4},
		{"post", 8, 4, 4, 4},
		{"patch", 8, 4, 4, 4},
		{"prereq-rollback", 11, 6, 6, 6}, // 8 where BEGIN, the settings and ABORT are known: see TestRoundTripsOfKnownStatements
		{"select1", 1, 1, 1, 1},
		{"select-only", 2, 1, 1, 1},
		{"tpcb", 14, 7, 7, 7},
		{"listen-fanout", 2, 1, 1, 1},
		{"copy", 9, 5, 5, 5},
		{"connect-churn", 2, 2, 1, 1},
		{"reload-storm", 29, 29, 18, 18},
	} {
		s := session(t, c.name, workload.Prepared)
		_, cold := flights(s, nil)
		_, warm := flights(s, nil)
		s.Disconnected()
		_, again := flights(s, nil)
		_, unprepared := flights(session(t, c.name, workload.Unprepared), nil)
		_, simple := flights(session(t, c.name, workload.Simple), nil)
		if cold != c.cold || warm != c.warm || again != c.cold || unprepared != c.unprepared || simple != c.by {
			t.Errorf("%s: cold %d, warm %d, on a new connection %d, unprepared %d, simple %d; want %+v", c.name, cold, warm, again, unprepared, simple, c)
		}
	}
}

// In the mix a connection soon knows BEGIN, the settings, COMMIT and ABORT, which its requests share.
func TestRoundTripsOfKnownStatements(t *testing.T) {
	w, err := workload.Mix("post=1,prereq-rollback=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	for seed := uint64(0); ; seed++ {
		s := w.NewSession(0, seed, workload.Prepared, nil)
		first, _ := flights(s, func(flight int) workload.Outcome {
			if flight == 6 { // the INSERT
				return workload.Outcome{Code: "23505", Status: 'E'}
			}
			return workload.Outcome{Status: 'T'}
		})
		second, count := flights(s, nil)
		if !bytes.HasPrefix(first, []byte("# post\n")) || !bytes.HasPrefix(second, []byte("# prereq-rollback\n")) {
			continue
		}
		// check_request is new; the INSERT is post's own, and known.
		if count != 7 || !bytes.Contains(first, []byte(`"ABORT"`)) {
			t.Errorf("%d flights after a failed post:\n%s\n%s", count, first, second)
		}
		return
	}
}

// An error inside a transaction is followed by ABORT, prepared like any other statement; outside one, by nothing.
func TestErrors(t *testing.T) {
	failAt := func(n int, status byte) func(int) workload.Outcome {
		return func(flight int) workload.Outcome {
			switch {
			case flight < n:
				return workload.Outcome{Status: 'T'}
			case flight == n:
				return workload.Outcome{Code: "23505", Status: status}
			case status == 'E' && flight == n+1:
				return workload.Outcome{Status: 'E'} // the Parse of ABORT changes nothing
			}
			return workload.Outcome{Status: 'I'}
		}
	}
	for _, c := range []struct {
		name   string
		p      workload.Protocol
		flight int
		status byte
		ends   []string // of the last flights
	}{
		{"post", workload.Prepared, 6, 'E', []string{`Parse "3" "ABORT" 0 Sync`, `Bind "" "3" 0 0 1 1 Describe P "" Execute "" 0 Sync`}},
		{"post", workload.Unprepared, 3, 'E', []string{`Parse "" "ABORT" 0 Bind`}},
		{"post", workload.Simple, 3, 'E', []string{`Query "ABORT"`}},
		{"post", workload.Prepared, 1, 'I', nil},
		{"tpcb", workload.Prepared, 4, 'E', []string{`Query "ROLLBACK"`}},
		{"copy", workload.Unprepared, 2, 'E', []string{`Query "ROLLBACK"`}},
	} {
		s := session(t, c.name, c.p)
		trace, count := flights(s, failAt(c.flight, c.status))
		want := c.flight + len(c.ends)
		if count != want {
			t.Errorf("%s %v: %d flights, want %d:\n%s", c.name, c.p, count, want, trace)
		}
		if s.Err() != nil {
			t.Errorf("%s %v: %v", c.name, c.p, s.Err())
		}
		if _, more := s.Next(nil, workload.Outcome{}); more {
			t.Errorf("%s %v: goes on after its end", c.name, c.p)
		}
		sections := strings.Split(string(trace), "\nflight ")
		for i, end := range c.ends {
			got := flat(sections[len(sections)-len(c.ends)+i])
			if !strings.Contains(got, flat(end)) {
				t.Errorf("%s %v: ends in %s, not %s", c.name, c.p, got, end)
			}
		}
	}
}

// flat is a trace without lengths and line ends.
func flat(trace string) string {
	var words []string
	for line := range strings.Lines(trace) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) > 2 && fields[0] == "F" {
			fields = fields[2:]
		}
		words = append(words, fields...)
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

// A Parse that failed, or that nobody knows to have succeeded, leaves its name unused, and the statement is parsed again.
func TestParseAgain(t *testing.T) {
	s := script(t, workload.Prepared, nil, "SELECT 1;")
	trace, count := flights(s, func(int) workload.Outcome { return workload.Outcome{Code: "42501", Status: 'I'} })
	if count != 1 || !strings.Contains(flat(string(trace)), `Parse "0" "SELECT 1" 0`) {
		t.Errorf("%d: %s", count, trace)
	}
	trace, count = flights(s, nil)
	if count != 2 || !strings.Contains(flat(string(trace)), `Parse "1" "SELECT 1" 0`) {
		t.Errorf("%d: %s", count, trace)
	}
	// A Bind that failed does not.
	flights(s, func(int) workload.Outcome { return workload.Outcome{Code: "57014", Status: 'I'} })
	if trace, count = flights(s, nil); count != 1 {
		t.Errorf("%d: %s", count, trace)
	}
}

// The same seed and client say the same; another client something else.
func TestSeeds(t *testing.T) {
	w, err := workload.Builtin("postgrest")
	if err != nil {
		t.Fatal(err)
	}
	play := func(client int, seed uint64) string {
		s := w.NewSession(client, seed, workload.Prepared, nil)
		var all []byte
		for range 50 {
			trace, _ := flights(s, nil)
			all = append(all, trace...)
		}
		return string(all)
	}
	said := play(1, 7)
	if again := play(1, 7); again != said {
		t.Error("the same client says something else")
	}
	if said == play(2, 7) || said == play(1, 8) {
		t.Error("another client says the same")
	}
}

// Transactions come by their shares.
func TestShares(t *testing.T) {
	w, err := workload.Builtin("postgrest")
	if err != nil {
		t.Fatal(err)
	}
	s := w.NewSession(0, 1, workload.Prepared, nil)
	const n = 100000
	count := map[string]int{}
	for range n {
		count[s.Begin().Name]++
	}
	for _, tx := range w.Transactions {
		want := n * tx.Share / 100
		if got := float64(count[tx.Name]); math.Abs(got-want) > 5*math.Sqrt(want) {
			t.Errorf("%s: %v of %d, want about %v", tx.Name, got, n, want)
		}
	}
}

// The steady state allocates nothing.
func TestNoAllocations(t *testing.T) {
	for _, c := range []struct {
		name string
		p    workload.Protocol
	}{
		{"postgrest", workload.Prepared},
		{"postgrest", workload.Unprepared},
		{"postgrest", workload.Simple},
		{"select-only", workload.Prepared},
		{"select-only", workload.Simple},
		{"tpcb", workload.Prepared},
		{"copy", workload.Unprepared},
		{"listen-fanout", workload.Prepared},
	} {
		s := session(t, c.name, c.p)
		buf := make([]byte, 0, 1<<18)
		run := func() {
			s.Begin()
			var o workload.Outcome
			for {
				f, more := s.Next(buf[:0], o)
				if !more {
					return
				}
				o.Status = 'I'
				if f.CopyIn {
					o.Status = 0
				}
			}
		}
		for range 500 {
			run()
		}
		if n := testing.AllocsPerRun(500, run); n != 0 {
			t.Errorf("%s %v: %v allocations a transaction", c.name, c.p, n)
		}
	}
}

func TestNotifications(t *testing.T) {
	w, err := workload.Builtin("listen-fanout")
	if err != nil {
		t.Fatal(err)
	}
	if w.Listeners != 10 {
		t.Errorf("%d listeners", w.Listeners)
	}
	s := w.NewSession(12, 1, workload.Simple, nil)
	for n := 1; n <= 3; n++ {
		trace, _ := flights(s, nil)
		want := fmt.Sprintf(`select pg_notify('poolerd_bench_12', '%d')`, n)
		if !strings.Contains(string(trace), want) || s.Channel() != "poolerd_bench_12" || s.Payload() != fmt.Sprint(n) {
			t.Errorf("%s %s: %s", s.Channel(), s.Payload(), trace)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	for _, name := range []string{"postgrest", "select-only"} {
		b.Run(name, func(b *testing.B) {
			s := session(b, name, workload.Prepared)
			buf := make([]byte, 0, 1<<16)
			b.ReportAllocs()
			for b.Loop() {
				s.Begin()
				var o workload.Outcome
				for {
					f, more := s.Next(buf[:0], o)
					if !more {
						break
					}
					buf, o.Status = f.Data, 'I'
				}
			}
		})
	}
}

// Sessions of one workload share nothing that they write to.
func TestSessionsTogether(t *testing.T) {
	w, err := workload.Mix("postgrest=1,tpcb=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for client := range 4 {
		all.Go(func() {
			s := w.NewSession(client, 1, workload.Prepared, map[string]string{"scale": "2"})
			for range 200 {
				flights(s, nil)
			}
			if err := s.Err(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// The variables that a session begins with can be set, and reach every statement.
func TestVariables(t *testing.T) {
	w, err := workload.FromScript("a.sql", "SELECT :scale, :client_id, :random_seed, :mine, :default_seed;")
	if err != nil {
		t.Fatal(err)
	}
	trace, _ := flights(w.NewSession(7, 99, workload.Simple, map[string]string{"scale": "50", "mine": "it's", "default_seed": "-3", "other": "x"}), nil)
	if !strings.Contains(string(trace), `"SELECT 50, 7, 99, it's, -3"`) {
		t.Errorf("%s", trace)
	}
	seed := func(client int) string {
		trace, _ := flights(w.NewSession(client, 5, workload.Simple, nil), nil)
		_, seed, _ := strings.Cut(string(trace), ":mine, ")
		return seed
	}
	if seed(0) != seed(1) || seed(0) == "" {
		t.Errorf("clients hash differently: %s and %s", seed(0), seed(1))
	}
}

// A --define that no expression can use is told with the place.
func TestBadVariable(t *testing.T) {
	w, err := workload.Builtin("get-by-pk")
	if err != nil {
		t.Fatal(err)
	}
	s := w.NewSession(0, 1, workload.Prepared, map[string]string{"scale": "large"})
	if _, count := flights(s, nil); count != 0 {
		t.Errorf("%d flights", count)
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), `get-by-pk:1:16: the variable :scale holds "large", with which an expression cannot compute`) {
		t.Error(err)
	}
}

func TestDebug(t *testing.T) {
	s := script(t, workload.Simple, nil, "\\set x debug(1 + debug(2.5)) * 2\n\\set n debug(null)\nSELECT :x;")
	var lines []string
	s.Debug = func(line string) { lines = append(lines, line) }
	trace, _ := flights(s, nil)
	if got := strings.Join(lines, "; "); got != "line 1: debug(double 2.5); line 1: debug(double 3.5); line 2: debug(NULL)" {
		t.Error(got)
	}
	if !strings.Contains(string(trace), "SELECT 7") {
		t.Errorf("%s", trace)
	}
}
