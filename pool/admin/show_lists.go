package admin

import (
	"poolerd/pool"
	"poolerd/wire"
)

func listColumns() []column { return []column{{"list", text}, {"items", int4}} }

// showLists counts what there is. The free lists, the peers and the caches of names are PgBouncer's own.
func (c *Console) showLists() (result, *wire.Error) {
	conf, pools, clients := c.pooler.Config(), c.pooler.Pools(), c.pooler.Clients()
	open, logins := 0, 0
	for _, p := range pools {
		open += servers(p)
	}
	for _, client := range clients {
		if client.State == pool.StateLogin {
			logins++
		}
	}
	return rows([][]any{
		{"databases", len(databaseRows(conf, pools))},
		{"users", len(userNames(conf, countUsers(pools, clients)))},
		{"peers", 0},
		{"pools", len(pools)},
		{"peer_pools", 0},
		{"free_clients", 0},
		{"used_clients", len(clients)},
		{"login_clients", logins},
		{"free_servers", 0},
		{"used_servers", open},
		{"dns_names", 0},
		{"dns_zones", 0},
		{"dns_queries", 0},
		{"dns_pending", 0},
	})
}
