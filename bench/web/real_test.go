package web

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"poolerd/bench/load"
	"poolerd/bench/postgres"
	"poolerd/bench/proc"
	"poolerd/bench/web/webtest"
)

const secret = "a secret of the tests, and of nothing else"

// behind is what an HTTP server finds behind it: the sample in a private PostgreSQL, through a poolerd with two servers.
type behind struct {
	pg  *postgres.Cluster
	url string
}

func start(ctx context.Context, t *testing.T) *behind {
	t.Helper()
	pg, err := postgres.Start(ctx, postgres.Options{Sample: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	binary := os.Getenv("POOLERD_E2E_BINARY") // one that is built already
	if binary == "" {
		binary = filepath.Join(t.TempDir(), "poolerd")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "poolerd/cmd/poolerd").CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	port := freePort(t)
	cmd := exec.Command(binary, "serve", "--listen", fmt.Sprintf("127.0.0.1:%d", port), "--upstream", pg.URL("authenticator", "fountain"), "--pool-size", "2", "--auth-type", "trust")
	b := &behind{pg: pg, url: fmt.Sprintf("postgres://authenticator@127.0.0.1:%d/fountain?sslmode=disable", port)}
	run(ctx, t, "poolerd", cmd, func(p *proc.Process) error { return p.WaitReady(ctx, b.url) })
	return b
}

// run runs a program until the test ends.
func run(ctx context.Context, t *testing.T, name string, cmd *exec.Cmd, ready func(*proc.Process) error) {
	t.Helper()
	p, err := proc.Start(name, cmd, syscall.SIGINT)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	if err := ready(p); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := proc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// standIn starts a server that speaks PostgREST's transactions.
func (b *behind) standIn(ctx context.Context, t *testing.T, o webtest.Options) string {
	t.Helper()
	o.Database, o.Secret = b.url, secret
	s, err := webtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if err := s.Close(limited); err != nil {
			t.Error(err)
		}
	})
	return s.URL()
}

// lines counts the dialogue.
func (b *behind) lines(ctx context.Context, t *testing.T) int {
	t.Helper()
	out, err := b.pg.Psql(ctx, "fountain", "SELECT count(*) FROM api.dialogue")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// tally runs requests by several clients and counts names and codes; an expected code has a question mark.
func tally(ctx context.Context, t *testing.T, o Options, clients, each int) map[string]int {
	t.Helper()
	counts := map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range clients {
		o.Client = i
		c, err := Open(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer func() { _ = c.Close() }()
			for range each {
				d := c.Run(ctx)
				key := d.Name
				if d.Code != "" {
					key += " " + d.Code
				}
				if d.Expected {
					key += "?"
				}
				mu.Lock()
				counts[key]++
				if d.Code != "" && !d.Expected && counts[key] == 1 {
					t.Logf("%+v", d)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return counts
}

// drive runs the whole mix against an HTTP server, and looks into the database for what it has left there.
func (b *behind) drive(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	const clients, each = 8, 150
	notes, err := Prepare(ctx, Options{URL: url, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	if len(notes) != 1 || !strings.HasPrefix(notes[0], "HTTP server: ") {
		t.Errorf("notes: %q", notes)
	}
	before := b.lines(ctx, t)
	counts := tally(ctx, t, Options{URL: url, Secret: secret, Seed: 1}, clients, each)
	t.Logf("%v", counts)
	sum := 0
	for _, name := range []string{"get-by-pk", "get-list", "get-embed", "head-count", "post", "post http-409?", "patch", "rpc", "prereq-rollback"} {
		if counts[name] == 0 {
			t.Errorf("no %s", name)
		}
		sum += counts[name]
	}
	if sum != clients*each {
		t.Errorf("%d requests ended as they should, of %d: %v", sum, clients*each, counts)
	}
	// New lines come from post, and from that part of rpc which adds a cue; what was rolled back has left none.
	if grown := b.lines(ctx, t) - before; grown <= counts["post"] || grown >= counts["post"]+counts["rpc"] {
		t.Errorf("%d lines more, after %d new lines and a part of %d calls", grown, counts["post"], counts["rpc"])
	}
}

func TestStandIn(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	b := start(ctx, t)
	url := b.standIn(ctx, t, webtest.Options{Pool: 4, PreRequest: true})
	t.Run("mix", func(t *testing.T) { b.drive(ctx, t, url) })
	t.Run("without a token", func(t *testing.T) { withoutToken(ctx, t, b, url) })
	t.Run("tokens that are refused", func(t *testing.T) { refusedTokens(ctx, t, url) })
	t.Run("rollback is ignored", func(t *testing.T) {
		notes, err := Prepare(ctx, Options{URL: b.standIn(ctx, t, webtest.Options{Pool: 1, NoOverride: true}), Secret: secret})
		if err != nil || len(notes) != 2 || !strings.Contains(notes[1], "tx=rollback") {
			t.Errorf("%q, %v", notes, err)
		}
	})
	t.Run("wrong scale", func(t *testing.T) {
		if _, err := Prepare(ctx, Options{URL: url, Scale: 3}); err == nil || !strings.Contains(err.Error(), "smaller than scale 3") {
			t.Errorf("%v", err)
		}
	})
	t.Run("own requests", func(t *testing.T) { ownRequests(ctx, t, url) })
	t.Run("database gone", func(t *testing.T) {
		if err := b.pg.Halt(ctx, "immediate"); err != nil {
			t.Fatal(err)
		}
		counts := tally(ctx, t, Options{URL: url, Requests: "GET /playwright?id=eq.1"}, 2, 3)
		if counts["GET /playwright"] > 0 || counts["GET /playwright http-503"]+counts["GET /playwright http-500"] != 6 {
			t.Errorf("%v", counts)
		}
	})
}

func withoutToken(ctx context.Context, t *testing.T, b *behind, url string) {
	notes, err := Prepare(ctx, Options{URL: url})
	if err != nil || len(notes) != 2 || !strings.Contains(notes[1], "(post, patch, rpc by POST, prereq-rollback) are left out") {
		t.Errorf("%q, %v", notes, err)
	}
	before := b.lines(ctx, t)
	counts := tally(ctx, t, Options{URL: url}, 4, 50)
	if sum := counts["get-by-pk"] + counts["get-list"] + counts["get-embed"] + counts["head-count"] + counts["rpc"]; sum != 200 {
		t.Errorf("%v", counts)
	}
	if after := b.lines(ctx, t); after != before {
		t.Errorf("%d lines became %d", before, after)
	}
}

func refusedTokens(ctx context.Context, t *testing.T, url string) {
	anon, err := Sign(secret, "web_anon", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	late, err := Sign(secret, DefaultRole, -time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"another secret": {URL: url, Secret: strings.Repeat("x", 32)},
		"another role":   {URL: url, Token: anon},
		"too late":       {URL: url, Token: late},
	} {
		if _, err := Prepare(ctx, o); err == nil || !strings.Contains(err.Error(), "refuses the token") && !strings.Contains(err.Error(), "does not serve the sample") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func ownRequests(ctx context.Context, t *testing.T, url string) {
	notes, err := Prepare(ctx, Options{URL: url, Requests: "DELETE /dialogue"})
	if err != nil || len(notes) != 0 {
		t.Errorf("%q, %v", notes, err)
	}
	counts := tally(ctx, t, Options{URL: url, Secret: secret, Requests: `
		3 GET /playwright?id=eq.{1..20}
		GET /nothing
		POST /rpc/add_cue {"scene_id": {9999..9999}, "line": "Nobody hears this."}`}, 4, 50)
	if counts["GET /playwright"] == 0 || counts["GET /nothing http-404"] == 0 || counts["POST /rpc/add_cue http-404"] == 0 ||
		counts["GET /playwright"]+counts["GET /nothing http-404"]+counts["POST /rpc/add_cue http-404"] != 200 {
		t.Errorf("%v", counts)
	}
}

// TestPostgREST drives a real PostgREST, started with configs/postgrest.conf: the program that the variable POSTGREST names, or that of the PATH. It is no
// package of Debian's or of Go's, so where there is none only the stand-in is driven (TestStandIn).
func TestPostgREST(t *testing.T) {
	name := os.Getenv("POSTGREST")
	if name == "" {
		name = "postgrest"
	}
	binary, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no PostgREST to drive: %v; name the program in POSTGREST", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	b := start(ctx, t)
	url := "http://127.0.0.1:" + strconv.Itoa(freePort(t))
	cmd := exec.Command(binary, filepath.Join("..", "..", "configs", "postgrest.conf"))
	cmd.Env = append(os.Environ(), "PGRST_DB_URI="+b.url, "PGRST_JWT_SECRET="+secret, "PGRST_SERVER_PORT="+url[strings.LastIndex(url, ":")+1:])
	run(ctx, t, "PostgREST", cmd, func(p *proc.Process) error { return answers(ctx, p, url) })
	b.drive(ctx, t, url)
}

// answers waits until a PostgREST has read its schema.
func answers(ctx context.Context, p *proc.Process, url string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := http.Get(url + "/playwright?limit=1")
		if err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				http.DefaultClient.CloseIdleConnections()
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgREST is not ready: %w", err)
		case <-tick.C:
		}
		if err := p.Died(); err != nil {
			return err
		}
	}
}

var _ load.Client = (*client)(nil)
