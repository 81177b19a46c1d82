package config

import (
	"fmt"
	"strconv"
	"time"
)

func (d *doubter) pools() {
	c := d.c
	if c.file != "" && !d.set("pool_mode") {
		d.key("pool_mode", "is not set: it is transaction here, and session in PgBouncer", "set pool_mode to what is meant")
	}
	if c.MinPoolSize > c.DefaultPoolSize {
		d.key("min_pool_size", fmt.Sprintf("is larger than default_pool_size = %d, and no pool grows past that", c.DefaultPoolSize), "lower it, or raise default_pool_size (--pool-size)")
	}
	if c.ServerResetQueryAlways && c.PoolMode == ModeTransaction && c.ServerResetQuery != "" {
		d.key("server_reset_query_always", "costs a round trip after each transaction, and no state reaches another client without it", "set it to 0")
	}
	if c.SoReusePort && c.PeerID == 0 {
		d.key("so_reuseport", "a cancel request may reach another process than the one whose client it means, and is lost there", "give each process a peer_id, and all of them the same [peers]")
	}
	for _, db := range d.databases() {
		d.pool(db)
	}
}

// pool doubts the sizes of one database.
func (d *doubter) pool(db Database) {
	c := d.c
	size, most := first(c.DefaultPoolSize, db.PoolSize), first(c.MaxDBConnections, db.MaxDBConnections)
	if least := first(0, db.MinPoolSize); least > size {
		d.database(db, "min_pool_size", strconv.Itoa(least), fmt.Sprintf("is larger than the database's pool_size of %d, and its pools do not grow past that", size), "lower it, or give the database a larger pool_size")
	}
	switch {
	case most == 0 || size <= most:
	case db.PoolSize != nil:
		d.database(db, "pool_size", strconv.Itoa(size), fmt.Sprintf("is never reached: max_db_connections = %d", most), "lower it, or raise max_db_connections")
	case db.MaxDBConnections != nil:
		d.database(db, "max_db_connections", strconv.Itoa(most), fmt.Sprintf("keeps its pools below default_pool_size = %d", size), "give the database a pool_size of at most as much, so that one user cannot take all")
	}
}

func (d *doubter) times() {
	c := d.c
	if c.MaxDBConnections > 0 && c.DefaultPoolSize > c.MaxDBConnections {
		d.key("max_db_connections", fmt.Sprintf("is smaller than default_pool_size = %d, so that one user can take all servers of a database", c.DefaultPoolSize), "lower default_pool_size, or raise it")
	}
	if c.QueryWaitTimeout == 0 {
		d.key("query_wait_timeout", "a client waits for a server without an end, also while PostgreSQL is down", "give it seconds")
	}
	if c.ReservePoolSize > 0 {
		switch {
		case c.ReservePoolTimeout == 0:
			d.key("reserve_pool_size", "has no effect: reserve_pool_timeout is 0", "give reserve_pool_timeout seconds")
		case c.QueryWaitTimeout > 0 && c.ReservePoolTimeout >= c.QueryWaitTimeout:
			d.key("reserve_pool_timeout", "is never reached: query_wait_timeout ends the wait before", "lower it, or raise query_wait_timeout")
		}
	}
	d.neverReached("server_idle_timeout", c.ServerIdleTimeout, "server_lifetime", c.ServerLifetime)
	d.neverReached("idle_transaction_timeout", c.IdleTransactionTimeout, "transaction_timeout", c.TransactionTimeout)
	d.neverReached("query_timeout", c.QueryTimeout, "transaction_timeout", c.TransactionTimeout)
}

// neverReached doubts a timeout that is set and that another one always comes before.
func (d *doubter) neverReached(key string, value time.Duration, other string, before time.Duration) {
	if d.set(key) && before > 0 && value > before {
		d.key(key, fmt.Sprintf("is never reached: %s = %s comes before", other, formatSeconds(before)), "lower it, or raise "+other)
	}
}
