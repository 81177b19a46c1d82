package pool

import (
	"bytes"
	"slices"

	"poolerd/pool/config"
)

// What a DDL means for the servers of a pool: statements that were prepared before it may be of no use, and a session begins with other parameters after ALTER ROLE or ALTER DATABASE.

// changeSchema is called when a transaction with DDL in it is over: what servers have prepared is prepared anew. Work on temporary tables is nobody else's affair.
func (c *Client) changeSchema(s *Server) error {
	ddl, defaults := c.ddl, c.defaults
	c.ddl, c.defaults = false, false
	if ddl && c.pins&pinTemp == 0 {
		of := c.pool.settings().Database
		for _, p := range c.pooler.allPools() {
			if sameDatabase(p.settings().Database, of) {
				p.plans.Add(1)
			}
		}
	}
	if defaults {
		for _, p := range c.pooler.allPools() {
			if err := p.renew(); err != nil {
				c.pooler.log.Error().Err(err).Str("database", p.key.Database).Msg("servers could not be renewed after a change of their defaults")
			}
		}
	}
	if !ddl || c.mode == modeSession {
		return nil
	}
	return c.pool.watched.refresh(s)
}

func sameDatabase(a, b config.Database) bool {
	return a.Host == b.Host && a.Port == b.Port && a.DBName == b.DBName
}

// setsDefaults tells whether a text says ALTER ROLE, USER or DATABASE ... SET or RESET: sessions that begin later begin with other parameters. In doubt it says so.
func setsDefaults(sql []byte) bool {
	words := bytes.Fields(bytes.ToLower(sql))
	has := func(all ...string) bool {
		return slices.ContainsFunc(words, func(w []byte) bool { return slices.Contains(all, string(w)) })
	}
	return has("alter") && has("role", "user", "database") && has("set", "reset")
}

// renew closes the pool's servers as they come free, so that those opened from now on begin with the defaults of now.
func (p *Pool) renew() error {
	p.mu.Lock()
	conf, password := p.conf, p.password
	p.mu.Unlock()
	p.space.Forget()
	return p.replace(conf, password)
}
