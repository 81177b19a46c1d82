package admin

import (
	"maps"
	"slices"
	"time"

	"poolerd/pool"
	"poolerd/pool/config"
	"poolerd/wire"
)

func databaseColumns() []column {
	return slices.Concat(
		columnsOf(text, "name", "host"), columnsOf(int4, "port"), columnsOf(text, "database", "force_user"),
		columnsOf(int4, "pool_size", "min_pool_size", "reserve_pool_size", "server_lifetime"),
		columnsOf(text, "pool_mode", "load_balance_hosts"),
		columnsOf(int4, "max_connections", "current_connections", "max_client_connections", "current_client_connections", "paused", "disabled"),
	)
}

func (c *Console) showDatabases() (result, *wire.Error) {
	return rows(databaseRows(c.pooler.Config(), c.pooler.Pools()))
}

// load is how many connections a database or a user has.
type load struct{ servers, clients int }

// databaseRows gives the databases of the settings, the fallback "*" among them, and those that clients use by the fallback.
func databaseRows(conf *config.Config, pools []pool.PoolInfo) [][]any {
	loads := map[string]load{}
	for _, p := range pools {
		l := loads[p.Database]
		l.servers += servers(p)
		l.clients += p.Clients
		loads[p.Database] = l
	}
	names := map[string]bool{}
	for name := range conf.Databases {
		names[name] = true
	}
	for name := range loads {
		names[name] = true
	}
	var all [][]any
	for _, name := range slices.Sorted(maps.Keys(names)) {
		db, ok := conf.Databases[name]
		if !ok {
			if db, ok = conf.Database(name); !ok {
				continue // gone from the settings; SHOW POOLS has what is left of it
			}
		}
		all = append(all, databaseRow(conf, db, loads[name]))
	}
	return all
}

func databaseRow(conf *config.Config, db config.Database, l load) []any {
	return []any{
		db.Name, orNull(db.Host), db.Port, orNull(db.DBName), orNull(db.User),
		either(db.PoolSize, conf.DefaultPoolSize), either(db.MinPoolSize, conf.MinPoolSize), either(db.ReservePoolSize, conf.ReservePoolSize),
		int64(either(db.ServerLifetime, conf.ServerLifetime) / time.Second),
		optional(db.PoolMode, func(m config.Mode) any { return m.String() }), nil,
		either(db.MaxDBConnections, conf.MaxDBConnections), l.servers, 0, l.clients, 0, 0,
	}
}

// servers counts those that are open or being opened.
func servers(p pool.PoolInfo) int { return p.ServersBusy + p.ServersIdle + p.ServersOpening }
