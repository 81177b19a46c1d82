package pool

import (
	"strings"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// tend holds the client to the limits of time, and finds out that it has gone while it is not being read. idle clients are asked less often: the poller tells
// of nearly all of them by itself.
func (c *Client) tend(now time.Time, conf *config.Config, askIdle bool) {
	c.mu.Lock()
	state, since, inTx, inside, server, served := c.state, c.since, c.inTx, c.inside, c.server, c.served
	c.mu.Unlock()
	over := func(limit time.Duration, from time.Time) bool {
		return limit > 0 && !from.IsZero() && now.Sub(from) > limit
	}
	if c.limitsOf != conf {
		c.limitsOf = conf
		c.limits, _ = conf.Pool(c.database, c.user)
	}
	limits := c.limits
	// The SQLSTATE of the limits of transactions is PgBouncer's: drivers take those of class 25, which PostgreSQL has, for a session that goes on.
	switch state {
	case StateWaiting:
		c.tendWaiting(conf, limits, over, since, served, server != nil)
		return
	case StateActive:
		if over(limits.QueryTimeout, since) {
			c.end(reasonQueryTimeout, wire.Fatalf(wire.CodeQueryCanceled, "query timeout (query_timeout = %v)", limits.QueryTimeout))
			return
		}
	case StateInTx:
		switch {
		case inside && over(limits.IdleTransactionTimeout, since):
			c.end(reasonIdleInTx, wire.Fatalf(wire.CodeProtocolViolation, "idle transaction timeout (idle_transaction_timeout = %v)", limits.IdleTransactionTimeout))
			return
		case !inside && conf.ServerFastClose && server != nil && server.obsolete():
			c.end(reasonConfigChanged, errConfigChanged())
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
		c.end(reasonTxTimeout, wire.Fatalf(wire.CodeProtocolViolation, "transaction timeout (transaction_timeout = %v)", limits.TransactionTimeout))
		return
	}
	if c.conn.Gone() {
		c.end(reasonClientGone, nil)
		return
	}
	if state == StateInTx {
		c.wakeForServer()
	}
}

// tendWaiting holds a client in the queue to the limits of time. One that has a server is there because of SUSPEND, which has no limit but its own.
func (c *Client) tendWaiting(conf *config.Config, limits config.Pool, over func(time.Duration, time.Time) bool, since time.Time, served, frozen bool) {
	switch {
	case frozen:
	case !served && over(conf.ClientLoginTimeout, c.began):
		c.end(reasonLoginAbandoned, wire.Fatalf(wire.CodeCannotConnectNow, reasonLoginAbandoned))
	case over(limits.QueryTimeout, since):
		c.end(reasonQueueTimeout, wire.Fatalf(wire.CodeQueryCanceled, "query_timeout: no server was free for %v", limits.QueryTimeout))
	case over(conf.QueryWaitTimeout, since):
		c.pool.withdraw(c.waiter, c.overload(conf.QueryWaitTimeout))
	case served && over(conf.QueryWaitNotify, since):
		c.waiter.remind()
	}
	if c.conn.Gone() {
		c.end(reasonClientGone, nil)
	}
}

// obsolete tells whether the server's place is wanted for one that is made otherwise.
func (s *Server) obsolete() bool {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return s.pool.closeNeeded(s)
}

// wakeForServer wakes a client that waits in a transaction or a COPY while its server has something to say: an error, or its end.
func (c *Client) wakeForServer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == StateInTx && c.server != nil && c.server.conn.Readable() {
		_ = c.conn.SetReadDeadline(past)
	}
}

// overload is what a client is told that has waited for too long. PostgREST makes HTTP 429 of it; of a code of class 53 it would make 503, and reload
// its schema, which adds to the load.
func (c *Client) overload(waited time.Duration) *wire.Error {
	if err := c.pool.outageError(); err != nil {
		return err
	}
	err := wire.Errorf(wire.CodeTooManyConnections, "query_wait_timeout: no server was free for %v (pool_size = %d)", waited, c.pool.settings().Size)
	if name, ok := c.base.Get("application_name"); ok && strings.HasPrefix(name.Value, "PostgREST") {
		err.Code = wire.CodePostgRESTTooManyRequests
	}
	return err
}
