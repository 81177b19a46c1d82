package config

import (
	"cmp"
	"slices"
	"time"
)

// Database is where the clients of one database name are served. A nil pointer is a setting that is not made here and comes from the user's or the global one.
type Database struct {
	Name     string // the client's name for it; "*" for the fallback entry
	Host     string // a name, an address, a directory of a Unix socket or "@..." for an abstract one; several, comma-separated; empty: PostgreSQL's Unix socket in UnixSocketDir
	Port     int    // 5432 when not set
	DBName   string // on the server; empty in the fallback entry, where it is the client's
	User     string // every server connection logs in as this user; empty: as the client's
	Password Secret // of User; none: from the user list

	PoolSize         *int
	MinPoolSize      *int
	ReservePoolSize  *int
	PoolMode         *Mode
	PinPolicy        *PinPolicy
	MaxPinnedServers *int
	MaxDBConnections *int
	ServerLifetime   *time.Duration

	MaxDBClientConnections *int
	LoadBalance            bool // several hosts are taken in turn (load_balance_hosts = round-robin), else the first that answers
	AuthUser               *string
	AuthQuery              *string
	AuthDBName             *string

	ConnectQuery string            // run on each new server connection; its errors are logged only
	Params       map[string]string // startup parameters of server connections: client_encoding, datestyle, timezone, application_name

	Origin Origin
}

// UserSettings are the settings of one user. A nil pointer is not set.
type UserSettings struct {
	Name               string
	PoolSize           *int
	ReservePoolSize    *int
	PoolMode           *Mode
	PinPolicy          *PinPolicy
	MaxUserConnections *int

	MaxUserClientConnections *int

	QueryTimeout           *time.Duration
	IdleTransactionTimeout *time.Duration
	TransactionTimeout     *time.Duration
	ClientIdleTimeout      *time.Duration

	Origin Origin
}

// Upstream is what a connection URL said beside its address.
type Upstream struct {
	User     string // a user that is known with Password; clients may use others
	Password Secret
	Database string // named in messages only: clients name theirs
}

// Database finds where clients that ask for name are served: its own entry, else the fallback "*" with name as the database on the server. ok is false
// when there is neither. The name is the client's in the answer, and its host is never empty: without one PostgreSQL's Unix socket stands where the pooler's own
// does, as in PgBouncer, and where there is none it is localhost.
func (c *Config) Database(name string) (db Database, ok bool) {
	if db, ok = c.Databases[name]; !ok || name == "*" {
		if db, ok = c.Databases["*"]; !ok {
			return Database{}, false
		}
		db.Name = name
		if db.DBName == "" {
			db.DBName = name
		}
	}
	if db.Host == "" {
		db.Host = cmp.Or(c.UnixSocketDir, "localhost")
	}
	return db, true
}

// Pool is the effective settings of one client's pool.
type Pool struct {
	Database           Database
	User               string // of the server connections: the database's, else the client's
	Size               int
	MinSize            int // at most Size
	ReserveSize        int
	ReserveTimeout     time.Duration
	Mode               Mode
	PinPolicy          PinPolicy
	MaxPinned          int // servers that clients may keep for the state of their sessions, 1 at least
	MaxDBConnections   int
	MaxUserConnections int

	MaxDBClientConnections   int    // clients of the database over all users; 0: no limit
	MaxUserClientConnections int    // of the client's user over all databases; 0: no limit
	AuthUser                 string // runs AuthQuery for users who are not in auth_file; empty: it is not run
	AuthQuery                string
	AuthDBName               string // where; empty: in the client's database

	ServerLifetime         time.Duration
	QueryTimeout           time.Duration
	IdleTransactionTimeout time.Duration
	TransactionTimeout     time.Duration
	ClientIdleTimeout      time.Duration
}

// Pool gives the settings for clients of a database that log in as user. Of equal settings the user's wins over the database's, and that over the global one.
// Sizes, mode and pin policy are those of the user of the server connections, timeouts those of the client's, as in PgBouncer. ok is false when there is no such database.
func (c *Config) Pool(database, user string) (p Pool, ok bool) {
	db, ok := c.Database(database)
	if !ok {
		return Pool{}, false
	}
	server := user
	if db.User != "" {
		server = db.User
	}
	login, owner := c.Users[user], c.Users[server]
	p = Pool{
		Database:                 db,
		User:                     server,
		Size:                     first(c.DefaultPoolSize, owner.PoolSize, db.PoolSize),
		MinSize:                  first(c.MinPoolSize, db.MinPoolSize),
		ReserveSize:              first(c.ReservePoolSize, owner.ReservePoolSize, db.ReservePoolSize),
		ReserveTimeout:           c.ReservePoolTimeout,
		Mode:                     first(c.PoolMode, owner.PoolMode, db.PoolMode),
		PinPolicy:                first(c.PinPolicy, owner.PinPolicy, db.PinPolicy),
		MaxPinned:                first(c.MaxPinnedServers, db.MaxPinnedServers),
		MaxDBConnections:         first(c.MaxDBConnections, db.MaxDBConnections),
		MaxUserConnections:       first(c.MaxUserConnections, owner.MaxUserConnections),
		MaxDBClientConnections:   first(c.MaxDBClientConnections, db.MaxDBClientConnections),
		MaxUserClientConnections: first(c.MaxUserClientConnections, login.MaxUserClientConnections),
		AuthUser:                 first(c.AuthUser, db.AuthUser),
		AuthQuery:                first(c.AuthQuery, db.AuthQuery),
		AuthDBName:               first(c.AuthDBName, db.AuthDBName),
		ServerLifetime:           first(c.ServerLifetime, db.ServerLifetime),
		QueryTimeout:             first(c.QueryTimeout, login.QueryTimeout),
		IdleTransactionTimeout:   first(c.IdleTransactionTimeout, login.IdleTransactionTimeout),
		TransactionTimeout:       first(c.TransactionTimeout, login.TransactionTimeout),
		ClientIdleTimeout:        first(c.ClientIdleTimeout, login.ClientIdleTimeout),
	}
	p.MinSize = min(p.MinSize, p.Size)
	if p.MaxPinned == 0 {
		p.MaxPinned = max(1, p.Size-1)
	}
	return p, true
}

func first[T any](otherwise T, settings ...*T) T {
	for _, s := range settings {
		if s != nil {
			return *s
		}
	}
	return otherwise
}

// Hosts gives the addresses of Host.
func (d Database) Hosts() []string { return parseList(d.Host) }

// IsAdmin tells whether user may run every command of the console.
func (c *Config) IsAdmin(user string) bool {
	return slices.Contains(c.AdminUsers, user)
}

// IsStats tells whether user may read the console: administrators may, and with auth_type = any everyone, as in PgBouncer.
func (c *Config) IsStats(user string) bool {
	return c.AuthType == AuthAny || c.IsAdmin(user) || slices.Contains(c.StatsUsers, user)
}
