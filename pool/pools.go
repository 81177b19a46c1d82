package pool

import (
	"time"

	"poolerd/pool/config"
	"poolerd/pool/vars"
	"poolerd/wire"
)

// Pools come with the first client of a database and user, and go when nobody has used them for long.

// pool finds or makes the pool of a database and user.
func (p *Pooler) pool(database, user string) (*Pool, *wire.Error) {
	conf, ok := p.config().Pool(database, user)
	if !ok {
		return nil, errNoDatabase(database)
	}
	return p.poolFor(database, conf)
}

func errNoDatabase(name string) *wire.Error {
	return wire.Fatalf(wire.CodeUndefinedDatabase, "no such database: %s", name)
}

// poolFor finds or makes a pool with these settings.
func (p *Pooler) poolFor(database string, conf config.Pool) (*Pool, *wire.Error) {
	key := Key{database, conf.User}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pool, ok := p.pools[key]; ok {
		pool.touch()
		return pool, nil
	}
	pool := &Pool{
		key: key, auto: isAuto(p.config(), database), pooler: p, space: vars.NewSpace(), conf: conf, servers: map[*Server]struct{}{}, replicas: map[*Client]int{},
		touched: time.Now(), hold: p.gates.of(database),
	}
	pool.suspended.Store(pool.hold == holdSuspended)
	pool.watched = p.watchedOf(database)
	pool.password = p.password(conf)
	pg, err := pool.newPgxpool(conf)
	if err != nil {
		p.log.Error().Err(err).Str("database", database).Msg("pool could not be made")
		return nil, wire.Fatalf(wire.CodeInternalError, "the pool of this database could not be made")
	}
	pool.pg = pg
	if p.stage.Load() >= stageWaitForServers {
		pool.ending.Store(&ending{reason: reasonShutdown, err: errShutdown()})
	}
	if pool.auto && len(p.poolsOf(database)) == 0 {
		p.log.Info().Str("database", database).Msg("registered new auto-database: " + database)
	}
	p.pools[key] = pool
	return pool, nil
}

// isAuto tells whether a database has no entry of its own.
func isAuto(conf *config.Config, database string) bool {
	_, ok := conf.Databases[database]
	return !ok || database == "*"
}

func (p *Pool) touch() {
	p.mu.Lock()
	p.touched = time.Now()
	p.mu.Unlock()
}

// tendPools makes the pools that keep a least number of servers without any client, and drops those that nobody has asked for in a long time: clients may ask for any number of databases.
func (p *Pooler) tendPools(now time.Time, conf *config.Config) {
	for name, db := range conf.Databases {
		if name == "*" || db.User == "" || p.Draining() {
			continue
		}
		if settings, ok := conf.Pool(name, db.User); ok && settings.MinSize > 0 {
			if _, err := p.poolFor(name, settings); err != nil {
				return
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, pool := range p.pools {
		if !pool.unused(now, conf) {
			continue
		}
		delete(p.pools, key)
		p.tasks.Go(pool.pg.Close)
		if pool.auto && !p.Draining() && len(p.poolsOf(key.Database)) == 0 {
			p.logDropped(key.Database)
		}
	}
}

// logDropped tells of a database that is served no more, in PgBouncer's words.
func (p *Pooler) logDropped(database string) {
	p.log.Warn().Str("database", database).Msgf("dropping database '%s' as it does not exist anymore or inactive auto-database", database)
}

// unused tells whether nobody has had anything of the pool for long, and closes it then.
func (p *Pool) unused(now time.Time, conf *config.Config) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.totals.Clients > 0 || len(p.servers) > 0 {
		p.touched = now
	}
	limit := conf.PoolIdleTimeout
	if p.auto {
		limit = conf.AutodbIdleTimeout
	}
	removed := p.ending.Load() != nil
	over := removed || limit > 0 && p.hold == holdNothing && now.Sub(p.touched) > limit
	p.closed = p.closed || over && p.totals.Clients+p.queue.len+p.busy+p.opening+len(p.servers)+len(p.replicas) == 0
	return p.closed
}
