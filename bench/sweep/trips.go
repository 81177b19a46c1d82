package sweep

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/bench/client"
	"poolerd/bench/delay"
	"poolerd/bench/load"
)

// The trial of countTrips: a few clients, each with a server to itself, so that what grows with the distance is the round trips and nothing else.
const (
	tripClients = 4
	tripRTT     = 4 * time.Millisecond
	tripWarmup  = 500 * time.Millisecond // clients and servers get to know the statements meanwhile
	tripNear    = 300 * time.Millisecond
	tripFar     = 800 * time.Millisecond
)

// countTrips finds how many round trips to PostgreSQL a transaction of the workload needs through the pooler, which may be fewer than the client's flights: by how much
// longer one takes when PostgreSQL is further away. A pool's servers are held for these, so this is what `bench plan --rtt` reckons with.
func (b *bench) countTrips(ctx context.Context) (float64, error) {
	config, err := pgconn.ParseConfig(b.stage.upstream)
	if err != nil {
		return 0, withoutPassword(err)
	}
	proxy, err := delay.Listen(ctx, delay.Options{Target: address(config)})
	if err != nil {
		return 0, err
	}
	defer func() { _ = proxy.Close() }()
	through, err := moved(b.stage.upstream, proxy.Addr().String())
	if err != nil {
		return 0, err
	}
	child, err := startPoolerd(ctx, b.o, through, tripClients)
	if err != nil {
		return 0, err
	}
	defer child.process.Stop()
	if child.config, err = client.Parse(child.url); err != nil {
		return 0, err
	}
	near, err := b.typical(ctx, child, tripNear)
	if err != nil {
		return 0, err
	}
	proxy.SetDelay(tripRTT)
	far, err := b.typical(ctx, child, tripFar)
	if err != nil {
		return 0, err
	}
	return max(0, float64(far-near)/float64(tripRTT)), nil
}

// typical is the latency of a trial: a low quantile of each kind of transaction, by their shares. A mean would count every
// pause of the machine as round trips.
func (b *bench) typical(ctx context.Context, s *subject, length time.Duration) (time.Duration, error) {
	b.runs++
	result, err := load.Run(ctx, load.Config{
		Connect: b.connector(cell{subject: s}), Clients: tripClients, Seed: b.seed(),
		Warmup: tripWarmup, Duration: length,
	})
	if err != nil {
		return 0, err
	}
	if result.Total.Count == 0 {
		return 0, errors.New("no transaction succeeded")
	}
	sum, whole := 0.0, 0.0
	for _, t := range b.o.Workload.Transactions {
		if series := result.ByName[t.Name]; series != nil && series.Count > 0 {
			sum += t.Share * float64(series.Latency.ValueAtPercentile(25))
			whole += t.Share
		}
	}
	return micros(sum / whole), nil
}
