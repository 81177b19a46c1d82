package admin

import (
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
		columnsOf(int4, "pool_size", "reserve_pool_size", "pinned"), // ours
	)
}

func (c *Console) showPools() (result, *wire.Error) { return rows(poolRows(c.pooler.Pools())) }

func poolRows(pools []pool.PoolInfo) [][]any {
	var all [][]any
	for _, p := range pools {
		s, us := seconds(p.LongestWait)
		all = append(all, []any{
			p.Database, p.User,
			p.Active, p.Waiting, 0, 0,
			p.ServersBusy, 0, 0, p.ServersIdle, 0, 0, p.ServersOpening, s, us,
			p.Mode.String(), nil,
			p.Size, p.Reserve, p.Totals.Pinned,
		})
	}
	return all
}
