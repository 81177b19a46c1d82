package workload

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"poolerd/bench/postgres"
)

// started tells that the server was asked for.
var started atomic.Bool

// server is the private PostgreSQL that this package's tests share.
var server = sync.OnceValues(func() (*postgres.Cluster, error) {
	return postgres.Start(context.Background(), postgres.Options{Sample: true})
})

// Server gives the server that the tests share, with the sample in the database "fountain".
func Server(t testing.TB) *postgres.Cluster {
	t.Helper()
	started.Store(true)
	c, err := server()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// StopServer stops it where it was started.
func StopServer() error {
	if !started.Load() {
		return nil
	}
	c, err := server()
	if err != nil {
		return err
	}
	return c.Stop(context.Background())
}
