package pool

import (
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"poolerd/wire"
)

// Why a client or a server went: the words of the log. They are PgBouncer's where it has any, since scripts look for them.
const (
	reasonClientClosed   = "client close request"
	reasonClientGone     = "client unexpected eof"
	reasonClientInQuery  = "client disconnected with query in progress"
	reasonClientInTx     = "client disconnect while server was not ready"
	reasonProtocol       = "client broke the protocol"
	reasonPqexec         = "PQexec disallowed"
	reasonLoginFailed    = "login failed"
	reasonLoginTimeout   = "client_login_timeout"
	reasonIdleClient     = "client_idle_timeout"
	reasonIdleInTx       = "idle transaction timeout"
	reasonTxTimeout      = "transaction timeout"
	reasonQueryTimeout   = "query timeout"
	reasonQueueTimeout   = "query_timeout" // reached while the client waited for a server
	reasonQueueWait      = "query_wait_timeout"
	reasonShutdown       = "server shutting down"
	reasonKilled         = "admin forced disconnect"
	reasonRemoved        = "database removed"
	reasonPause          = "pause mode"
	reasonConfigChanged  = "database configuration changed"
	reasonSecretChanged  = "secret of the user changed"
	reasonEvicted        = "evicted"
	reasonTooMany        = "too many servers in the pool"
	reasonIdleServer     = "server idle timeout"
	reasonLifetime       = "server lifetime over"
	reasonServerGone     = "server conn crashed?"
	reasonServerLost     = "server conn crashed?" // of a client whose session went with it
	reasonServerBroke    = "server broke the protocol"
	reasonDoubt          = "server may owe a reply"
	reasonJoined         = "server may be in a transaction"
	reasonReset          = "reset query failed"
	reasonStatementMode  = "transaction blocks not allowed in statement pooling mode"
	reasonCancelWait     = "cancel_wait_timeout"
	reasonCancel         = "cancel request of unknown fate"
	reasonSlowListener   = "notify_backlog"
	reasonHubLost        = "listening connection lost"
	reasonPin            = "session state that may not be kept"
	reasonPanic          = "internal error"
	reasonLoginAbandoned = "client_login_timeout (server down)"
	reasonTLSFailed      = "failed to accept SSL"
	reasonAuthQuery      = "error response from auth_query"
)

// Why a connection to PostgreSQL went before it was a Server; the others are above, or the words of PostgreSQL's own refusal.
const (
	reasonConnectFailed  = "connect failed"
	reasonConnectTimeout = "connect timeout"
	reasonLookupFailed   = "server DNS lookup failed"
	reasonNoTLS          = "server refused SSL"
	reasonBadHeader      = "bad pkt header"
	reasonBadError       = "bad error message"
	reasonAuthRefused    = "failed to answer authreq" // for lack of a secret that serves, or since the server cannot be trusted
)

// closing is the line that tells of an end, in PgBouncer's form. The age is in whole seconds.
func closing(reason string, began, now time.Time) string {
	return fmt.Sprintf("closing because: %s (age=%ds)", reason, int64(now.Sub(began)/time.Second))
}

// identify adds what the log's lines about a client have in common.
func (c *Client) identify(e *zerolog.Event) *zerolog.Event {
	return e.Uint64("client", c.id).Str("database", c.database).Str("user", c.user).Stringer("client_addr", c.addr)
}

// logClosing says why the client leaves, once.
func (c *Client) logClosing(reason string) {
	if !c.logged && c.pooler.config().LogDisconnections {
		c.logged = true
		c.identify(c.pooler.log.Info()).Msg(closing(reason, c.began, time.Now()))
	}
}

// logError says what the client was told by the pooler itself.
func (c *Client) logError(err *wire.Error) {
	if c.pooler.config().LogPoolerErrors {
		c.identify(c.pooler.log.Warn()).Str("sqlstate", string(err.Code)).Msg("pooler error: " + err.Message)
	}
}

// logMisuse says what the client got wrong, for which the server gives it an error; PgBouncer closes it.
func (c *Client) logMisuse(format string, args ...any) {
	if c.pooler.config().LogPoolerErrors {
		c.identify(c.pooler.log.Warn()).Msgf(format, args...)
	}
}

// logClosing says why the server is closed.
func (s *Server) logClosing(reason string) {
	p := s.pool
	if p.pooler.config().LogDisconnections {
		p.pooler.log.Info().Uint64("server", s.id).Str("database", p.key.Database).Str("user", p.key.User).Stringer("server_addr", s.conn.RemoteAddr()).
			Uint32("pid", s.pid).Msg(closing(reason, s.created, time.Now()))
	}
}
