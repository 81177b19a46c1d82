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
	conf := c.pooler.Config()
	return rows(databaseRows(conf, databaseNames(conf, c.pools()), func(name string) databaseLoad {
		var l databaseLoad
		l.servers, l.clients = c.pooler.DatabaseConnections(name)
		l.paused, l.disabled = c.pooler.DatabaseState(name)
		return l
	}))
}

// load is how many connections a database or a user has.
type load struct{ servers, clients int }

// databaseLoad is what goes on in a database.
type databaseLoad struct {
	load
	paused, disabled bool
}

// databaseNames gives the databases of the settings, those that clients use by the fallback "*", and the console's. The fallback is none itself.
func databaseNames(conf *config.Config, pools []pool.PoolInfo) []string {
	names := map[string]bool{}
	for name := range conf.Databases {
		names[name] = name != "*"
	}
	for _, p := range pools {
		_, ok := conf.Database(p.Database)
		names[p.Database] = ok || config.Reserved(p.Database) // what is gone from the settings is left to SHOW POOLS
	}
	maps.DeleteFunc(names, func(_ string, shown bool) bool { return !shown })
	return slices.Sorted(maps.Keys(names))
}

func databaseRows(conf *config.Config, names []string, of func(name string) databaseLoad) [][]any {
	var all [][]any
	for _, name := range names {
		if config.Reserved(name) {
			all = append(all, consoleRow(conf, of(name)))
			continue
		}
		db, _ := conf.Database(name)
		all = append(all, databaseRow(conf, db, of(name)))
	}
	return all
}

func databaseRow(conf *config.Config, db config.Database, l databaseLoad) []any {
	return []any{
		db.Name, orNull(db.Host), db.Port, orNull(db.DBName), orNull(db.User),
		either(db.PoolSize, conf.DefaultPoolSize), either(db.MinPoolSize, conf.MinPoolSize), either(db.ReservePoolSize, conf.ReservePoolSize),
		int64(either(db.ServerLifetime, conf.ServerLifetime) / time.Second),
		optional(db.PoolMode, func(m config.Mode) any { return m.String() }), balance(len(db.Hosts()), db.LoadBalance),
		either(db.MaxDBConnections, conf.MaxDBConnections), l.servers, either(db.MaxDBClientConnections, conf.MaxDBClientConnections), l.clients,
		number(l.paused), number(l.disabled),
	}
}

// consoleRow shows the console as PgBouncer does: a database on the pooler itself.
func consoleRow(conf *config.Config, l databaseLoad) []any {
	return []any{
		pool.ConsoleDatabase, nil, conf.ListenPort, pool.ConsoleDatabase, pool.ConsoleDatabase,
		pool.ConsolePoolSize, conf.MinPoolSize, conf.ReservePoolSize, int64(conf.ServerLifetime / time.Second), config.ModeStatement.String(), nil,
		conf.MaxDBConnections, 0, conf.MaxDBClientConnections, l.clients, 0, 0,
	}
}
