package model

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"time"
)

// Question is a load that was not measured, and what there is to bear it. Zero values mean what the comments say.
type Question struct {
	Rate float64 // transactions a second, arriving as from many users (Poisson); needed
	SLO  *SLO    // nil: a fifth of the throughput is to be left over

	RTT           time.Duration // between poolerd and PostgreSQL; 0: as measured
	ClientLatency time.Duration // pause of the client between statements; 0: as measured
	ServerCores   float64       // of the database's machine; 0: as measured

	Instances   int     // of poolerd; 0: as many as are needed
	PoolerCores float64 // that each of them may use; 0: 1
	PoolSize    int     // of each; 0: as large as is needed

	Replicas       int // of PostgREST, each with a pool of
	DBPool         int // connections; 0: PostgREST is not looked at
	MaxConnections int // of PostgreSQL; 0: not looked at
}

// Plan is what a Question needs.
type Plan struct {
	PoolSize          int // of each poolerd; 0: no size will do
	Instances         int // of poolerd
	ServerConnections int // of all of them together

	Utilisation         float64       // share of the time that a server is held, 0 to 1
	Queue               time.Duration // mean wait for a server
	Mean, P50, P95, P99 time.Duration
	LargestRate         float64 // that this keeps the SLO at, or leaves a fifth over at
	DatabaseCores       float64 // processors that PostgreSQL computes with at this rate; 0: not known
	PoolerCores         float64 // that all poolerds together do; 0: not known

	Keeps   bool // the rate is carried, and the SLO kept, within the limits of the question
	Trusted bool
	Why     string // why it is not trusted, or what the trust rests on
	Lines   []string
}

const (
	spare    = 0.8 // of a throughput may be used where no SLO says more
	fullest  = 0.9 // of a throughput is never planned with more: beyond it latency is a matter of luck
	loaded   = 0.7 // of a processor may be used where latency counts
	reserved = 3   // connections that PostgreSQL keeps for superusers (superuser_reserved_connections)
)

func (q Question) check() error {
	switch {
	case !(q.Rate > 0) || q.Rate > 1e9:
		return fmt.Errorf("rate %v is not a number of transactions a second above 0", q.Rate)
	case q.RTT < 0 || q.RTT > time.Minute || q.ClientLatency < 0 || q.ClientLatency > time.Hour:
		return fmt.Errorf("round trip %v or client latency %v is negative, or beyond all reason", q.RTT, q.ClientLatency)
	case !amount(q.ServerCores) || q.ServerCores > 1e5 || !amount(q.PoolerCores) || q.PoolerCores > 1e5:
		return errors.New("a number of cores is negative, or not a number")
	case min(q.Instances, q.PoolSize, q.Replicas, q.DBPool, q.MaxConnections) < 0 || max(q.Instances, q.PoolSize) > maxPool || max(q.Replicas, q.DBPool) > 1<<20:
		return fmt.Errorf("instances %d, pool size %d, replicas %d, db-pool %d or max_connections %d is negative, or beyond all reason", q.Instances, q.PoolSize, q.Replicas, q.DBPool, q.MaxConnections)
	case (q.Replicas > 0) != (q.DBPool > 0):
		return errors.New("replicas of PostgREST and its db-pool belong together: give both")
	}
	if q.SLO != nil {
		return q.SLO.check()
	}
	return nil
}

// scene is a question with what the model says of its surroundings.
type scene struct {
	m         *Model
	q         Question
	station   Station // with the question's round trips and processors
	instances int
	clients   int       // connections of all PostgRESTs; 0: no limit
	inner     []float64 // of all servers together
	doubt     float64   // standard error of throughput
	most      float64   // throughput at any number of servers
}

// setting prepares q.
func (m *Model) setting(q Question) (*scene, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	p := m.Parameters
	s := &scene{m: m, q: q, station: p.station(q), instances: q.Instances, clients: q.Replicas * q.DBPool}
	if s.q.PoolerCores == 0 {
		s.q.PoolerCores = 1
	}
	if s.instances == 0 {
		s.instances = max(1, int(math.Ceil(q.Rate*p.PoolerCPUUS*1e-6/(s.q.PoolerCores*loaded)-1e-9)))
	}
	if s.instances > maxPool {
		return nil, fmt.Errorf("rate %s/s would need %s instances of poolerd", figure(q.Rate), whole(float64(s.instances)))
	}
	last := p.PoolSizes[len(p.PoolSizes)-1]
	s.doubt = min(0.3, m.doubt(last, p.Clients[len(p.Clients)-1]))
	s.inner = s.station.inner(s.enough())
	s.most, _ = capacity(s.inner)
	return s, nil
}

// enough is a number of servers beyond which none adds throughput: the inner network saturates when there are several times as many as fit into its delay and the
// database.
func (s *scene) enough() int {
	full := max(1, s.station.Cores)
	if s.station.Shape == ShapeUSL {
		full = 64
		if n, _ := (USL{Sigma: s.station.Sigma, Kappa: s.station.Kappa, Lambda: 1}).Peak(); n < 1000 {
			full = n
		}
	}
	n := int(math.Ceil(2*full*(1+s.station.DelayUS/s.station.ServiceUS))) + 8
	return max(min(n, maxPool), min(s.q.PoolSize*s.instances, maxPool), s.instances)
}

// station is the measured one moved to where q wants it: the delay changes by the difference of the round trips.
func (p Parameters) station(q Question) Station {
	s := p.Station
	h := p.hints()
	before := h.knownDelay()
	if q.RTT > 0 {
		h.RTT = q.RTT
	}
	if q.ClientLatency > 0 {
		h.ClientLatency = q.ClientLatency
	}
	s.DelayUS = max(0, s.DelayUS+(h.knownDelay()-before)*1e6)
	if q.ServerCores > 0 && p.Cores > 0 {
		s.Cores *= q.ServerCores / p.Cores
	}
	return s
}

// rates are the throughputs of one poolerd with 1 to size of its servers held, while the others hold as many: its part of the database's.
func (s *scene) rates(size int) []float64 {
	rates := make([]float64, size)
	for n := range rates {
		rates[n] = s.inner[min((n+1)*s.instances, len(s.inner))-1] / float64(s.instances)
	}
	return rates
}

func (s *scene) departing(size int) float64 {
	return s.station.departing(s.m.Parameters.HoldCV, s.m.Parameters.ServiceCV, s.inner[min(size*s.instances, len(s.inner))-1])
}

// quantile and limit are what the SLO asks for; without one the p99, without limit.
func (s *scene) slo() (q, limit float64) {
	if s.q.SLO == nil {
		return 0.99, math.Inf(1)
	}
	return min(0.99, s.q.SLO.Quantile), seconds(s.q.SLO.Limit)
}

// largest is the highest rate, of all instances together, that pools of a size keep the SLO at. part is how much of the predicted throughput is believed in.
func (s *scene) largest(size int, part float64) float64 {
	p := s.m.Parameters
	rates := s.rates(size)
	scale(rates, part)
	if s.q.SLO == nil {
		return spare * rates[size-1] * float64(s.instances)
	}
	q, limit := s.slo()
	return largestRate(rates, p.OverheadUS*1e-6, p.HoldCV, s.departing(size), q, limit, s.correction(size, q)) * float64(s.instances)
}

// correction is what measured quantiles had more than the model's, near a pool that is not overrun.
func (s *scene) correction(size int, q float64) float64 {
	p := s.m.Parameters
	total := size * s.instances
	ratio := func(c Cell) float64 { return c.P99 }
	switch {
	case q <= 0.5:
		ratio = func(c Cell) float64 { return c.P50 }
	case q <= 0.95:
		ratio = func(c Cell) float64 { return c.P95 }
	}
	return nearby(p.Cells, total, total, 1, ratio)
}

// carries tells whether pools of a size carry the rate and keep the SLO.
func (s *scene) carries(size int, part float64) bool {
	p := s.m.Parameters
	rates := s.rates(size)
	scale(rates, part)
	arrivals := s.q.Rate / float64(s.instances)
	if s.q.SLO == nil {
		return arrivals <= spare*rates[size-1]
	}
	state, ok := open(arrivals, rates)
	if !ok || arrivals > fullest*rates[size-1] {
		return false
	}
	q, limit := s.slo()
	return state.latency(p.OverheadUS*1e-6, p.HoldCV, s.departing(size)).above(limit/s.correction(size, q)) <= 1-q
}

// size is the smallest pool of each instance that carries the rate, even with the throughput at the lower end of what is predicted where there is such a one; 0: none does.
func (s *scene) size() (size int, only bool) {
	most := s.useful()
	for _, part := range []float64{1 - 2*s.doubt, 1} {
		// Up to what is useful each server adds throughput, so where one size carries it, all larger ones do.
		if i := sort.Search(most, func(i int) bool { return s.carries(i+1, part) }); i < most {
			return i + 1, part == 1
		}
	}
	return 0, false
}

// useful is the largest pool of an instance that can be of use: beyond it throughput does not grow, or there are no clients for it.
func (s *scene) useful() int {
	best := 1
	for k, x := range s.inner {
		if x > s.inner[best-1]*(1+1e-4) {
			best = k + 1
		}
	}
	if s.clients > 0 {
		best = min(best, s.clients)
	}
	return max(1, (best+s.instances-1)/s.instances)
}

// Plan says what q needs. A question that makes no sense is an error; one that cannot be met is a Plan that does not keep it, and says what is missing.
func (m *Model) Plan(q Question) (Plan, error) {
	s, err := m.setting(q)
	if err != nil {
		return Plan{}, err
	}
	p := m.Parameters
	plan := Plan{Instances: s.instances, DatabaseCores: q.Rate * p.ServerCPUUS * 1e-6, PoolerCores: q.Rate * p.PoolerCPUUS * 1e-6}
	only := false
	if plan.PoolSize = q.PoolSize; plan.PoolSize == 0 {
		plan.PoolSize, only = s.size()
	}
	size := plan.PoolSize
	if size == 0 {
		size = s.useful() // the figures of the largest that makes sense, for the words
	}
	plan.ServerConnections = size * s.instances
	plan.LargestRate = s.largest(size, 1)
	if state, ok := open(q.Rate/float64(s.instances), s.rates(size)); ok {
		l := state.latency(p.OverheadUS*1e-6, p.HoldCV, s.departing(size))
		plan.Utilisation = state.busy / float64(size)
		plan.Queue = duration(state.waiting / (q.Rate / float64(s.instances)) * (1 + s.departing(size)) / 2)
		plan.Mean = duration(l.mean())
		plan.P50 = duration(l.quantile(0.5) * s.correction(size, 0.5))
		plan.P95 = max(plan.P50, duration(l.quantile(0.95)*s.correction(size, 0.95)))
		plan.P99 = max(plan.P95, duration(l.quantile(0.99)*s.correction(size, 0.99)))
	} else {
		plan.Utilisation = 1
	}
	plan.Keeps = plan.PoolSize > 0 && s.carries(plan.PoolSize, 1)
	plan.Trusted, plan.Why = s.trust(plan, only)
	s.explain(&plan)
	return plan, nil
}
