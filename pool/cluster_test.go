package pool

import (
	"context"
	"testing"

	"poolerd/bench/postgres"
)

// startCluster starts a real PostgreSQL, which is stopped when the test is over.
func startCluster(t *testing.T) *postgres.Cluster {
	t.Helper()
	cluster, err := postgres.Start(t.Context(), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return cluster
}
