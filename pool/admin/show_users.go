package admin

import (
	"maps"
	"slices"
	"strconv"

	"poolerd/pool"
	"poolerd/pool/config"
	"poolerd/wire"
)

func userColumns() []column {
	return slices.Concat(
		columnsOf(text, "name", "pool_size", "reserve_pool_size", "pool_mode"),
		columnsOf(int4, "max_user_connections", "current_connections", "max_user_client_connections", "current_client_connections"),
	)
}

func (c *Console) showUsers() (result, *wire.Error) {
	return rows(userRows(c.pooler.Config(), c.userLoads()))
}

// userLoads counts connections by user: a server's user is the one it logged in as.
func (c *Console) userLoads() map[string]load {
	return countUsers(c.pooler.Pools(), c.pooler.Clients())
}

func countUsers(pools []pool.PoolInfo, clients []pool.ClientInfo) map[string]load {
	loads := map[string]load{}
	for _, p := range pools {
		l := loads[p.User]
		l.servers += servers(p)
		loads[p.User] = l
	}
	for _, client := range clients {
		l := loads[client.User]
		l.clients++
		loads[client.User] = l
	}
	return loads
}

// userNames gives the users that the settings or the user list name, or that are here, by name. The user list is read from its file; when that cannot be
// read just now, those that only it names are missing.
func userNames(conf *config.Config, loads map[string]load) []string {
	names := map[string]bool{}
	if list, err := conf.Secrets(); err == nil {
		for _, name := range list.Users() {
			names[name] = true
		}
	}
	for name := range conf.Users {
		names[name] = true
	}
	for name := range loads {
		names[name] = true
	}
	for _, name := range slices.Concat(conf.AdminUsers, conf.StatsUsers) {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func userRows(conf *config.Config, loads map[string]load) [][]any {
	number := func(n int) any { return strconv.Itoa(n) }
	var all [][]any
	for _, name := range userNames(conf, loads) {
		u, l := conf.Users[name], loads[name]
		all = append(all, []any{
			name, optional(u.PoolSize, number), optional(u.ReservePoolSize, number), optional(u.PoolMode, func(m config.Mode) any { return m.String() }),
			either(u.MaxUserConnections, conf.MaxUserConnections), l.servers, 0, l.clients,
		})
	}
	return all
}
