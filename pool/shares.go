package pool

import (
	"sync"

	"poolerd/pool/config"
)

// shares counts the servers of each database and each user over all pools: max_db_connections and max_user_connections bound them. Its lock is the innermost.
type shares struct {
	mu       sync.Mutex
	database map[string]int
	user     map[string]int
}

// take counts one more server of a pool, unless a limit is reached.
func (s *shares) take(k Key, conf config.Pool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reached(s.database[k.Database], conf.MaxDBConnections) || reached(s.user[k.User], conf.MaxUserConnections) {
		return false
	}
	s.database[k.Database]++
	s.user[k.User]++
	return true
}

func reached(n, limit int) bool { return limit > 0 && n >= limit }

// give counts one less.
func (s *shares) give(k Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.database[k.Database]--; s.database[k.Database] == 0 {
		delete(s.database, k.Database)
	}
	if s.user[k.User]--; s.user[k.User] == 0 {
		delete(s.user, k.User)
	}
}
