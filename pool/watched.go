package pool

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"poolerd/pool/watch"
	"poolerd/wire"
)

// Which functions, tables and views of a database do more than a text's words say, package watch finds out. It is asked when the first server of a database is opened,
// after each DDL that goes through the pooler, and by the clock (watch_functions), since DDL may go another way.

// watched is what is known of one database.
type watched struct {
	functions   atomic.Pointer[watch.Functions] // nil: nothing is known yet, or nothing is to be watched
	fingerprint atomic.Pointer[string]
	busy        atomic.Bool   // somebody asks
	first       chan struct{} // closed when it is known for the first time, or cannot be
	asked       atomic.Int64  // when, in nanoseconds
}

func newWatched() *watched { return &watched{first: make(chan struct{})} }

// watchedOf finds or makes what is known of a database. The Pooler's lock is held.
func (p *Pooler) watchedOf(name string) *watched {
	w, ok := p.watches[name]
	if !ok {
		w = newWatched()
		p.watches[name] = w
	}
	return w
}

// meet finds out about the database before the first client gets a server of it.
func (w *watched) meet(s *Server) error {
	select {
	case <-w.first:
		return nil
	default:
	}
	if s.console || s.pool.pooler.config().WatchFunctions == 0 {
		return nil
	}
	if w.busy.Load() { // by another server that is being opened
		t := time.NewTimer(queryLimit)
		defer t.Stop()
		select {
		case <-w.first:
		case <-t.C:
		case <-s.pool.pooler.life.Done():
		}
		return nil
	}
	return w.refresh(s)
}

// refresh asks an idle server whether anything has changed, and what. An error means that the server is lost.
func (w *watched) refresh(s *Server) error {
	if s.pool.pooler.config().WatchFunctions == 0 || !w.busy.CompareAndSwap(false, true) {
		return nil
	}
	defer w.busy.Store(false)
	w.asked.Store(time.Now().UnixNano())
	err := w.search(s)
	select {
	case <-w.first:
	default:
		close(w.first)
	}
	refused := errRefused{}
	if errors.As(err, &refused) {
		s.pool.pooler.log.Warn().Str("database", s.pool.key.Database).Str("reason", refused.answer.Message).Msg("functions that leave session state could not be looked for")
		return nil
	}
	return err
}

func (w *watched) search(s *Server) error {
	rows, err := s.ask(watch.Fingerprint, queryLimit)
	if err != nil {
		return fmt.Errorf("ask for the functions' fingerprint: %w", err)
	}
	now := ""
	if len(rows) == 1 && len(rows[0]) == 1 {
		now = string(rows[0][0])
	}
	if before := w.fingerprint.Load(); before != nil && *before == now {
		return nil
	}
	search := watch.NewSearch()
	for sql := search.Query(); sql != ""; sql = search.Query() {
		rows, err := s.ask(sql, queryLimit)
		if err != nil {
			return fmt.Errorf("look for functions that leave session state: %w", err)
		}
		search.Add(rows)
	}
	found := search.Functions()
	if !found.Equal(w.functions.Load()) {
		s.pool.pooler.log.Info().Str("database", s.pool.key.Database).Int("names", found.Len()).Msg("functions and relations that may leave session state")
	}
	w.functions.Store(found)
	w.fingerprint.Store(&now)
	return nil
}

// tendWatched asks by the clock, on a server that is free. The caller has not the pool's lock.
func (p *Pool) tendWatched(now time.Time) {
	every := p.pooler.config().WatchFunctions
	w := p.watched
	if every == 0 || now.Sub(time.Unix(0, w.asked.Load())) < every {
		return
	}
	p.mu.Lock()
	n := len(p.free)
	if n == 0 || p.queue.len > 0 || p.closed {
		p.mu.Unlock()
		return
	}
	s := p.free[n-1]
	if s.console {
		p.mu.Unlock()
		return
	}
	p.free = p.free[:n-1]
	p.busy++
	p.mu.Unlock()
	w.asked.Store(now.UnixNano())
	p.pooler.tasks.Go(func() {
		if !s.alive() || w.refreshAs(s) != nil {
			s.discard(reasonServerGone)
			return
		}
		p.release(s, time.Now())
	})
}

// refreshAs is refresh on a server that may have a client's role and parameters: it asks with the pool's own.
func (w *watched) refreshAs(s *Server) error {
	if s.pipe.Status() != wire.TxIdle {
		return nil
	}
	if err := s.adopt(s.pool.space.Empty(), queryLimit); err != nil {
		return err
	}
	return w.refresh(s)
}
