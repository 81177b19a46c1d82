package admin

import (
	"cmp"
	"slices"

	"poolerd/pool"
	"poolerd/wire"
)

func poolColumns() []column {
	return slices.Concat(
		columnsOf(text, "database", "user"),
		columnsOf(int4, "cl_active", "cl_waiting", "cl_active_cancel_req", "cl_waiting_cancel_req",
			"sv_active", "sv_active_cancel", "sv_being_canceled", "sv_idle", "sv_used", "sv_tested", "sv_login", "maxwait", "maxwait_us"),
		columnsOf(text, "pool_mode", "load_balance_hosts"),
		own(columnsOf(int4, "pool_size", "reserve_pool_size", "pinned")),
	)
}

// pools gives every pool, the console's own among them, by database and user.
func (c *Console) pools() []pool.PoolInfo {
	all := append(c.pooler.Pools(), c.pooler.ConsolePool())
	slices.SortFunc(all, func(a, b pool.PoolInfo) int {
		return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.User, b.User))
	})
	return all
}

func (c *Console) showPools() (result, *wire.Error) { return rows(poolRows(c.pools())) }

// poolRows shows a cancel request under way three times, as PgBouncer does: the client that asked for it, and the connection that carries it; and where it keeps a server from
// its next client, that one.
func poolRows(pools []pool.PoolInfo) [][]any {
	var all [][]any
	for _, p := range pools {
		s, us := seconds(p.LongestWait)
		all = append(all, []any{
			p.Database, p.User,
			p.Active, p.Waiting, p.Cancels, 0,
			p.ServersActive, p.Cancels, p.BeingCanceled, p.ServersIdle, p.ServersUsed, p.ServersTested, p.ServersOpening, s, us,
			p.Mode.String(), balance(p.Hosts, p.LoadBalance),
			p.Size, p.Reserve, p.Totals.Pinned,
		})
	}
	return all
}

// balance is how several hosts are taken; NULL where there is but one.
func balance(hosts int, inTurn bool) any {
	switch {
	case hosts < 2:
		return nil
	case inTurn:
		return "round-robin"
	}
	return "disable"
}
