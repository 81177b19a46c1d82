package pool

import (
	"time"

	"poolerd/pool/config"
	"poolerd/pool/listen"
	"poolerd/wire"
)

// Reconnect closes each server of a database, of all when it is empty, when it is released; new ones are opened as they are needed. With server_fast_close that is between transactions
// in session mode, too, and the client is closed. Clients that replicate, or LISTEN in transaction mode, are closed at once: their connections may live for ever.
func (p *Pooler) Reconnect(database string) *wire.Error {
	if err := p.named(database, "reconnect"); err != nil {
		return err
	}
	p.authCache.forget()
	p.mu.Lock()
	pools := p.poolsOf(database)
	p.mu.Unlock()
	for _, pool := range pools {
		pool.mu.Lock()
		conf, password := pool.conf, pool.password
		pool.mu.Unlock()
		if err := pool.replace(conf, password); err != nil {
			p.log.Error().Err(err).Str("database", pool.key.Database).Msg("pool could not be made anew")
			return wire.Errorf(wire.CodeInternalError, "the pool of database %s could not be made anew", pool.key.Database)
		}
	}
	p.closeHubs(database)
	return nil
}

// replace makes a new pgxpool, and closes the servers of the old one as they come free.
func (p *Pool) replace(conf config.Pool, password config.Secret) error {
	pg, err := p.newPgxpool(conf)
	if err != nil {
		return err
	}
	p.mu.Lock()
	if p.closed { // it has been dropped since it was found, and nobody would close what it gets now
		p.mu.Unlock()
		pg.Close()
		return nil
	}
	gone := p.pg
	p.pg, p.conf, p.password = pg, conf, password
	p.generation++
	p.outage.over() // it may have been the old address's
	p.attempts.abandon()
	free := p.takeFree()
	var replicas []*Client
	for c := range p.replicas {
		replicas = append(replicas, c)
	}
	p.open(time.Now())
	p.mu.Unlock()
	for _, s := range free {
		s.discard(reasonConfigChanged)
	}
	for _, c := range replicas {
		c.end(reasonConfigChanged, errConfigChanged())
	}
	p.pooler.tasks.Go(gone.Close) // waits for the connections in use
	return nil
}

func errConfigChanged() *wire.Error { return wire.Fatalf(wire.CodeAdminShutdown, reasonConfigChanged) }

// closeHubs closes the connections that listen for the clients of a database, of all when it is empty. The listeners are closed: they may have missed notifications, and begin anew.
func (p *Pooler) closeHubs(database string) {
	p.mu.Lock()
	hubs := p.takeHubs(database)
	p.mu.Unlock()
	for _, h := range hubs {
		h.Close()
	}
}

// takeHubs forgets the connections that listen for the clients of a database, of all when it is empty, and gives them to be closed. Pooler.mu is held.
func (p *Pooler) takeHubs(database string) (hubs []*listen.Hub) {
	for key, h := range p.hubs {
		if database == "" || key.database == database {
			hubs = append(hubs, h)
			delete(p.hubs, key)
		}
	}
	return hubs
}
