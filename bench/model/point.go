package model

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Point is one measured cell: a pool size under a load, all its rounds merged.
type Point struct {
	PoolSize int     // servers that the pool may use; at least 1
	Clients  int     // at least 1; in an open loop, how many transactions could run at once
	TPS      float64 // successful transactions a second
	Noise    float64 // relative standard error of TPS over rounds or intervals: 0.02 is 2%; 0: not known

	Mean, P50, P95, P99 time.Duration // latency as the client sees it; 0: not known

	Offered float64       // open loop: transactions a second that were scheduled; 0: closed loop
	Queue   time.Duration // mean wait for a server, as the pooler tells; 0: not known
	Failed  float64       // share of transactions that failed, 0 to 1

	ServerCores float64 // processors that PostgreSQL used; 0: not known
	PoolerCores float64 // processors that the pooler used; 0: not known
}

const (
	maxPool    = 4096    // the inner network costs the square of it
	maxClients = 1 << 20 // the outer one is linear
)

// check refuses what no measurement can be.
func (p Point) check() error {
	switch {
	case p.PoolSize < 1 || p.PoolSize > maxPool:
		return fmt.Errorf("pool size %d of a measured point is not between 1 and %d", p.PoolSize, maxPool)
	case p.Clients < 1 || p.Clients > maxClients:
		return fmt.Errorf("%d clients of a measured point are not between 1 and %d", p.Clients, maxClients)
	case !amount(p.TPS) || p.TPS > 1e9:
		return fmt.Errorf("a throughput of %v transactions/s at pool size %d is not a measurement", p.TPS, p.PoolSize)
	case !amount(p.Noise), !amount(p.Offered), !amount(p.Failed), !amount(p.ServerCores), !amount(p.PoolerCores):
		return fmt.Errorf("the point at pool size %d and %d clients has a figure that is negative, infinite or not a number", p.PoolSize, p.Clients)
	case p.Failed > 1:
		return fmt.Errorf("a share of failures of %v at pool size %d is above 1", p.Failed, p.PoolSize)
	case min(p.Mean, p.P50, p.P95, p.P99, p.Queue) < 0 || max(p.Mean, p.P50, p.P95, p.P99, p.Queue) > 24*time.Hour:
		return fmt.Errorf("a latency at pool size %d and %d clients is negative or longer than a day", p.PoolSize, p.Clients)
	}
	return nil
}

// saturated tells whether more was asked than was done, so that throughput is a capacity: always so in a closed loop.
func (p Point) saturated() bool { return p.Offered == 0 || p.TPS < 0.9*p.Offered }

// usable are the points that tell something about capacity.
func usable(points []Point) (good []Point, err error) {
	if len(points) == 0 {
		return nil, errors.New("no measured points: run `poolerd bench` first")
	}
	for _, p := range points {
		if err := p.check(); err != nil {
			return nil, err
		}
		if p.TPS > 0 && p.saturated() && p.Failed < failedTooOften {
			good = append(good, p)
		}
	}
	if len(good) == 0 {
		return nil, errors.New("none of the measured points has throughput at its limit: measure a closed loop, or a rate above what the server can do")
	}
	return good, nil
}

// failedTooOften is the share of failures beyond which a point tells nothing about throughput.
const failedTooOften = 0.05

// amount tells whether x is a number that can count something.
func amount(x float64) bool { return x >= 0 && !math.IsInf(x, 1) }

func seconds(d time.Duration) float64 { return d.Seconds() }

// duration is s seconds, at most a day.
func duration(s float64) time.Duration {
	if math.IsNaN(s) || s < 0 {
		return 0
	}
	return time.Duration(min(s, 86400) * float64(time.Second))
}
