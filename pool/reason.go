package pool

// Why a client or a server went: the words of the log and of the metrics.
const (
	reasonClientClosed  = "client closed the connection"
	reasonClientGone    = "client went away"
	reasonClientInQuery = "client went away inside a query"
	reasonClientInTx    = "client went away inside a transaction"
	reasonProtocol      = "client broke the protocol"
	reasonLoginFailed   = "login failed"
	reasonLoginTimeout  = "client_login_timeout"
	reasonIdleClient    = "client_idle_timeout"
	reasonIdleInTx      = "idle_transaction_timeout"
	reasonTxTimeout     = "transaction_timeout"
	reasonQueryTimeout  = "query_timeout"
	reasonShutdown      = "shutdown"
	reasonServerGone    = "server closed the connection"
	reasonServerBroke   = "server broke the protocol"
	reasonServerLost    = "server lost in a transaction"
	reasonLifetime      = "server_lifetime or pool_size"
	reasonDoubt         = "server may owe a reply"
	reasonReset         = "server refused its reset"
	reasonStatementMode = "transaction in statement mode"
	reasonCancel        = "cancel request of unknown fate"
	reasonSlowListener  = "notify_backlog"
	reasonHubLost       = "listening connection lost"
	reasonPin           = "session state that may not be kept"
	reasonReload        = "reload"
	reasonPanic         = "internal error"
)

// Why a connection went before it was a client, in PgBouncer's words.
const (
	reasonClientEOF = "client unexpected eof"
	reasonTLSFailed = "failed to accept SSL"
)

// reasonAuthQuery is why a server went that auth_query has left unsettled, in PgBouncer's words.
const reasonAuthQuery = "error response from auth_query"
