package main

import (
	"context"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"poolerd/bench/postgres"
)

// again is PostgreSQL itself under another name: a peer that is always there.
type again struct{ direct }

func (again) name() string { return "again" }

// gone is a pooler that does not start.
type gone struct{}

func (gone) name() string { return "gone" }

func (gone) start(context.Context, setup) (*endpoint, error) {
	return nil, context.DeadlineExceeded
}

// TestCellAgainstPostgreSQL runs the PostgREST-like load for a second against a
// real server, with one pooler missing, and expects the one that is there
// measured and the other told.
func TestCellAgainstPostgreSQL(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cluster, err := postgres.Start(ctx, postgres.Options{Sample: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	to := &target{cluster: cluster, host: cluster.Host(), port: cluster.Port(), user: targetUser, database: targetDatabase}
	if to.pgbench, err = findPgbench(cluster.BinDir()); err != nil {
		t.Fatal(err)
	}
	if err := to.writeScript(ctx, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	chosen, err := chooseLoads("postgrest-prepared")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		options: options{rounds: 1, seconds: 1, warmup: 1, jobs: 1, poolSize: 1},
		target:  to, subject: again{}, reference: gone{},
		random: rand.New(rand.NewPCG(1, 1)), log: io.Discard,
	}
	r, err := b.cell(ctx, cell{load: chosen[0], clients: 2})
	if err != nil {
		t.Fatal(err)
	}
	s := r.rounds["again"][0]
	if s.broken || s.failed != 0 || len(s.trouble) != 0 || s.window.transactions < 10 || s.window.latency() <= 0 {
		t.Errorf("sample = %+v; want some transactions and no trouble", s)
	}
	if len(r.trouble) != 1 || !strings.Contains(r.trouble[0], "gone did not start") {
		t.Errorf("trouble = %q; want the missing pooler told", r.trouble)
	}
	if got := r.failures("gone"); got != "absent" {
		t.Errorf("failures of the missing pooler: %q", got)
	}

	// A role that does not exist fails every login: a broken sample with the
	// server's words, not a hang and not a figure.
	to.user = "nobody_of_this_name"
	e, err := direct{}.start(ctx, b.setup(r.cell))
	if err != nil {
		t.Fatal(err)
	}
	s = b.sample(ctx, r.cell, e)
	if !s.broken || !strings.Contains(strings.Join(s.trouble, "\n"), "does not exist") {
		t.Errorf("sample without a login = %+v; want it broken, with the reason", s)
	}
}
