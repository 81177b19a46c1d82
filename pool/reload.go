package pool

import (
	"fmt"

	"poolerd/pool/config"
)

// Reload makes conf, which has been checked, the settings, as far as they can change while clients are served; what cannot is logged and stays as it is until a restart.
// On an error nothing has changed.
func (p *Pooler) Reload(conf *config.Config) error {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	access, err := newAccess(conf, p.access.Load())
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
	p.access.Store(access)
	for _, pool := range p.allPools() {
		now, ok := pool.settingsIn(conf)
		if !ok {
			p.log.Warn().Str("database", pool.key.Database).Msg("database is gone from the settings: its clients stay, new ones are refused")
			continue
		}
		if err := pool.resettle(now, p.password(now), sameServers(old, conf)); err != nil {
			return err
		}
	}
	p.log.Info().Msg("reloaded")
	return nil
}

// resettle gives the pool new settings. Connections that would be made otherwise now are drained into a new pgxpool: each one that is in use is closed
// when its transaction ends.
func (p *Pool) resettle(conf config.Pool, password config.Secret, same bool) error {
	p.mu.Lock()
	if same && poolEqual(p.conf, conf) && p.password.Equal(password) {
		p.conf = conf
		p.mu.Unlock()
		return nil
	}
	p.mu.Unlock()
	return p.replace(conf, password)
}

// replace makes a new pgxpool, and closes the servers of the old one as they come free.
func (p *Pool) replace(conf config.Pool, password config.Secret) error {
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

// sameServers tells whether the global settings make the same connections as before.
func sameServers(a, b *config.Config) bool {
	return a.ServerIdleTimeout == b.ServerIdleTimeout && a.ServerConnectTimeout == b.ServerConnectTimeout && a.MaxPreparedStatements == b.MaxPreparedStatements &&
		keepAlive(a) == keepAlive(b)
}

// flat leaves out what is compared elsewhere, or says nothing about connections.
func flat(c config.Pool) config.Pool {
	c.QueryTimeout, c.IdleTransactionTimeout, c.TransactionTimeout, c.ClientIdleTimeout = 0, 0, 0, 0
	c.Mode, c.MinSize, c.ReserveTimeout, c.MaxDBConnections, c.MaxUserConnections, c.PinPolicy, c.MaxPinned = 0, 0, 0, 0, 0, 0, 0
	c.Database.Password, c.Database.Origin = config.Secret{}, config.Origin{}
	c.Database.PoolSize, c.Database.MinPoolSize, c.Database.ReservePoolSize, c.Database.PoolMode = nil, nil, nil, nil
	c.Database.MaxDBConnections, c.Database.ServerLifetime, c.Database.PinPolicy, c.Database.MaxPinnedServers = nil, nil, nil, nil
	return c
}
