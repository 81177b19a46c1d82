package pool

import (
	"fmt"
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
	if c.pool.suspended.Load() { // no limit runs then, as in PgBouncer
		if c.conn.Gone() {
			c.end(reasonClientGone, nil)
		}
		return
	}
	thawed := time.Unix(0, c.pool.thawed.Load())
	over := func(limit time.Duration, from time.Time) bool {
		return limit > 0 && !from.IsZero() && now.Sub(from) > limit && now.Sub(thawed) > limit
	}
	if c.limitsOf != conf {
		c.limitsOf = conf
		c.limits, _ = conf.Pool(c.database, c.user)
	}
	limits := c.limits
	// The words and the SQLSTATE of limits that end a client are PgBouncer's: drivers and their pools take class 08 for a broken connection, PostgreSQL's own 25P03 and 57014 for one that goes on.
	ended := func(reason, setting string, limit time.Duration) {
		fatal := wire.Fatalf(wire.CodeProtocolViolation, "%s", reason)
		fatal.Detail = fmt.Sprintf("%s = %v", setting, limit)
		c.end(reason, fatal)
	}
	switch state {
	case StateWaiting:
		c.tendWaiting(conf, limits, over, since, served, server != nil, ended)
		return
	case StateActive:
		if over(limits.QueryTimeout, since) {
			ended(reasonQueryTimeout, "query_timeout", limits.QueryTimeout)
			return
		}
	case StateInTx:
		switch {
		case inside && over(limits.IdleTransactionTimeout, since):
			ended(reasonIdleInTx, "idle_transaction_timeout", limits.IdleTransactionTimeout)
			return
		case !inside && conf.ServerFastClose && server != nil && server.obsolete():
			c.end(reasonConfigChanged, errConfigChanged())
			return
		}
	case StateIdle:
		if over(limits.ClientIdleTimeout, since) {
			ended(reasonIdleClient, "client_idle_timeout", limits.ClientIdleTimeout)
			return
		}
		if !askIdle {
			return
		}
	}
	if state != StateIdle && over(limits.TransactionTimeout, inTx) {
		ended(reasonTxTimeout, "transaction_timeout", limits.TransactionTimeout)
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
func (c *Client) tendWaiting(conf *config.Config, limits config.Pool, over func(time.Duration, time.Time) bool, since time.Time, served, frozen bool, ended func(string, string, time.Duration)) {
	switch {
	case frozen:
	case !served && over(conf.ClientLoginTimeout, c.began):
		c.end(reasonLoginAbandoned, wire.Fatalf(wire.CodeCannotConnectNow, reasonLoginAbandoned))
	case over(limits.QueryTimeout, since):
		ended(reasonQueueTimeout, "no server was free: query_timeout", limits.QueryTimeout)
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
	err := wire.Errorf(wire.CodeTooManyConnections, reasonQueueWait)
	err.Detail = fmt.Sprintf("no server was free for %v (pool_size = %d)", waited, c.pool.settings().Size)
	if name, ok := c.base.Get("application_name"); ok && strings.HasPrefix(name.Value, "PostgREST") {
		err.Code = wire.CodePostgRESTTooManyRequests
	}
	return err
}
