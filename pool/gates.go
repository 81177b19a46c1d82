package pool

import (
	"slices"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// hold says what keeps a pool from giving servers to its clients. Whoever asks for one meanwhile waits in the queue.
type hold uint8

const (
	holdNothing   hold = iota
	holdSuspended      // SUSPEND: servers stay, nothing new begins
	holdPaused         // PAUSE and KILL: servers are closed as they come free
)

// gates is what the console has said about whole databases. Pooler.mu guards it.
type gates struct {
	all      hold            // of every database
	paused   map[string]bool // by the clients' name
	disabled map[string]bool
}

func newGates() gates { return gates{paused: map[string]bool{}, disabled: map[string]bool{}} }

// of gives what holds a database.
func (g *gates) of(database string) hold {
	if g.paused[database] {
		return holdPaused
	}
	return g.all
}

// keep forgets the databases that are gone.
func (g *gates) keep(known func(database string) bool) {
	for _, set := range []map[string]bool{g.paused, g.disabled} {
		for database := range set {
			if !known(database) {
				delete(set, database)
			}
		}
	}
}

// DatabaseState tells whether a database is paused, by a PAUSE or KILL of its own (that of all is HoldState's), and whether it takes new clients.
func (p *Pooler) DatabaseState(name string) (paused, disabled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gates.paused[name], p.gates.disabled[name]
}

// HoldState tells whether all databases are paused or suspended together.
func (p *Pooler) HoldState() (paused, suspended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gates.all == holdPaused, p.gates.all == holdSuspended
}

// holds tells whether anything is paused, or suspended.
func (p *Pooler) holds() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gates.all != holdNothing || len(p.gates.paused) > 0
}

// errCommand is what the console answers to a command that cannot be carried out, in PgBouncer's words and with its SQLSTATE.
func errCommand(format string, args ...any) *wire.Error {
	return wire.Errorf(wire.CodeProtocolViolation, format, args...)
}

// mayHold refuses a command that holds databases where all are held already, or their servers about to go. Pooler.mu is held.
func (p *Pooler) mayHold() *wire.Error {
	if p.gates.all != holdNothing || p.stage.Load() >= stageWaitForServers {
		return errCommand("already suspended/paused")
	}
	return nil
}

// named checks the database that a command names, if it names one. verb is what the console's own does not bear.
func (p *Pooler) named(database, verb string) *wire.Error {
	if database == "" {
		return nil
	}
	if config.Reserved(database) {
		return errCommand("cannot %s admin db: %s", verb, database)
	}
	if _, ok := p.config().Database(database); !ok {
		return errCommand("no such database: %s", database)
	}
	return nil
}

// poolsOf gives the pools of a database, of all when it is empty. Pooler.mu is held.
func (p *Pooler) poolsOf(database string) []*Pool {
	var all []*Pool
	for key, pool := range p.pools {
		if database == "" || key.Database == database {
			all = append(all, pool)
		}
	}
	return all
}

// clientsOf gives the clients of a database, of all when it is empty.
func (p *Pooler) clientsOf(database string) []*Client {
	all := p.allClients()
	if database == "" {
		return all
	}
	return slices.DeleteFunc(all, func(c *Client) bool { return c.database != database })
}

// regulate gives the pools of a database the hold that the gates say. Pooler.mu is held; what it returns is to be called without.
func (p *Pooler) regulate(database string) (then func()) {
	var all []func()
	for _, pool := range p.poolsOf(database) {
		all = append(all, pool.setHold(p.gates.of(pool.key.Database))...)
	}
	return func() {
		for _, f := range all {
			f()
		}
	}
}

// setHold changes what holds the pool. What it returns closes servers and ends waits, and is to be called without a lock.
func (p *Pool) setHold(to hold) (then []func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hold == holdSuspended && to != holdSuspended {
		p.thawed.Store(time.Now().UnixNano())
	}
	p.hold = to
	p.suspended.Store(to == holdSuspended)
	if to == holdPaused {
		for _, s := range p.takeFree() {
			then = append(then, func() { s.discard(reasonPause) })
		}
		p.attempts.abandon()
	}
	if to != holdSuspended {
		for w := p.frozen.pop(); w != nil; w = p.frozen.pop() {
			then = append(then, func() { w.granted <- grant{} })
		}
	}
	if to == holdNothing {
		then = append(then, p.serveWaiting()...)
	}
	return then
}
