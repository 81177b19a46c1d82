package pool

import (
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// tend holds the client to the limits of time, and finds out that it has gone while it is not being read. idle clients are asked less often: the poller tells
// of nearly all of them by itself.
func (c *Client) tend(now time.Time, conf *config.Config, askIdle bool) {
	c.mu.Lock()
	state, since, inTx, s := c.state, c.since, c.inTx, c.server
	c.mu.Unlock()
	over := func(limit time.Duration, from time.Time) bool {
		return limit > 0 && !from.IsZero() && now.Sub(from) > limit
	}
	limits := c.pool.timeouts(c.user)
	switch state {
	case StateWaiting:
		if over(conf.QueryWaitTimeout, since) {
			c.pool.withdraw(c.waiter, wire.Errorf(wire.CodeInsufficientResources,
				"query_wait_timeout: no server was free for %v (pool_size = %d)", conf.QueryWaitTimeout, c.pool.settings().Size))
			return
		}
	case StateActive:
		if over(limits.QueryTimeout, since) {
			c.end(reasonQueryTimeout, wire.Fatalf(wire.CodeQueryCanceled, "query_timeout: the query took longer than %v", limits.QueryTimeout))
			return
		}
	case StateInTx:
		if over(limits.IdleTransactionTimeout, since) && c.inBlock(s) {
			c.end(reasonIdleInTx, wire.Fatalf(wire.CodeIdleInTransactionTimeout,
				"idle_transaction_timeout: idle in a transaction for longer than %v", limits.IdleTransactionTimeout))
			return
		}
	case StateIdle:
		if over(limits.ClientIdleTimeout, since) {
			c.end(reasonIdleClient, wire.Fatalf(wire.CodeIdleSessionTimeout, "client_idle_timeout: idle for longer than %v", limits.ClientIdleTimeout))
			return
		}
		if !askIdle {
			return
		}
	}
	if state != StateIdle && over(limits.TransactionTimeout, inTx) {
		c.end(reasonTxTimeout, wire.Fatalf(wire.CodeTransactionTimeout, "transaction_timeout: the transaction took longer than %v", limits.TransactionTimeout))
		return
	}
	if c.conn.Gone() {
		c.end(reasonClientGone, nil)
	}
}

// inBlock: a client that keeps its server outside a transaction is not idle in one.
func (c *Client) inBlock(s *Server) bool { return s == nil || !(c.mode == modeSession) }

func (p *Pool) timeouts(user string) config.Pool {
	conf, _ := p.pooler.config().Pool(p.key.Database, user)
	return conf
}
