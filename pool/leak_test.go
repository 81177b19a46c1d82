package pool

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"poolerd/bench/postgres"
	"poolerd/pool/config"
	"poolerd/wire"
)

const (
	leakServers = 3 // of the pool
	leakPinned  = 2 // how many of them clients may keep
	leakCourses = 3 // times rapid's steps (30), on the average, that a round takes
	leakFor     = 8 * time.Second

	leakPatience = 30 * time.Second // for anything that takes milliseconds on a machine with nothing else to do
)

// TestNothingLeaks lets four to six clients do whatever leaves something in a session, in random order, on three servers. After each release of a server its session must
// be a fresh one's but for what the pooler believes it to have, and each client must find its own session as if it had a PostgreSQL of its own. POOLERD_LEAK=60s makes it
// longer; rapid's flags work as well, -rapid.seed for example.
func TestNothingLeaks(t *testing.T) {
	limit := leakFor
	if s := os.Getenv("POOLERD_LEAK"); s != "" {
		var err error
		if limit, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	cluster, err := postgres.Start(t.Context(), postgres.Options{Sample: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := flag.Set("rapid.nofailfile", "true"); err != nil { // what happens depends on time as well: a file would not say it again
		t.Fatal(err)
	}
	h := &leakHouse{t: t, cluster: cluster, auditor: newAuditor(t, cluster.URL("postgres", "fountain")), end: time.Now().Add(limit)}
	if h.direct, err = pgconn.Connect(t.Context(), cluster.URL("postgres", "fountain")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.direct.Close(context.Background()) })
	h.sql(t, `CREATE TABLE api.leak_where (whose text); INSERT INTO api.leak_where VALUES ('api'); CREATE TABLE public.leak_where (whose name); INSERT INTO public.leak_where VALUES ('public');
		GRANT SELECT ON api.leak_where, public.leak_where TO PUBLIC; GRANT USAGE ON SCHEMA api TO PUBLIC;
		CREATE SEQUENCE public.leak_seats; GRANT ALL ON public.leak_seats TO PUBLIC; CREATE TABLE public.leak_ddl (n int); GRANT SELECT ON public.leak_ddl TO PUBLIC`)
	h.sql(t, leakFunctions)
	rounds := 0
	for ok := true; ok && (rounds == 0 || time.Now().Before(h.end)); rounds++ {
		ok = t.Run(fmt.Sprint("round ", rounds), func(t *testing.T) { rapid.Check(t, h.round) })
	}
	t.Logf("%d actions, %d servers looked at", h.actions, h.auditor.looks)
	if h.auditor.looks == 0 {
		t.Error("no server was looked at")
	}
}

// leakHouse is what the rounds share.
type leakHouse struct {
	t       *testing.T
	cluster *postgres.Cluster
	direct  *pgconn.PgConn
	auditor *auditor
	end     time.Time
	failed  bool // from now on rapid looks for the smallest failure, and time does not matter
	actions int
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// sql runs a statement past the pooler, and gives its first value.
func (h *leakHouse) sql(t fataler, sql string) string {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), leakPatience)
	defer stop()
	results, err := h.direct.Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if len(results) == 0 || len(results[0].Rows) == 0 {
		return ""
	}
	return string(results[0].Rows[0][0])
}

// round is one random course of events, with a pooler of its own.
func (h *leakHouse) round(t *rapid.T) {
	if !h.failed && time.Now().After(h.end) {
		return
	}
	w := &leakWorld{house: h}
	w.start(t)
	over := false
	defer func() {
		h.failed = h.failed || !over // rapid ends a failed round by a panic
		w.stop(t)
	}()
	w.size = rapid.IntRange(4, 6).Draw(t, "clients")
	for n := range w.size {
		w.clients = append(w.clients, w.logIn(t, n))
	}
	actions := map[string]func(*rapid.T){"": func(t *rapid.T) { w.audit(t) }}
	for name, act := range leakActions {
		actions[name] = func(t *rapid.T) {
			c := w.clients[rapid.IntRange(0, w.size-1).Draw(t, "client")]
			if !w.mayAct(c) {
				t.Skip("no server would be free")
			}
			h.actions++
			act(w, t, c)
		}
	}
	for range leakCourses {
		t.Repeat(actions)
	}
	w.farewell(t)
	over = true
}

// leakWorld is a pooler with its clients.
type leakWorld struct {
	house   *leakHouse
	pooler  *Pooler
	addr    string
	served  chan error
	size    int
	serial  int // for values that are used once
	clients []*leakClient
}

func (w *leakWorld) start(t *rapid.T) {
	conf := config.Defaults()
	conf.AuthType = config.AuthTrust
	if err := config.ApplyUpstream(conf, w.house.cluster.URL("", ""), config.Origin{}); err != nil {
		t.Fatal(err)
	}
	conf.DefaultPoolSize, conf.MaxPinnedServers, conf.MaxPreparedStatements = leakServers, leakPinned, 4
	pooler, err := New(conf, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	pooler.released = w.house.auditor.look
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.pooler, w.addr, w.served = pooler, l.Addr().String(), make(chan error, 1)
	go func() { w.served <- pooler.Serve(l) }()
}

func (w *leakWorld) stop(t *rapid.T) {
	for _, c := range w.clients {
		_ = c.conn.Close()
	}
	w.pooler.Close()
	select {
	case err := <-w.served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the pooler did not end within 10 s of Close")
	}
	w.house.auditor.findings()
}

// logIn connects the n-th client, whose startup packet sets something.
func (w *leakWorld) logIn(t *rapid.T, n int) *leakClient {
	base := []map[string]string{{}, {"TimeZone": "Asia/Tokyo"}, {"application_name": "base", "search_path": "api"}}[n%3]
	c := &leakClient{name: "c" + strconv.Itoa(n), n: n, model: newSession(base), reported: map[string]string{}}
	nc, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	c.conn = nc
	params := []wire.Param{{Name: "user", Value: "postgres"}, {Name: "database", Value: "fountain"}}
	for _, name := range slices.Sorted(maps.Keys(base)) {
		params = append(params, wire.Param{Name: name, Value: base[name]})
	}
	r := c.flight(t, wire.AppendStartup(nil, wire.Version30, params), 1)
	if r.code != "" {
		t.Fatalf("%s: login: %s", c.name, r.message)
	}
	return c
}

// of finds the pooler's side of a client.
func (w *leakWorld) of(c *leakClient) *Client {
	for _, p := range w.pooler.allClients() {
		if p.key.pid == c.pid {
			return p
		}
	}
	return nil
}

// holds tells whether the pooler's client has a server, and why it keeps it.
func (c *Client) holds() (bool, pins) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server != nil, c.pins
}

// mayAct tells whether the client has a server or would get one: else it would wait for ever, as only one acts at a time.
func (w *leakWorld) mayAct(c *leakClient) bool {
	taken := 0
	for _, p := range w.pooler.allClients() {
		if has, _ := p.holds(); has {
			if p.key.pid == c.pid {
				return true
			}
			taken++
		}
	}
	return taken < leakServers
}

// mayPin tells whether max_pinned_servers lets the client keep its server.
func (w *leakWorld) mayPin(c *leakClient) bool {
	p := w.of(c)
	p.pool.mu.Lock()
	defer p.pool.mu.Unlock()
	_, why := p.holds()
	return why != 0 || p.pool.totals.Pinned < leakPinned
}

// audit is done after each action: what was found on the servers, and who keeps one.
func (w *leakWorld) audit(t *rapid.T) {
	if found := w.house.auditor.findings(); len(found) > 0 {
		t.Fatalf("left on a server that nobody has:\n%s", strings.Join(found, "\n"))
	}
	for _, c := range w.clients {
		p := w.of(c)
		if p == nil {
			t.Fatalf("%s: the pooler does not know it", c.name)
		}
		has, why := p.holds()
		lasting := why & (pinSequence | pinSticky)
		switch m := c.model; {
		case m.before != nil: // the end of the transaction decides
		case m.pinned() && (!has || why == 0):
			t.Fatalf("%s: has %v, %v, %v, %v, and its server was taken away", c.name, m.now.temps, m.now.holds, m.locks, m.prepared)
		case !m.pinned() && has && lasting == 0:
			t.Fatalf("%s: keeps its server (%v), and has nothing there", c.name, why)
		}
		c.compareReported(t)
	}
}

// farewell ends every transaction, and compares every session to its model.
func (w *leakWorld) farewell(t *rapid.T) {
	for _, c := range w.clients {
		if c.model.before != nil {
			leakActions["rollback"](w, t, c)
		}
	}
	for _, c := range w.clients {
		if w.mayAct(c) {
			w.compare(t, c)
		}
	}
	w.audit(t)
}
