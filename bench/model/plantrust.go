package model

import (
	"fmt"
	"math"
)

// trust decides whether a plan may be believed: the model itself must be, and the question must not lead where nothing was measured. What counts for that is how many
// transactions are in the database at once, not how many servers are held: those that wait for a round trip load nothing.
func (s *scene) trust(plan Plan, only bool) (bool, string) {
	p := s.m.Parameters
	last, most := p.PoolSizes[len(p.PoolSizes)-1], p.Clients[len(p.Clients)-1]
	if ok, why := s.m.trust((p.PoolSizes[0]+last+1)/2, most, s.m.doubt((p.PoolSizes[0]+last+1)/2, most)); !ok {
		return false, "the model itself is not to be trusted: " + why
	}
	measured := atWork(p.Station, min(last, most))
	asked := min(s.q.Rate, s.most) * s.station.ServiceUS * 1e-6
	switch {
	case s.q.Rate > s.most:
		return false, fmt.Sprintf("%s/s are above the %s/s that the database can do", figure(s.q.Rate), figure(s.most))
	case s.q.Rate > s.most*fullest:
		return false, fmt.Sprintf("%s/s are so near to the %s/s that the database can do that latency is a matter of luck", figure(s.q.Rate), figure(s.most))
	case s.q.RTT > 0 && p.RoundTrips == 0:
		return false, "how many round trips a transaction makes was not measured, so what another round trip time does is not known"
	case s.q.ServerCores > 0 && p.Cores == 0:
		return false, "how many cores the database had is not known, so what others do is not known either"
	case s.q.ServerCores > 0 && s.station.Shape != ShapeCores:
		return false, "the measurements fit a law that does not speak of processors, so what others do is not known"
	case s.q.ServerCores > 2*p.Cores && p.Cores > 0:
		return false, fmt.Sprintf("%s cores are more than twice those of the machine that was measured, %s", short(s.q.ServerCores), short(p.Cores))
	case asked > 2*measured:
		return false, fmt.Sprintf("some %s transactions would be in the database at once, more than twice the %s that were measured", short(asked), short(measured))
	case only:
		return false, fmt.Sprintf("it is kept by what is predicted, but not if throughput is lower by the prediction's own uncertainty, %s", percent(2*s.doubt))
	}
	return true, fmt.Sprintf("the database would be used as it was measured: up to %s transactions in it at once", short(max(1, math.Ceil(asked))))
}

// capped tells whether there are fewer clients than servers could be used.
func (s *scene) capped() bool {
	free := *s
	free.clients = 0
	return s.useful() < free.useful()
}

// atWork is how many of size held servers' transactions are in the database, not on the way.
func atWork(s Station, size int) float64 {
	inner := s.inner(size)
	return max(1, float64(size)-inner[size-1]*s.DelayUS*1e-6)
}

// explain writes the lines of a plan.
func (s *scene) explain(plan *Plan) {
	add := func(format string, args ...any) { plan.Lines = append(plan.Lines, fmt.Sprintf(format, args...)) }
	switch {
	case plan.PoolSize == 0:
		add("no pool size carries %s/s%s: the most is about %s/s, with %s", figure(s.q.Rate), s.keeping(), figure(plan.LargestRate), counted(plan.ServerConnections, "server connection"))
	case !plan.Keeps:
		add("pool_size %d for each of %s does not carry %s/s%s: the most is about %s/s", plan.PoolSize, counted(plan.Instances, "poolerd"), figure(s.q.Rate), s.keeping(), figure(plan.LargestRate))
	default:
		add("pool_size %d for each of %s: %s", plan.PoolSize, counted(plan.Instances, "poolerd"), counted(plan.ServerConnections, "server connection"))
		add("at %s/s servers are held %s of the time, the mean wait for one is %s, p50 %s, p95 %s, p99 %s%s; it goes up to about %s/s",
			figure(s.q.Rate), percent(plan.Utilisation), span(plan.Queue), span(plan.P50), span(plan.P95), span(plan.P99), s.keeping(), figure(plan.LargestRate))
	}
	add("%s", s.holding())
	s.explainDatabase(plan, add)
	s.explainPoolers(plan, add)
	s.explainClients(plan, add)
	if plan.Trusted {
		add("to be trusted: %s", plan.Why)
	} else {
		add("not to be trusted: %s", plan.Why)
	}
}

func (s *scene) keeping() string {
	if s.q.SLO == nil {
		return " with a fifth to spare"
	}
	return " within " + s.q.SLO.String()
}

// holding says what a server is held for.
func (s *scene) holding() string {
	p := s.m.Parameters
	out := fmt.Sprintf("a transaction alone holds a server for %s, %s of it in the database", spanOf((s.station.DelayUS+s.station.ServiceUS)*1e-6), spanOf(s.station.ServiceUS*1e-6))
	rtt := p.RTTUS * 1e-6
	if s.q.RTT > 0 {
		rtt = seconds(s.q.RTT)
	}
	if p.RoundTrips > 0 && rtt > 0 {
		out += fmt.Sprintf(", with %s round trips of %s", short(p.RoundTrips), spanOf(rtt))
	}
	return out
}

func (s *scene) explainDatabase(plan *Plan, add func(string, ...any)) {
	cores := s.m.Parameters.Cores
	if s.q.ServerCores > 0 {
		cores = s.q.ServerCores
	}
	if plan.DatabaseCores > 0 {
		line := fmt.Sprintf("PostgreSQL computes with %s cores at that rate (%s a transaction)", short(plan.DatabaseCores), spanOf(s.m.Parameters.ServerCPUUS*1e-6))
		need := math.Ceil(plan.DatabaseCores / loaded)
		switch {
		case cores == 0:
			line += fmt.Sprintf(": give it %s", counted(int(need), "core"))
		case plan.DatabaseCores > cores:
			line += fmt.Sprintf(", and has %s: it needs %s", short(cores), counted(int(need), "core"))
		case plan.DatabaseCores > loaded*cores:
			line += fmt.Sprintf(" of %s: for the sake of latency give it %s", short(cores), whole(need))
		default:
			line += fmt.Sprintf(" of %s", short(cores))
		}
		add("%s", line)
	}
	if limit := s.q.MaxConnections; limit > 0 {
		if plan.ServerConnections > limit-reserved {
			plan.Keeps = false
			add("%s do not fit into max_connections %d, %d of which are kept for superusers: raise it to %d", counted(plan.ServerConnections, "server connection"), limit, reserved, plan.ServerConnections+reserved)
		} else {
			add("that leaves %d of max_connections %d, %d of which are kept for superusers", limit-plan.ServerConnections, limit, reserved)
		}
	}
}

func (s *scene) explainPoolers(plan *Plan, add func(string, ...any)) {
	if plan.PoolerCores == 0 {
		add("what poolerd computes for a transaction was not measured, so how many are needed is not known")
		return
	}
	need := max(1, int(math.Ceil(plan.PoolerCores/(s.q.PoolerCores*loaded)-1e-9)))
	line := fmt.Sprintf("poolerd computes with %s cores at that rate (%s a transaction)", short(plan.PoolerCores), spanOf(s.m.Parameters.PoolerCPUUS*1e-6))
	if need > plan.Instances {
		plan.Keeps = false
		add("%s: %s with %s each are too few, it takes %d", line, counted(plan.Instances, "instance"), counted(int(math.Ceil(s.q.PoolerCores)), "core"), need)
		return
	}
	add("%s: %s with %s each will do", line, counted(need, "instance"), counted(int(math.Ceil(s.q.PoolerCores)), "core"))
}

// explainClients looks at PostgREST's own pools: in flight at once are as many transactions as Little's law says.
func (s *scene) explainClients(plan *Plan, add func(string, ...any)) {
	if s.clients == 0 {
		return
	}
	flight := s.q.Rate * seconds(plan.Mean)
	line := fmt.Sprintf("%s of PostgREST with db-pool %d are %s to poolerd", counted(s.q.Replicas, "replica"), s.q.DBPool, counted(s.clients, "connection"))
	switch {
	case plan.PoolSize == 0 && s.capped():
		plan.Keeps = false
		add("%s: too few, since so many servers do not carry that rate", line)
	case plan.Mean == 0:
		add("%s, in place of as many to PostgreSQL", line)
	case flight > loaded*float64(s.clients):
		plan.Keeps = false
		add("%s: too few, since %s transactions are under way at once; it takes about %s", line, figure(flight), counted(int(math.Ceil(flight/loaded)), "connection"))
	default:
		add("%s, of which %s are under way at once; without a pooler PostgreSQL would hold all %s", line, figure(flight), whole(float64(s.clients)))
	}
}
