package pool

import (
	"slices"
	"sync"
	"sync/atomic"

	"poolerd/pool/config"
)

// limit is what keeps a pool from having one more server.
type limit uint8

const (
	noLimit       limit = iota
	databaseLimit       // max_db_connections
	userLimit           // max_user_connections
)

// frees tells whether the end of a server of pool other makes room for one of pool k under the limit.
func (l limit) frees(k, other Key) bool {
	switch l {
	case databaseLimit:
		return k.Database == other.Database
	case userLimit:
		return k.User == other.User
	}
	return false
}

// shares counts the servers of each database and each user over all pools: max_db_connections and max_user_connections bound them. It knows the pools whose clients wait because of
// these bounds, so that an idle server of another pool is given up for them. Its lock is the innermost.
type shares struct {
	hungry atomic.Int32 // pools that wait

	mu       sync.Mutex
	database map[string]int
	user     map[string]int
	waiting  []hunger // longest first
}

// hunger is a pool that waits for a share.
type hunger struct {
	pool  *Pool
	limit limit
	fed   bool // a server is being closed for it
}

func newShares() shares { return shares{database: map[string]int{}, user: map[string]int{}} }

// take counts one more server of a pool, unless a limit is reached. Then the pool is remembered, if it is to wait.
func (s *shares) take(p *Pool, conf config.Pool, wait bool) limit {
	s.mu.Lock()
	defer s.mu.Unlock()
	reached := noLimit
	switch k := p.key; {
	case atLimit(s.database[k.Database], conf.MaxDBConnections):
		reached = databaseLimit
	case atLimit(s.user[k.User], conf.MaxUserConnections):
		reached = userLimit
	default:
		s.database[k.Database]++
		s.user[k.User]++
	}
	at := s.find(p)
	switch {
	case reached == noLimit:
		s.forget(at)
	case wait && at < 0:
		s.waiting = append(s.waiting, hunger{pool: p, limit: reached})
		s.hungry.Add(1)
	case wait && s.waiting[at].limit != reached:
		s.waiting[at].limit, s.waiting[at].fed = reached, false // what is being closed for it helps no longer
	}
	return reached
}

func atLimit(n, limit int) bool { return limit > 0 && n >= limit }

func (s *shares) find(p *Pool) int {
	return slices.IndexFunc(s.waiting, func(h hunger) bool { return h.pool == p })
}

func (s *shares) forget(at int) {
	if at >= 0 {
		s.waiting = slices.Delete(s.waiting, at, at+1)
		s.hungry.Add(-1)
	}
}

// sated is told that nobody waits in the pool any more.
func (s *shares) sated(p *Pool) {
	if s.hungry.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.find(p); at >= 0 && !s.waiting[at].fed { // else it gets the place that is being made for it
		s.forget(at)
	}
}

// give counts one less, and gives the pools that may have a server now, longest wait first; of these, the one for which the place was made, if there is one.
func (s *shares) give(k Key) (next []*Pool, promised *Pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.database[k.Database]--; s.database[k.Database] == 0 {
		delete(s.database, k.Database)
	}
	if s.user[k.User]--; s.user[k.User] == 0 {
		delete(s.user, k.User)
	}
	for i := range s.waiting {
		h := &s.waiting[i]
		if !h.limit.frees(h.pool.key, k) {
			continue
		}
		if h.fed && promised == nil {
			promised = h.pool
		}
		h.fed = false
		next = append(next, h.pool)
	}
	return next, promised
}

// feed marks a pool that waits: a server is going to be closed for it. False: it does not wait, or that has been done.
func (s *shares) feed(p *Pool) (limit, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.find(p)
	if at < 0 || s.waiting[at].fed {
		return noLimit, false
	}
	s.waiting[at].fed = true
	return s.waiting[at].limit, true
}

// unfeed: there was no server to close.
func (s *shares) unfeed(p *Pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.find(p); at >= 0 {
		s.waiting[at].fed = false
	}
}

// claimed tells whether a server of pool p that nobody waits for there has to go for another pool's sake. The answer is true once for each server that such a pool lacks.
func (s *shares) claimed(p *Pool) bool {
	if s.hungry.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.waiting {
		if h := &s.waiting[i]; h.pool != p && !h.fed && h.limit.frees(h.pool.key, p.key) {
			h.fed = true
			return true
		}
	}
	return false
}

// of gives the servers of a database and of a user.
func (s *shares) of(database, user string) (ofDatabase, ofUser int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.database[database], s.user[user]
}
