package pool

import (
	"errors"
	"time"
)

// checkEmpty is the server_check_query that stands for a query without a statement.
const checkEmpty = "<empty>"

// usable tells whether a server that nobody has may serve: the kernel is asked after a short rest, the server itself after server_check_delay. One that is not is to be discarded.
func (p *Pool) usable(s *Server) bool {
	rested := time.Since(s.used)
	if rested > probeAfter && !s.alive() {
		return false
	}
	conf := p.pooler.config()
	if conf.ServerCheckQuery == "" || rested < conf.ServerCheckDelay {
		return true
	}
	return s.check(conf.ServerCheckQuery, queryLimit)
}

// check asks an idle server whether it still answers, by server_check_query, within limit. What it answers does not matter, as with PgBouncer: a query that is wrong fails on every server.
func (s *Server) check(query string, limit time.Duration) bool {
	if query == checkEmpty {
		query = ""
	}
	err := s.run(query, limit)
	if refused := (errRefused{}); errors.As(err, &refused) {
		s.pool.pooler.log.Warn().Uint64("server", s.id).Str("database", s.pool.key.Database).Str("reason", refused.answer.Message).Msg("server_check_query failed")
		err = nil
	}
	return err == nil && s.pipe.Idle()
}
