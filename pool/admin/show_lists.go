package admin

import "poolerd/wire"

func listColumns() []column { return []column{{name: "list", kind: text}, {name: "items", kind: int4}} }

// showLists counts what there is. Nothing is kept for later use, so that the free lists are empty.
func (c *Console) showLists() (result, *wire.Error) {
	conf, pools, clients, logins := c.pooler.Config(), c.pools(), c.clients(), c.pooler.Logins()
	open := 0
	for _, p := range pools {
		open += p.Servers()
	}
	return rows([][]any{
		{"databases", len(databaseNames(conf, pools))},
		{"users", len(c.userNames(conf))},
		{"peers", len(conf.Peers)},
		{"pools", len(pools)},
		{"peer_pools", len(c.pooler.PeerPools())},
		{"free_clients", 0},
		{"used_clients", len(clients) + logins},
		{"login_clients", logins},
		{"free_servers", 0},
		{"used_servers", open},
		{"dns_names", len(c.pooler.Names())},
		{"dns_zones", 0},
		{"dns_queries", 0},
		{"dns_pending", 0},
	})
}
