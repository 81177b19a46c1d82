package pool

import (
	"fmt"
	"strings"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// look is one look of the clock at a client.
type look struct {
	*Client
	now    time.Time
	thawed time.Time // when SUSPEND last ended: no limit runs in it, as in PgBouncer
	conf   *config.Config

	// What the fields of the client, which its lock guards, were.
	state       State
	since, inTx time.Time
	inside      bool
	server      *Server
	served      bool
}

// limits finds the settings of clients, which all of a database and user share. The pooler's clock has one.
type limits struct {
	conf *config.Config
	of   map[Key]*config.Pool
}

// mostLimits bounds what is remembered of those who have gone: it is all forgotten then.
const mostLimits = 1000

// follow forgets what another configuration said.
func (l *limits) follow(conf *config.Config) {
	if l.conf != conf || len(l.of) > mostLimits {
		l.conf, l.of = conf, map[Key]*config.Pool{}
	}
}

func (l *limits) find(database, user string) *config.Pool {
	key := Key{database, user}
	settings := l.of[key]
	if settings == nil {
		found, _ := l.conf.Pool(database, user)
		settings = &found
		l.of[key] = settings
	}
	return settings
}

// tend holds the client to the limits of time, and finds out that it has gone while it is not being read. idle clients are asked less often: the poller tells
// of nearly all of them by itself.
func (c *Client) tend(now time.Time, limits *limits, askIdle bool) {
	conf := limits.conf
	if c.limitsOf != conf {
		c.limits, c.limitsOf = limits.find(c.database, c.user), conf
	}
	l := look{Client: c, now: now, conf: conf, thawed: time.Unix(0, c.pool.thawed.Load())}
	c.mu.Lock()
	l.state, l.since, l.inTx, l.inside, l.server, l.served = c.state, c.since, c.inTx, c.inside, c.server, c.served
	c.mu.Unlock()
	switch suspended := c.pool.suspended.Load(); {
	case !suspended && l.overdue():
		return
	case !suspended && l.state == StateIdle && !askIdle:
		return
	case c.conn.Gone():
		c.end(reasonClientGone, nil)
	case !suspended && l.state == StateInTx:
		c.wakeForServer()
	}
}

func (l *look) over(limit time.Duration, from time.Time) bool {
	return limit > 0 && !from.IsZero() && l.now.Sub(from) > limit && l.now.Sub(l.thawed) > limit
}

// ended ends the client for a limit. The words and the SQLSTATE are PgBouncer's: drivers and their pools take class 08 for a broken connection, PostgreSQL's own 25P03 and 57014 for one that
// goes on.
func (l *look) ended(reason, setting string, limit time.Duration) {
	fatal := wire.Fatalf(wire.CodeProtocolViolation, "%s", reason)
	fatal.Detail = fmt.Sprintf("%s = %v", setting, limit)
	l.end(reason, fatal)
}

// overdue ends the client when one of its limits has passed, and tells whether it did.
func (l *look) overdue() bool {
	limits := l.limits
	switch {
	case l.state == StateWaiting:
		l.tendWaiting()
		return false
	case l.state == StateActive && l.over(limits.QueryTimeout, l.since):
		l.ended(reasonQueryTimeout, "query_timeout", limits.QueryTimeout)
	case l.state == StateInTx && l.inside && l.over(limits.IdleTransactionTimeout, l.since):
		l.ended(reasonIdleInTx, "idle_transaction_timeout", limits.IdleTransactionTimeout)
	case l.state == StateInTx && !l.inside && l.conf.ServerFastClose && l.server != nil && l.server.obsolete():
		l.end(reasonConfigChanged, errConfigChanged())
	case l.state == StateIdle && l.over(limits.ClientIdleTimeout, l.since):
		l.ended(reasonIdleClient, "client_idle_timeout", limits.ClientIdleTimeout)
	case l.state != StateIdle && l.over(limits.TransactionTimeout, l.inTx):
		l.ended(reasonTxTimeout, "transaction_timeout", limits.TransactionTimeout)
	default:
		return false
	}
	return true
}

// tendWaiting holds a client in the queue to the limits of time. One that has a server is there because of SUSPEND, which has no limit but its own.
func (l *look) tendWaiting() {
	switch {
	case l.server != nil:
	case !l.served && l.over(l.conf.ClientLoginTimeout, l.began):
		l.end(reasonLoginAbandoned, wire.Fatalf(wire.CodeCannotConnectNow, reasonLoginAbandoned))
	case l.over(l.limits.QueryTimeout, l.since):
		l.ended(reasonQueueTimeout, "no server was free: query_timeout", l.limits.QueryTimeout)
	case l.over(l.conf.QueryWaitTimeout, l.since):
		l.pool.withdraw(l.waiter, l.overload(l.conf.QueryWaitTimeout))
	case l.served && l.over(l.conf.QueryWaitNotify, l.since):
		l.waiter.remind()
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
