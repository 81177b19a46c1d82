package client

import (
	"context"
	"strings"
	"testing"
	"time"

	"poolerd/bench/load"
	"poolerd/bench/postgres"
	"poolerd/bench/workload"
	"poolerd/wire"
)

func query(sql string) workload.Flight {
	return workload.Flight{Data: wire.AppendQuery(nil, sql), Ready: 1}
}

// TestBuiltins: a real PostgreSQL answers every built-in workload, by every protocol, without an error that was not expected.
func TestBuiltins(t *testing.T) {
	c := cluster(t)
	for _, w := range workload.Builtins() {
		if w.Setup != "" {
			if out, err := c.Psql(t.Context(), "fountain", w.Setup); err != nil {
				t.Fatalf("%s: %v: %s", w.Name, err, out)
			}
		}
		for _, p := range []workload.Protocol{workload.Prepared, workload.Unprepared, workload.Simple} {
			t.Run(w.Name+"/"+p.String(), func(t *testing.T) {
				if err := w.Check(p); err != nil {
					t.Fatal(err)
				}
				var res *load.Result
				for window := 150 * time.Millisecond; window < 3*time.Second; window *= 4 { // a reload takes long on a busy machine
					res = run(t, load.Config{
						Clients: 3, Warmup: 20 * time.Millisecond, Duration: window,
						Connect: connecting(t, c.URL(w.Role, "fountain"), w, p, Options{}),
					})
					if res.Total.Count > 0 {
						break
					}
				}
				for code, f := range res.Errors {
					if !f.Expected {
						t.Errorf("%d of %s: %s", f.Count, code, f.Text)
					}
				}
				for code, f := range res.Outside {
					t.Errorf("outside the window %d of %s: %s", f.Count, code, f.Text)
				}
				if res.Total.Count == 0 {
					t.Error("no transactions")
				}
			})
		}
	}
}

// TestOutcome: the session is told what the server said.
func TestOutcome(t *testing.T) {
	rows := query("select 1 as a, null as b, 'x' as c union all select 2, 'y', 'z'")
	rows.Rows = true
	s := say(query("begin"), rows, query("select 1/0"), query("rollback"))
	s.tx.Expect = []string{"22012"}
	d := open(t, Options{URL: cluster(t).URL("postgres", "postgres"), Session: s}).Run(t.Context())
	if d.Name != "spoken" || d.Code != "22012" || d.Text != "ERROR: division by zero" || !d.Expected {
		t.Errorf("%+v", d)
	}
	o := s.outcomes
	if len(o) != 4 || o[0].Status != 'T' || o[1].Status != 'T' || o[2].Status != 'E' || o[2].Code != "22012" || o[3].Status != 'I' || o[3].Code != "" {
		t.Fatalf("%+v", o)
	}
	if r := o[1]; strings.Join(r.Columns, " ") != "a b c" || *r.Row[0] != "2" || *r.Row[1] != "y" || *r.Row[2] != "z" {
		t.Errorf("%+v", r)
	}
	if o[0].Row != nil || o[2].Row != nil {
		t.Error("rows where there were none")
	}
}

func TestExpected(t *testing.T) {
	s := say(query("select 1/0"))
	c := open(t, Options{URL: cluster(t).URL("postgres", "postgres"), Session: s})
	if d := c.Run(t.Context()); d.Expected || d.Code != "22012" {
		t.Errorf("%+v", d)
	}
	s.err = context.DeadlineExceeded
	s.flights = []workload.Flight{query("select 1")}
	if d := c.Run(t.Context()); d.Code != "script" || d.Text != s.err.Error() {
		t.Errorf("a script that is wrong: %+v", d)
	}
}

// TestLarge: what does not fit into buffers goes through, both ways at once.
func TestLarge(t *testing.T) {
	const size = 12 << 20
	long := strings.Repeat("x", size)
	both := workload.Flight{Data: wire.AppendQuery(nil, "select '"+long+"'"), Ready: 1}
	back := query("select repeat('y', 1000) from generate_series(1, 50000)")
	// A hundred queries in one flight, each with a large reply: nobody reads the last ones while the first ones are answered.
	var many workload.Flight
	for range 100 {
		many.Data = wire.AppendQuery(many.Data, "select '"+long[:size/100]+"'")
		many.Ready++
	}
	s := say(both, back, many)
	for name, target := range map[string]string{"TCP": cluster(t).URL("postgres", "postgres"), "socket": "host=" + cluster(t).Dir() + "/socket user=postgres dbname=postgres port=" + port(t, cluster(t))} {
		if d := open(t, Options{URL: target, Session: s}).Run(t.Context()); d.Code != "" {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func port(t *testing.T, c *postgres.Cluster) string {
	t.Helper()
	out, err := c.Psql(t.Context(), "postgres", "show port")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// TestCopy: COPY both ways, and one that fails on the way.
func TestCopy(t *testing.T) {
	if _, err := cluster(t).Psql(t.Context(), "postgres", "create table if not exists copied (n int)"); err != nil {
		t.Fatal(err)
	}
	in := workload.Flight{Data: wire.AppendQuery(nil, "copy copied from stdin"), CopyIn: true}
	data := func(text string) workload.Flight {
		b := message(wire.ClientCopyData, []byte(text))
		return workload.Flight{Data: wire.AppendEmpty(b, wire.ClientCopyDone), Ready: 1}
	}
	target := cluster(t).URL("postgres", "postgres")
	for name, tt := range map[string]struct {
		s    *spoken
		code string
	}{
		"in":                {say(in, data(strings.Repeat("1\n", 1<<20))), ""},
		"out":               {say(query("copy copied to stdout")), ""},
		"garbage":           {say(in, data("x\n"), query("select 1")), "22P02"},
		"an error instead":  {say(workload.Flight{Data: wire.AppendQuery(nil, "copy nothing from stdin"), CopyIn: true}), "42P01"},
		"nobody asked that": {say(query("copy copied from stdin")), "lost"},
	} {
		if d := open(t, Options{URL: target, Session: tt.s}).Run(t.Context()); d.Code != tt.code {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// TestLost: a connection that the server ends is reported with the server's words, and the next Run has another.
func TestLost(t *testing.T) {
	c := cluster(t)
	s := say(query("select 1"))
	client := open(t, Options{URL: c.URL("postgres", "postgres") + "&application_name=lost", Session: s})
	for _, idle := range []bool{true, false} {
		s.flights = []workload.Flight{query("select 1")}
		if d := client.Run(t.Context()); d.Code != "" {
			t.Fatalf("%+v", d)
		}
		before := s.disconnected
		kill := "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'lost'"
		if idle {
			if _, err := c.Psql(t.Context(), "postgres", kill); err != nil {
				t.Fatal(err)
			}
		} else {
			s.flights = []workload.Flight{query("select pg_terminate_backend(pg_backend_pid())"), query("select pg_sleep(10)")}
		}
		d := client.Run(t.Context())
		if d.Code != "lost" || !strings.Contains(d.Text, "57P01") || s.disconnected != before+1 {
			t.Errorf("idle %v: %+v, %d times disconnected", idle, d, s.disconnected-before)
		}
	}
	s.flights = []workload.Flight{query("select 1")}
	if d := client.Run(t.Context()); d.Code != "" {
		t.Errorf("afterwards: %+v", d)
	}
}

// TestRefused: why a login failed has a code of its own, and is told in words without the password.
func TestRefused(t *testing.T) {
	scram, err := postgres.Start(t.Context(), postgres.Options{Auth: "scram-sha-256", Settings: map[string]string{"max_connections": "5", "superuser_reserved_connections": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = scram.Stop(context.Background()) })
	good := scram.URL("postgres", "postgres")
	for name, tt := range map[string]struct{ target, code, words string }{
		"nobody there":      {refusing(t), "connect", "refused"},
		"the wrong word":    {strings.Replace(good, "postgres:postgres@", "postgres:sesame@", 1), "28P01", "password authentication failed"},
		"no such database":  {strings.Replace(good, "/postgres?", "/nothing?", 1), "3D000", `"nothing" does not exist`},
		"what is no target": {"postgres://u:sesame@:x/", "", "cannot parse"},
	} {
		_, err := Open(t.Context(), Options{URL: tt.target, Session: say()})
		if err == nil || !strings.Contains(err.Error(), tt.words) || !strings.Contains(err.Error(), tt.code) || strings.Contains(err.Error(), "sesame") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = load.Run(t.Context(), load.Config{
		Clients: 20, Duration: time.Second, Connect: func(ctx context.Context, _ int) (load.Client, error) {
			return Open(ctx, Options{URL: good, Session: say(query("select 1"))})
		},
	})
	if err == nil || !strings.Contains(err.Error(), "53300") || !strings.Contains(err.Error(), " of 20: FATAL: sorry, too many clients already") {
		t.Errorf("too many: %v", err)
	}

	// A server that goes away in mid-run.
	s := say(query("select 1"))
	client := open(t, Options{URL: good, Session: s})
	if err := scram.Halt(t.Context(), "fast"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"lost", "connect", "connect"} {
		if d := client.Run(t.Context()); d.Code != want || d.Name != "spoken" {
			t.Errorf("want %s: %+v", want, d)
		}
	}
	if err := scram.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := client.Run(t.Context()); d.Code != "" {
		t.Errorf("the server is back: %+v", d)
	}
}

// TestConnectEachTime: a transaction of its own connection opens and ends one, and the time for it counts.
func TestConnectEachTime(t *testing.T) {
	c := cluster(t)
	s := say(query("select 1"))
	s.tx.Connect = true
	config, err := Parse(c.URL("postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["application_name"] = "churn"
	client := open(t, Options{Config: config, Session: s})
	for range 5 {
		if d := client.Run(t.Context()); d.Code != "" {
			t.Fatalf("%+v", d)
		}
	}
	eventually(t, "no connection is left", func() bool {
		out, err := c.Psql(t.Context(), "postgres", "select count(*) from pg_stat_activity where application_name = 'churn'")
		return err == nil && strings.TrimSpace(out) == "0"
	})
	if s.disconnected != 6 {
		t.Errorf("%d times disconnected", s.disconnected)
	}
}

// TestTLS: a connection that cannot wait without a buffer works the same.
func TestTLS(t *testing.T) {
	f := startFake(t, true, func(s *fakeSession) {
		for {
			q, ok := s.flight()
			if !ok || q == "end" || q != "hang" && !s.answer(done) {
				return
			}
		}
	})
	s := say(query("select 1"), query("select 2"))
	c := open(t, Options{URL: f.url(), Session: s, Limit: 100 * time.Millisecond})
	for range 10 {
		if d := c.Run(t.Context()); d.Code != "" {
			t.Fatalf("%+v", d)
		}
	}
	for _, tt := range []struct{ query, code string }{{"end", "lost"}, {"hang", "timeout"}, {"select 1", ""}} {
		s.flights = []workload.Flight{query(tt.query)}
		if d := c.Run(t.Context()); d.Code != tt.code {
			t.Errorf("%s: %+v", tt.query, d)
		}
	}
}

// TestStuck: a server that does not answer costs a client its time limit, or the time until the run ends, and no more.
func TestStuck(t *testing.T) {
	f := startFake(t, false, func(s *fakeSession) {
		for {
			if q, ok := s.flight(); !ok || q != "hang" && !s.answer(done) {
				return
			}
		}
	})
	s := say(query("hang"))
	c := open(t, Options{URL: f.url(), Session: s, Limit: 80 * time.Millisecond})
	start := time.Now()
	d := c.Run(t.Context())
	if took := time.Since(start); d.Code != "timeout" || !strings.Contains(d.Text, "80ms") || took < 80*time.Millisecond || took > 2*time.Second {
		t.Errorf("after %v: %+v", took, d)
	}
	s.flights = []workload.Flight{query("select 1")}
	if d := c.Run(t.Context()); d.Code != "" {
		t.Errorf("afterwards: %+v", d)
	}

	s.flights = []workload.Flight{query("hang")}
	c = open(t, Options{URL: f.url(), Session: s})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start = time.Now()
	if d := c.Run(ctx); d.Code == "" || time.Since(start) > 5*time.Second {
		t.Errorf("after %v: %+v", time.Since(start), d)
	}
	s.flights = []workload.Flight{query("select 1")}
	if d := c.Run(t.Context()); d.Code != "" {
		t.Errorf("another run: %+v", d)
	}

	// In a run: the clients hang, the window closes, and their grace ends.
	s.flights = []workload.Flight{query("hang")}
	start = time.Now()
	res := run(t, load.Config{Clients: 4, Duration: 100 * time.Millisecond, Rate: 100, Connect: func(ctx context.Context, _ int) (load.Client, error) {
		return Open(ctx, Options{URL: f.url(), Session: say(query("hang"))})
	}})
	if took := time.Since(start); took > 5*time.Second || res.Total.Count != 0 || res.Unfinished != res.Scheduled || len(res.Errors) != 0 {
		t.Errorf("after %v: %+v", took, res)
	}
}

// TestThink: the client pauses between its flights and not around them, and the end of the run cuts that short too.
func TestThink(t *testing.T) {
	s := say(query("select 1"), query("select 2"), query("select 3"))
	c := open(t, Options{URL: cluster(t).URL("postgres", "postgres"), Session: s, Think: 400 * time.Millisecond})
	start := time.Now()
	if d := c.Run(t.Context()); d.Code != "" {
		t.Fatalf("%+v", d)
	}
	if took := time.Since(start); took < 800*time.Millisecond || took >= 1200*time.Millisecond {
		t.Errorf("two pauses of 400ms took %v", took)
	}
	s.flights = []workload.Flight{{Pause: 20 * time.Millisecond}, query("select 1"), {Pause: time.Hour, Data: query("select 2").Data, Ready: 1}}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start = time.Now()
	if d := c.Run(ctx); d.Code == "" || len(s.outcomes) != 2 || time.Since(start) > 5*time.Second {
		t.Errorf("%+v, %v", d, s.outcomes)
	}
}

// TestNoAllocations: a transaction costs none, prepared or not.
func TestNoAllocations(t *testing.T) {
	for _, p := range []workload.Protocol{workload.Prepared, workload.Unprepared, workload.Simple} {
		w := builtin(t, "select-only")
		c := open(t, Options{URL: cluster(t).URL("postgres", "fountain"), Session: w.NewSession(0, 1, p, nil)})
		ctx := t.Context()
		for range 10 {
			if d := c.Run(ctx); d.Code != "" {
				t.Fatalf("%+v", d)
			}
		}
		if n := testing.AllocsPerRun(1000, func() { c.Run(ctx) }); n != 0 {
			t.Errorf("%s: %v allocations", p, n)
		}
	}
}
