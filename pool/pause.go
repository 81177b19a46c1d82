package pool

import (
	"context"
	"time"

	"poolerd/wire"
)

// PAUSE, RESUME and WAIT_CLOSE: PgBouncer's documentation, "Process controlling commands".

func errCommandCanceled() *wire.Error {
	return wire.Errorf(wire.CodeQueryCanceled, "canceling statement due to user request")
}

// Pause keeps the servers of a database, of all when it is empty, from being given to clients, and returns when the last one is closed: each one is as soon as it comes
// free by the rules of its pool_mode. Clients that ask for a server meanwhile wait until Resume, for query_wait_timeout at most. Clients that LISTEN in transaction mode
// are closed, since the connection that listens for them has to go as well. When ctx ends before, a PAUSE of all is undone; one of a single database stays, as in
// PgBouncer.
func (p *Pooler) Pause(ctx context.Context, database string) *wire.Error {
	if err := p.startPause(database); err != nil {
		return err
	}
	p.closeHubs(database)
	var undone bool
	ended := p.await(ctx, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		undone = p.gates.all != holdPaused && (database == "" || !p.gates.paused[database])
		return undone || !p.connected(database)
	})
	switch {
	case undone:
		return errCommand("pause was ended by RESUME before all servers were released")
	case ended:
		p.closeHubs(database) // of LISTEN in the transactions that were waited for
		return nil
	case database == "":
		p.resumeAll(holdPaused)
	}
	return errCommandCanceled()
}

func (p *Pooler) startPause(database string) *wire.Error {
	if err := p.named(database, "pause"); err != nil {
		return err
	}
	p.mu.Lock()
	if err := p.mayHold(); err != nil {
		p.mu.Unlock()
		return err
	}
	if database == "" {
		p.gates.all = holdPaused
	} else {
		p.gates.paused[database] = true
	}
	then := p.regulate(database)
	p.mu.Unlock()
	then()
	return nil
}

// connected tells whether a database, or any when it is empty, has a server, or one is being opened. Pooler.mu is held.
func (p *Pooler) connected(database string) bool {
	for _, pool := range p.poolsOf(database) {
		if pool.connected() {
			return true
		}
	}
	return false
}

func (p *Pool) connected() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy+p.opening+len(p.free)+len(p.servers)+len(p.replicas) > 0
}

// Resume ends PAUSE, KILL and SUSPEND of a database. When it is empty, it ends a PAUSE or SUSPEND of all; databases that were paused one by one stay paused, unless there is nothing else to end.
// Clients that DrainClients waits for are let go on too, which PgBouncer refuses: it would wait for them until query_wait_timeout.
func (p *Pooler) Resume(database string) *wire.Error {
	if stage := p.stage.Load(); stage > stageWaitForClients || stage == stageWaitForClients && !p.holds() {
		return errCommand("pooler is shutting down")
	}
	if database == "" {
		if !p.resumeAll(holdNothing) {
			return errCommand("pooler is not paused/suspended")
		}
		return nil
	}
	if err := p.named(database, "resume"); err != nil {
		return err
	}
	p.mu.Lock()
	if !p.gates.paused[database] {
		p.mu.Unlock()
		return errCommand("database %s is not paused", database)
	}
	delete(p.gates.paused, database)
	then := p.regulate(database)
	p.mu.Unlock()
	then()
	p.changed.ring()
	return nil
}

// resumeAll ends the hold on all databases; only such a one, if that is not holdNothing. It reports whether there was anything to end.
func (p *Pooler) resumeAll(only hold) bool {
	p.mu.Lock()
	switch {
	case only != holdNothing && p.gates.all != only:
		p.mu.Unlock()
		return false
	case p.gates.all != holdNothing:
		p.gates.all = holdNothing
	case len(p.gates.paused) > 0:
		clear(p.gates.paused)
	default:
		p.mu.Unlock()
		return false
	}
	then := p.regulate("")
	p.mu.Unlock()
	then()
	p.changed.ring()
	return true
}

// serveWaiting gives the free servers that still live to the clients that wait, and opens more. The lock is held; what it returns is to be called without.
func (p *Pool) serveWaiting() (then []func()) {
	now := time.Now()
	for len(p.free) > 0 && p.queue.len > 0 {
		s := p.free[len(p.free)-1]
		p.free = p.free[:len(p.free)-1]
		p.busy++
		if !s.alive() {
			then = append(then, func() { s.discard(reasonServerGone) })
			continue
		}
		w := p.queue.pop()
		p.account(w, now)
		then = append(then, func() { w.granted <- grant{server: s} })
	}
	p.open(now)
	return then
}

// WaitClose returns when the servers that RECONNECT or RELOAD have made obsolete are closed, of a database or of all.
func (p *Pooler) WaitClose(ctx context.Context, database string) *wire.Error {
	if err := p.named(database, "wait in"); err != nil {
		return err
	}
	if !p.await(ctx, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, pool := range p.poolsOf(database) {
			if pool.hasObsolete() {
				return false
			}
		}
		return true
	}) {
		return errCommandCanceled()
	}
	return nil
}

func (p *Pool) hasObsolete() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.servers {
		if p.closeNeeded(s) {
			return true
		}
	}
	for _, generation := range p.replicas {
		if generation != p.generation {
			return true
		}
	}
	return false
}
