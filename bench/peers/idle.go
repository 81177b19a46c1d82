package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"poolerd/bench/proc"
)

// idleResult is what a pooler holds for clients that do nothing.
type idleResult struct {
	name string
	// resident bytes before the clients came, with the clients logged in, and
	// after each of them has also run one query.
	before, loggedIn, queried int64
	err                       error
}

// each returns the bytes for one of n clients.
func each(after, before int64, n int) float64 { return float64(after-before) / float64(n) }

// idleClients measures all poolers, one after the other.
func (b *bench) idleClients(ctx context.Context) []idleResult {
	var results []idleResult
	for _, p := range b.poolers() {
		fmt.Fprintf(b.log, "idle: %d clients of %s\n", b.options.idle, p.name())
		r := idleResult{name: p.name()}
		r.err = b.idleOne(ctx, p, &r)
		results = append(results, r)
	}
	return results
}

// idleOne starts a pooler, warms it, and logs the clients in.
func (b *bench) idleOne(ctx context.Context, p pooler, r *idleResult) error {
	e, err := p.start(ctx, setup{
		target: b.target, prepared: true,
		poolSize: b.options.poolSize, maxClients: b.options.idle + 100,
	})
	if err != nil {
		return err
	}
	defer e.stop()
	url, pid := b.target.url(e.host, e.port), e.process.PID()
	if err := b.warm(ctx, url); err != nil {
		return err
	}
	if r.before, err = settledMemory(ctx, pid); err != nil {
		return err
	}
	clients, err := connectMany(ctx, url, b.options.idle)
	defer closeMany(clients)
	if err != nil {
		return err
	}
	if r.loggedIn, err = settledMemory(ctx, pid); err != nil {
		return err
	}
	if err := eachClient(ctx, clients, func(c *pgconn.PgConn) error {
		_, err := c.Exec(ctx, "select 1").ReadAll()
		return err
	}); err != nil {
		return err
	}
	if r.queried, err = settledMemory(ctx, pid); err != nil {
		return err
	}
	return e.died()
}

// warm opens all the server connections that the pool may hold, so that their
// memory is not taken for the clients'.
func (b *bench) warm(ctx context.Context, url string) error {
	clients, err := connectMany(ctx, url, b.options.poolSize)
	defer closeMany(clients)
	if err != nil {
		return err
	}
	var group errgroup.Group
	for _, c := range clients {
		group.Go(func() error {
			_, err := c.Exec(ctx, "select pg_sleep(0.2)").ReadAll()
			return err
		})
	}
	return group.Wait()
}

// loginsAtOnce is how many clients log in or ask at the same time: few, so
// that what is left in memory is the clients and not a storm.
const loginsAtOnce = 8

// connectMany opens n connections. Those opened are returned beside an error.
func connectMany(ctx context.Context, url string, n int) ([]*pgconn.PgConn, error) {
	var (
		mu      sync.Mutex
		clients []*pgconn.PgConn
	)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(loginsAtOnce)
	for range n {
		group.Go(func() error {
			c, err := pgconn.Connect(ctx, url)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			clients = append(clients, c)
			return nil
		})
	}
	err := group.Wait()
	if err != nil {
		err = fmt.Errorf("client %d of %d: %w", len(clients)+1, n, err)
	}
	return clients, err
}

// eachClient calls f for each client, a few at a time.
func eachClient(ctx context.Context, clients []*pgconn.PgConn, f func(*pgconn.PgConn) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(loginsAtOnce)
	for _, c := range clients {
		group.Go(func() error { return errors.Join(ctx.Err(), f(c)) })
	}
	return group.Wait()
}

// closeMany closes connections within a short limit; a pooler that no longer
// listens to them is stopped right after.
func closeMany(clients []*pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), proc.StopLimit)
	defer cancel()
	_ = eachClient(ctx, clients, func(c *pgconn.PgConn) error { return c.Close(ctx) })
}

const (
	settleStep  = 250 * time.Millisecond
	settleSteps = 8                // readings that must agree: 2 s
	settleLimit = 20 * time.Second // then the last reading counts
)

// settledMemory returns the resident memory of a process once it has not moved
// by more than 64 kB for 2 s: a runtime with a garbage collector gives the
// memory of the logins back some time after them.
func settledMemory(ctx context.Context, pid int) (int64, error) {
	const slack = 64 << 10
	deadline := time.Now().Add(settleLimit)
	step := time.NewTicker(settleStep)
	defer step.Stop()
	var reference int64
	agreed := 0
	for {
		now, err := proc.RSS(pid)
		if err != nil {
			return 0, err
		}
		if diff := now - reference; diff > slack || diff < -slack {
			reference, agreed = now, 0
		}
		if agreed++; agreed > settleSteps || time.Now().After(deadline) {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-step.C:
		}
	}
}
