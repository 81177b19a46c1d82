package config

import (
	"maps"
	"slices"
)

// Clone gives a Config that can be set without a change to c.
func (c *Config) Clone() *Config {
	clone := *c
	for _, list := range []*[]string{&clone.ListenAddr, &clone.IgnoreStartupParameters, &clone.AdminUsers, &clone.StatsUsers} {
		*list = slices.Clone(*list)
	}
	clone.Databases = maps.Clone(c.Databases)
	for name, db := range clone.Databases {
		db.Params = maps.Clone(db.Params)
		clone.Databases[name] = db
	}
	clone.Users = maps.Clone(c.Users)
	clone.Peers = maps.Clone(c.Peers)
	clone.origins = maps.Clone(c.origins)
	clone.inert = maps.Clone(c.inert)
	return &clone
}

// Keeping gives a clone of c that has old's values of the keys which need a restart: it is what counts after a reload, and what SHOW CONFIG then shows.
func (c *Config) Keeping(old *Config) *Config {
	clone := c.Clone()
	for _, k := range honouredKeys() {
		if k.Reloadable || !k.differs(clone, old) {
			continue
		}
		if err := k.set(clone, k.get(old)); err != nil {
			panic("config: " + k.Name + " of a running pooler cannot be set: " + err.Error()) // what is shown can be written back; a fuzz test sees to it
		}
	}
	clone.Quiet = old.Quiet
	return clone
}
