package admin

import (
	"maps"
	"slices"
	"strconv"

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
	conf := c.pooler.Config()
	return rows(userRows(conf, c.userNames(conf), func(name string) (l load) {
		l.servers, l.clients = c.pooler.UserConnections(name)
		return l
	}))
}

// userNames gives the users that the settings or the user list name, or that are here, by name.
func (c *Console) userNames(conf *config.Config) []string {
	var here []string
	for _, p := range c.pools() {
		here = append(here, p.User)
	}
	for _, client := range c.clients() {
		here = append(here, client.User)
	}
	return userNames(conf, here)
}

// userNames adds those who are here to the users that the settings or the user list name. The user list is read from its file; when that cannot be
// read just now, those that only it names are missing.
func userNames(conf *config.Config, here []string) []string {
	names := map[string]bool{}
	if list, err := conf.Secrets(); err == nil {
		for _, name := range list.Users() {
			names[name] = true
		}
	}
	for name := range conf.Users {
		names[name] = true
	}
	for _, name := range slices.Concat(here, conf.AdminUsers, conf.StatsUsers) {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func userRows(conf *config.Config, names []string, of func(name string) load) [][]any {
	number := func(n int) any { return strconv.Itoa(n) }
	var all [][]any
	for _, name := range names {
		u, l := conf.Users[name], of(name)
		all = append(all, []any{
			name, optional(u.PoolSize, number), optional(u.ReservePoolSize, number), optional(u.PoolMode, func(m config.Mode) any { return m.String() }),
			either(u.MaxUserConnections, conf.MaxUserConnections), l.servers,
			either(u.MaxUserClientConnections, conf.MaxUserClientConnections), l.clients,
		})
	}
	return all
}
