package pool

import (
	"cmp"
	"slices"
	"time"

	"poolerd/pool/config"
	"poolerd/pool/metrics"
)

// PoolInfo is one pool at an instant.
type PoolInfo struct {
	Database, User string
	Mode           config.Mode
	Size, Reserve  int
	Clients        int // logged in
	Active         int // clients that have a server or rest without one
	Waiting        int
	Cancels        int // cancel requests under way to PostgreSQL
	ServersActive  int // a client has them, those of replication among them
	ServersIdle    int
	ServersUsed    int // idle for longer than server_check_delay, and not among ServersIdle
	ServersTested  int // checked, or put right behind a client
	ServersOpening int
	BeingCanceled  int // servers that wait for a cancel request to pass
	Hosts          int // that the database names
	LoadBalance    bool
	LongestWait    time.Duration // of those that wait now
	Totals         metrics.Totals
	Last           metrics.Totals // since LastTook ago
	LastTook       time.Duration  // the last full stats_period, and what has passed of the next one
}

// Pools gives every pool, by database and user, but for the console's: see ConsolePool.
func (p *Pooler) Pools() []PoolInfo {
	now, holders, conf := time.Now(), p.holders(), p.config()
	took := p.stats.since(now)
	var all []PoolInfo
	for _, pool := range p.allPools() {
		i := pool.info(now, holders, conf)
		i.LastTook = took
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b PoolInfo) int {
		return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.User, b.User))
	})
	return all
}

func (p *Pool) info(now time.Time, holders map[uint64]ClientInfo, conf *config.Config) PoolInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.queue.len + p.frozen.len + len(p.seekers)
	i := PoolInfo{
		Database: p.key.Database, User: p.key.User, Mode: p.conf.Mode, Size: p.conf.Size, Reserve: p.conf.ReserveSize,
		Clients: p.totals.Clients, Waiting: waiting, Active: p.totals.Clients - waiting, ServersActive: len(p.replicas), ServersOpening: p.opening,
		Hosts: len(p.conf.Database.Hosts()), LoadBalance: p.conf.Database.LoadBalance,
		Totals: p.totals, Last: p.totals.Minus(p.marks.older),
	}
	for _, w := range []*waiter{p.queue.first, p.frozen.first} {
		if w != nil {
			i.LongestWait = max(i.LongestWait, now.Sub(w.since))
		}
	}
	if len(p.seekers) > 0 {
		i.LongestWait = max(i.LongestWait, now.Sub(p.seekers[0].since))
	}
	for s, state := range p.states(holders, conf, now) {
		i.Cancels += int(s.pending.Load())
		switch state {
		case ServerActive:
			i.ServersActive++
		case ServerIdle:
			i.ServersIdle++
		case ServerUsed:
			i.ServersUsed++
		case ServerTested:
			i.ServersTested++
		case ServerBeingCanceled:
			i.BeingCanceled++
		}
	}
	return i
}

// Servers counts those that are open or being opened.
func (i PoolInfo) Servers() int {
	return i.ServersActive + i.ServersIdle + i.ServersUsed + i.ServersTested + i.BeingCanceled + i.ServersOpening
}
