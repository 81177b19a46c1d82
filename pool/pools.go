package pool

import (
	"time"

	"poolerd/pool/config"
	"poolerd/pool/vars"
	"poolerd/wire"
)

// Pools come with the first client of a database and user, and go when nobody has used them for long.

// pool finds or makes the pool of a database and user. The caller has to part with it in the end.
func (p *Pooler) pool(database, user string) (*Pool, *wire.Error) {
	return p.poolFor(database, func(conf *config.Config) (config.Pool, bool) { return conf.Pool(database, user) })
}

// poolFor finds or makes the pool of a database that has the settings that choose finds. choose is called with the lock held: a pool is made of the settings of the
// moment, or is there for the reload that changes them. The pool is not dropped before its caller parts with it.
func (p *Pooler) poolFor(database string, choose func(*config.Config) (config.Pool, bool)) (*Pool, *wire.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	conf, ok := choose(p.config())
	if !ok {
		return nil, errNoDatabase(database)
	}
	key := Key{database, conf.User}
	if pool, ok := p.pools[key]; ok {
		pool.visit()
		return pool, nil
	}
	pool := &Pool{
		key: key, auto: isAuto(p.config(), database), pooler: p, space: vars.NewSpace(), conf: conf, servers: map[*Server]struct{}{}, replicas: map[*Client]int{},
		touched: time.Now(), visitors: 1, hold: p.gates.of(database),
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

func errNoDatabase(name string) *wire.Error {
	return wire.Fatalf(wire.CodeUndefinedDatabase, "no such database: %s", name)
}

// isAuto tells whether a database has no entry of its own.
func isAuto(conf *config.Config, database string) bool {
	_, ok := conf.Databases[database]
	return !ok || database == "*"
}

// visit notes that somebody has been given the pool.
func (p *Pool) visit() {
	p.mu.Lock()
	p.touched = time.Now()
	p.visitors++
	p.mu.Unlock()
}

// part ends a visit: the pool may be dropped.
func (p *Pool) part() {
	p.mu.Lock()
	p.visitors--
	p.mu.Unlock()
}

// tendPools makes the pools that keep a least number of servers without any client, and drops those that nobody has asked for in a long time: clients may ask for any number of databases.
func (p *Pooler) tendPools(now time.Time, conf *config.Config) {
	for name, db := range conf.Databases {
		if name == "*" || db.User == "" || p.Draining() {
			continue
		}
		pool, err := p.poolFor(name, func(conf *config.Config) (config.Pool, bool) {
			db := conf.Databases[name] // which may have changed by now
			settings, ok := conf.Pool(name, db.User)
			return settings, ok && db.User != "" && settings.MinSize > 0
		})
		if err == nil {
			pool.part()
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
		if len(p.poolsOf(key.Database)) > 0 {
			continue
		}
		for _, h := range p.takeHubs(key.Database) { // nobody listens, and who does so next has another pool, of other settings perhaps
			p.tasks.Go(h.Close)
		}
		if !pool.auto {
			continue
		}
		delete(p.watches, key.Database)
		if !p.Draining() {
			p.logDropped(key.Database)
		}
	}
}

// absentKept is how long the pool of a database is kept that PostgreSQL says is not there. Where auth_query is asked in the client's own database anybody can
// name some, without a password, and as many as he likes: they are not to pile up for an hour.
const absentKept = 10 * time.Second

// logDropped tells of a database that is served no more, in PgBouncer's words.
func (p *Pooler) logDropped(database string) {
	p.log.Warn().Str("database", database).Msgf("dropping database '%s' as it does not exist anymore or inactive auto-database", database)
}

// unused tells whether nobody has had anything of the pool for long, and closes it then, with the keys of its user.
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
	if p.auto && p.outage.absent() && (limit == 0 || limit > absentKept) {
		limit = absentKept
	}
	removed := p.ending.Load() != nil
	over := removed || limit > 0 && p.hold == holdNothing && now.Sub(p.touched) > limit
	p.closed = p.closed || over && p.visitors+p.totals.Clients+p.queue.len+p.busy+p.opening+len(p.servers)+len(p.replicas) == 0
	if p.closed && p.offered.Keys != nil {
		p.offered.Keys.Zero()
		p.offered = Credentials{}
	}
	return p.closed
}
