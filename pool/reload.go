package pool

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
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
	return p.change(conf, access)
}

// Set is Reload for settings that are changed one by one while the pooler runs: alter is given a copy of those in force, which no other change can overtake. TLS that cannot be used as it is set is no error then, since a key and its certificate are set one after
// the other: the TLS of before stays in force, and kept says why.
func (p *Pooler) Set(alter func(*config.Config) error) (kept, _ error) {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	conf := p.config().Clone()
	if err := alter(conf); err != nil {
		return nil, err
	}
	access, err := newAccess(conf, p.access.Load())
	if errors.As(err, &errTLS{}) {
		kept, err = err, nil
		p.log.Error().Err(kept).Msg("TLS settings could not be applied, still using old configuration")
	}
	if err != nil {
		return nil, fmt.Errorf("set: %w", err)
	}
	return kept, p.change(conf, access)
}

// change makes settings count that have been loaded.
func (p *Pooler) change(conf *config.Config, access *access) error {
	old := p.config()
	p.logChanges(config.Diff(old, conf))
	conf = conf.Keeping(old)
	access.conf = conf
	p.settings.Store(conf)
	p.access.Store(access)
	p.authCache.forget()
	p.prepareLogins(access)
	moved := map[string]bool{}
	for _, pool := range p.allPools() {
		now, ok := pool.settingsIn(conf)
		if !ok || now.User != pool.key.User { // the database is gone, or has another user for all now
			p.remove(pool)
			continue
		}
		if gone := pool.ending.Load(); gone != nil && !p.Draining() {
			pool.ending.CompareAndSwap(gone, nil) // it is back, unless everything ends since
		}
		changed, err := pool.resettle(now, p.password(now), sameServers(old, conf), isAuto(conf, pool.key.Database))
		if err != nil {
			return err
		}
		moved[pool.key.Database] = moved[pool.key.Database] || changed
	}
	for database, changed := range moved {
		if changed {
			p.closeHubs(database)
		}
	}
	p.mu.Lock()
	p.gates.keep(func(name string) bool { _, ok := conf.Database(name); return ok })
	then := p.regulate("") // nobody could RESUME a pool whose database is gone, nor one whose database has come back since
	p.mu.Unlock()
	then()
	p.log.Info().Msg("reloaded")
	return nil
}

// mostChanges is how many databases, users or peers a reload names in the log that have changed; beyond that it counts them.
const mostChanges = 10

// logChanges tells what a reload changes.
func (p *Pooler) logChanges(changes []config.Change) {
	many := map[string]int{}
	for _, change := range changes {
		if kind, _, entry := strings.Cut(change.Key, "."); entry {
			many[kind]++
		}
	}
	for _, change := range changes {
		if kind, _, _ := strings.Cut(change.Key, "."); many[kind] > mostChanges {
			continue
		}
		e := p.log.Info()
		if change.Restart {
			e = p.log.Warn()
		}
		e.Str("key", change.Key).Str("old", change.Old).Str("new", change.New).Bool("needs_restart", change.Restart).Msg("setting changed")
	}
	for kind, n := range many {
		if n > mostChanges {
			p.log.Info().Str("key", kind).Int("entries", n).Msg("settings changed")
		}
	}
}

// remove ends a pool whose database is gone from the settings. Its clients may finish the transaction that they are in, which PgBouncer does not let them.
func (p *Pooler) remove(pool *Pool) {
	if pool.ending.Load() != nil {
		return
	}
	p.logDropped(pool.key.Database)
	why := &ending{reason: reasonRemoved, err: wire.Fatalf(wire.CodeAdminShutdown, reasonRemoved), sessions: true}
	pool.finishUp(why)
	for _, c := range p.allClients() {
		if c.pool == pool {
			c.endIfIdle(why.reason, why.err)
		}
	}
	if _, ok := p.config().Database(pool.key.Database); !ok {
		p.closeHubs(pool.key.Database)
	}
}

// resettle gives the pool new settings, and reports whether servers are made otherwise now. Then those that there are are closed as they come free; a smaller pool_size closes as many as are too many.
func (p *Pool) resettle(conf config.Pool, password config.Secret, same, auto bool) (changed bool, _ error) {
	p.mu.Lock()
	if p.closed { // it has just been dropped
		p.mu.Unlock()
		return false, nil
	}
	p.auto = auto
	if same && sameServer(p.conf, conf) && p.password.Equal(password) {
		p.conf = conf
		p.open(time.Now())
		p.mu.Unlock()
		return false, nil
	}
	p.mu.Unlock()
	return true, p.replace(conf, password)
}

// sameServer tells whether two pools make the same connections, their passwords aside.
func sameServer(a, b config.Pool) bool {
	x, y := a.Database, b.Database
	return a.User == b.User && x.Host == y.Host && x.Port == y.Port && x.DBName == y.DBName && x.LoadBalance == y.LoadBalance && x.ConnectQuery == y.ConnectQuery &&
		maps.Equal(x.Params, y.Params)
}

// sameServers tells whether the global settings make the same connections as before.
func sameServers(a, b *config.Config) bool {
	return a.ServerConnectTimeout == b.ServerConnectTimeout && reflect.DeepEqual(a.ServerTLS, b.ServerTLS) &&
		keepAlive(a) == keepAlive(b)
}

// prepareLogins derives what logins by SCRAM need, in the background.
func (p *Pooler) prepareLogins(a *access) {
	p.ending.Lock()
	defer p.ending.Unlock()
	if !p.over {
		p.tasks.Go(func() { a.prepare(p.auth) })
	}
}
