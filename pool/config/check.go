package config

import (
	"fmt"
	"maps"
	"slices"
)

// Check finds what cannot be meant, over all settings together. It opens no file: Secrets tells whether auth_file can be read. That some database must be
// named is the caller's to check, who knows what else may name one.
func (c *Config) Check() error {
	k := checker{c: c}
	k.listen()
	k.sizes()
	k.logins()
	if c.StatsPeriod <= 0 {
		k.key("stats_period", "statistics need a period", "give it a second or more, and log_stats = 0 for no log of them")
	}
	return k.problems.orNil()
}

type checker struct {
	c        *Config
	problems Errors
}

// key complains about a key of [pgbouncer] or [poolerd] with its effective value.
func (k *checker) key(name, reason, hint string) {
	known, _ := findKey(name)
	k.problems = append(k.problems, known.problem(k.c.origins[name], known.get(k.c), &Error{Reason: reason, Hint: hint}))
}

func (k *checker) listen() {
	if len(k.c.ListenAddr) == 0 && k.c.UnixSocketDir == "" {
		k.key("listen_addr", "there is nothing to listen on", "give an address, such as 127.0.0.1, or * for all, or a unix_socket_dir")
	}
	for _, a := range k.c.ListenAddr {
		if err := checkListen(a); err != nil {
			k.key("listen_addr", err.Reason, err.Hint)
		}
	}
	seen := map[string]bool{}
	for _, a := range k.c.Listen() {
		if seen[a] {
			k.key("listen_addr", a+" stands there twice", "name it once")
		}
		seen[a] = true
	}
}

func (k *checker) sizes() {
	c := k.c
	if c.MinPoolSize > c.DefaultPoolSize {
		k.key("min_pool_size", fmt.Sprintf("is larger than default_pool_size = %d", c.DefaultPoolSize), "lower it, or raise default_pool_size (--pool-size)")
	}
	if c.MaxDBConnections > 0 && c.MinPoolSize > c.MaxDBConnections {
		k.key("min_pool_size", fmt.Sprintf("is larger than max_db_connections = %d", c.MaxDBConnections), "lower it, or raise max_db_connections")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Databases)) {
		db := c.Databases[name]
		size := first(c.DefaultPoolSize, db.PoolSize)
		if db.MinPoolSize != nil && *db.MinPoolSize > size {
			k.problems = append(k.problems, &Error{
				Origin: db.Origin, Key: name + ": min_pool_size", Value: fmt.Sprint(*db.MinPoolSize),
				Reason: fmt.Sprintf("is larger than the database's pool_size of %d", size), Hint: "lower it, or give the database a larger pool_size",
			})
		}
	}
}

func (k *checker) logins() {
	c := k.c
	if c.AuthType.NeedsSecret() && c.AuthType != AuthHBA && c.AuthFile == "" && c.Upstream.Password.Kind() == NoSecret && !c.asksServers() {
		k.key("auth_type", "no user has a password, so that nobody could log in",
			"name a file of users with auth_file (--auth-file), or an auth_user that asks PostgreSQL for them, or a user with a password in --upstream, or set auth_type = trust")
	}
	if c.AuthType != AuthAny {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.Databases)) {
		if db := c.Databases[name]; db.User == "" {
			k.problems = append(k.problems, &Error{
				Origin: db.Origin, Key: name, Reason: "names no user, which auth_type = any needs",
				Hint: "add user= to the database, or choose another auth_type",
			})
		}
	}
}

// asksServers tells whether auth_query is run for the clients of some database.
func (c *Config) asksServers() bool {
	if c.AuthUser != "" {
		return true
	}
	for _, db := range c.Databases {
		if db.AuthUser != nil {
			return true
		}
	}
	return false
}
