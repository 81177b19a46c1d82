package pool

import (
	"fmt"

	"poolerd/pool/config"
)

// Reload makes conf, which has been checked, the settings, as far as they can change while clients are served; what cannot is logged and stays as it is until a restart.
// On an error nothing has changed.
func (p *Pooler) Reload(conf *config.Config) error {
	users, err := conf.Secrets()
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	old := p.config()
	for _, change := range config.Diff(old, conf) {
		e := p.log.Info()
		if change.Restart {
			e = p.log.Warn()
		}
		e.Str("key", change.Key).Str("old", change.Old).Str("new", change.New).Bool("needs_restart", change.Restart).Msg("setting changed")
	}
	p.settings.Store(conf)
	p.users.Store(users)
	for _, pool := range p.allPools() {
		now, ok := conf.Pool(pool.key.Database, pool.key.User)
		if !ok {
			p.log.Warn().Str("database", pool.key.Database).Msg("database is gone from the settings: its clients stay, new ones are refused")
			continue
		}
		if err := pool.resettle(now, p.password(now)); err != nil {
			return err
		}
	}
	p.log.Info().Msg("reloaded")
	return nil
}

// resettle gives the pool new settings. Connections that would be made otherwise now are drained into a new pgxpool: each one that is in use is closed
// when its transaction ends.
func (p *Pool) resettle(conf config.Pool, password config.Secret) error {
	old := p.settings()
	if poolEqual(old, conf) && p.password.Equal(password) {
		return nil
	}
	pg, err := p.newPgxpool(conf, password)
	if err != nil {
		return err
	}
	p.mu.Lock()
	gone := p.pg
	p.pg, p.conf, p.password = pg, conf, password
	p.generation++
	free := p.free
	p.free = nil
	p.busy += len(free)
	p.mu.Unlock()
	for _, s := range free {
		s.discard(reasonReload)
	}
	p.pooler.tasks.Go(gone.Close) // waits for the connections in use
	return nil
}

func poolEqual(a, b config.Pool) bool {
	return fmt.Sprintf("%+v", flat(a)) == fmt.Sprintf("%+v", flat(b))
}

// flat leaves out what is compared elsewhere, or says nothing about connections.
func flat(c config.Pool) config.Pool {
	c.Database.Password, c.Database.Origin = config.Secret{}, config.Origin{}
	c.Database.PoolSize, c.Database.MinPoolSize, c.Database.ReservePoolSize, c.Database.PoolMode = nil, nil, nil, nil
	c.Database.MaxDBConnections, c.Database.ServerLifetime = nil, nil
	return c
}
