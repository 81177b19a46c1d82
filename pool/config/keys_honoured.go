package config

import (
	"math"
	"os"
	"slices"
	"strconv"
	"time"
)

// honouredKeys is the table of the keys that have an effect.
func honouredKeys() []Key {
	return slices.Concat(listenKeys(), poolKeys(), sessionKeys(), loginKeys(), clientTLSKeys(), serverTLSKeys(), serverKeys(), timeoutKeys(), socketKeys(), nameKeys(), peerKeys(), logKeys(), ownKeys())
}

// key begins an entry of [pgbouncer] that a reload changes.
func key(name, def, doc string) Key {
	return Key{Name: name, Section: "pgbouncer", Default: def, Doc: doc, Reloadable: true}
}

// fixed begins an entry of [pgbouncer] that needs a restart.
func fixed(name, def, doc string) Key {
	k := key(name, def, doc)
	k.Reloadable = false
	return k
}

func (k Key) in(unit string) Key { k.Unit = unit; return k }

func listenKeys() []Key {
	return []Key{
		listKey(fixed("listen_addr", "127.0.0.1", "addresses to listen on, comma-separated: a name, an IP address, * for all, or host:port; empty for the Unix socket only"),
			func(c *Config) *[]string { return &c.ListenAddr }),
		intKey(fixed("listen_port", "6432", "TCP port of the addresses that name none; 0 lets the system choose"), 0, 65535,
			func(c *Config) *int { return &c.ListenPort }),
		textKey(fixed("pidfile", "", "file that holds the process id while the pooler runs"),
			func(c *Config) *string { return &c.PidFile }),
		textKey(fixed("unix_socket_dir", "/tmp", "directory of the Unix socket; @ in front makes an abstract one; empty for none"),
			func(c *Config) *string { return &c.UnixSocketDir }),
		modeKey(fixed("unix_socket_mode", "0777", "permissions of the Unix socket, octal; an abstract one has none"),
			func(c *Config) *os.FileMode { return &c.UnixSocketMode }),
		textKey(fixed("unix_socket_group", "", "group of the Unix socket, by name or number; empty leaves it to the system"),
			func(c *Config) *string { return &c.UnixSocketGroup }),
		boolKey(fixed("so_reuseport", "0", "let several processes listen on one port, between which the system shares out the connections"),
			func(c *Config) *bool { return &c.SoReusePort }),
		intKey(fixed("listen_backlog", "128", "connections that may wait to be accepted; where it is not set as many as the system allows").in("connections"), 1, math.MaxInt32,
			func(c *Config) *int { return &c.ListenBacklog }),
		deferKey(key("tcp_defer_accept", "1", "let the system hold back a TCP connection until its first data is there, for 45 s at most (Linux)")),
		textKey(fixed("user", "", "system user to become after the start as root; empty stays who it is"),
			func(c *Config) *string { return &c.User }),
	}
}

func poolKeys() []Key {
	mode := key("pool_mode", "transaction", "when a server goes back to its pool: at the end of the transaction, session or statement")
	mode.set = func(c *Config, s string) *Error { return store(&c.PoolMode, s, parseMode) }
	mode.get = func(c *Config) string { return c.PoolMode.String() }
	const conns = "connections"
	return []Key{
		mode,
		intKey(key("max_client_conn", "10000", "most clients at a time").in(conns), 1, math.MaxInt32, func(c *Config) *int { return &c.MaxClientConn }),
		intKey(key("default_pool_size", "20", "most servers of a pool, which is a database and a user").in(conns), 1, math.MaxInt32,
			func(c *Config) *int { return &c.DefaultPoolSize }),
		intKey(key("min_pool_size", "0", "servers that a pool in use keeps connected").in(conns), 0, math.MaxInt32, func(c *Config) *int { return &c.MinPoolSize }),
		intKey(key("reserve_pool_size", "0", "further servers of a pool whose clients wait longer than reserve_pool_timeout").in(conns), 0, math.MaxInt32,
			func(c *Config) *int { return &c.ReservePoolSize }),
		durationKey(key("reserve_pool_timeout", "5", "wait after which a client may use the reserve; 0 leaves the reserve unused"),
			func(c *Config) *time.Duration { return &c.ReservePoolTimeout }),
		intKey(key("max_db_connections", "0", "most servers of a database over all users; 0 is no limit").in(conns), 0, math.MaxInt32,
			func(c *Config) *int { return &c.MaxDBConnections }),
		intKey(key("max_user_connections", "0", "most servers of a user over all databases; 0 is no limit").in(conns), 0, math.MaxInt32,
			func(c *Config) *int { return &c.MaxUserConnections }),
		intKey(key("max_db_client_connections", "0", "most clients of a database over all users; 0 is no limit").in(conns), 0, math.MaxInt32,
			func(c *Config) *int { return &c.MaxDBClientConnections }),
		intKey(key("max_user_client_connections", "0", "most clients of a user over all databases; 0 is no limit").in(conns), 0, math.MaxInt32,
			func(c *Config) *int { return &c.MaxUserClientConnections }),
		boolKey(key("server_round_robin", "0", "take the server that has rested longest, not the one used last"), func(c *Config) *bool { return &c.ServerRoundRobin }),
	}
}

func sessionKeys() []Key {
	return []Key{
		intKey(key("max_prepared_statements", "200", "prepared statements kept on a server; 0 turns their management off").in("statements"), 0, math.MaxInt32,
			func(c *Config) *int { return &c.MaxPreparedStatements }),
		listKey(key("ignore_startup_parameters", "", "startup parameters of clients to drop, comma-separated; all others are kept and replayed"),
			func(c *Config) *[]string { return &c.IgnoreStartupParameters }),
		boolKey(key("application_name_add_host", "0", "add the client's address and port to its application_name at the start"),
			func(c *Config) *bool { return &c.ApplicationNameAddHost }),
		textKey(key("server_reset_query", "DISCARD ALL", "statement run on a server when a session-mode client leaves it; empty is none"),
			func(c *Config) *string { return &c.ServerResetQuery }),
		boolKey(key("server_reset_query_always", "0", "run server_reset_query in every mode"), func(c *Config) *bool { return &c.ServerResetQueryAlways }),
		boolKey(key("disable_pqexec", "0", "refuse the simple query protocol, in which one message can hold several statements"), func(c *Config) *bool { return &c.DisablePqexec }),
		packetKey(key("max_packet_size", "2147483647", "largest message that is let through, either way").in("bytes")),
	}
}

func loginKeys() []Key {
	auth := key("auth_type", "md5", "how clients prove who they are: scram-sha-256, md5 (SCRAM for users with a SCRAM secret), plain, ldap, cert, trust, any, or hba for the rules of auth_hba_file")
	auth.set = func(c *Config, s string) *Error { return store(&c.AuthType, s, parseAuthType) }
	auth.get = func(c *Config) string { return c.AuthType.String() }
	return []Key{
		auth,
		textKey(key("auth_file", "", "file with the users' passwords or secrets (userlist.txt)"), func(c *Config) *string { return &c.AuthFile }),
		textKey(key("auth_hba_file", "", "file of the access rules of auth_type = hba, in the format of pg_hba.conf"), func(c *Config) *string { return &c.AuthHBAFile }),
		textKey(key("auth_ident_file", "", "file of the user name maps of cert and peer, in the format of pg_ident.conf"), func(c *Config) *string { return &c.AuthIdentFile }),
		maskedKey(key("auth_ldap_options", "", "LDAP server of auth_type = ldap, written as in an access rule, as ldapserver=ldap.example.com ldapbasedn=\"dc=example,dc=com\""), func(c *Config) *string { return &c.AuthLDAPOptions }),
		textKey(key("auth_user", "", "user that runs auth_query for the users who are not in auth_file; empty: nobody does"), func(c *Config) *string { return &c.AuthUser }),
		textKey(key("auth_query", defaultAuthQuery, "query that finds the name and the secret of the user $1"), func(c *Config) *string { return &c.AuthQuery }),
		databaseKey(key("auth_dbname", "", "database in which auth_query is run; empty: in the one that the client asks for"), func(c *Config) *string { return &c.AuthDBName }),
		intKey(key("scram_iterations", "4096", "iterations of the SCRAM secrets derived from plain passwords").in("iterations"), 1, math.MaxInt32,
			func(c *Config) *int { return &c.SCRAMIterations }),
		listKey(key("admin_users", "", "users that may run every command of the console, comma-separated"), func(c *Config) *[]string { return &c.AdminUsers }),
		listKey(key("stats_users", "", "users that may read the console, comma-separated"), func(c *Config) *[]string { return &c.StatsUsers }),
	}
}

// defaultAuthQuery is PgBouncer's, but for the schema: without it a user who may create tables could put one in the way.
const defaultAuthQuery = "SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END FROM pg_catalog.pg_authid WHERE rolname=$1 AND rolcanlogin"

func serverKeys() []Key {
	return []Key{
		textKey(key("server_check_query", "<empty>", "statement that finds out whether a server which has rested still lives; <empty> asks without one, nothing does not ask"),
			func(c *Config) *string { return &c.ServerCheckQuery }),
		durationKey(key("server_check_delay", "30", "rest after which a server is checked before its next use"), func(c *Config) *time.Duration { return &c.ServerCheckDelay }),
		boolKey(key("server_fast_close", "0", "on RECONNECT and after a change of its database, close the server of a session-mode client as soon as it is outside a transaction"),
			func(c *Config) *bool { return &c.ServerFastClose }),
	}
}

func timeoutKeys() []Key {
	return []Key{
		durationKey(key("server_lifetime", "3600", "age at which a server that is free is closed; 0 uses each server once"), func(c *Config) *time.Duration { return &c.ServerLifetime }),
		durationKey(key("server_idle_timeout", "600", "idle time after which a server is closed; 0 is never"), func(c *Config) *time.Duration { return &c.ServerIdleTimeout }),
		durationKey(key("server_connect_timeout", "15", "time for connecting and logging in to PostgreSQL; 0 is no limit"), func(c *Config) *time.Duration { return &c.ServerConnectTimeout }),
		durationKey(key("server_login_retry", "0.5", "longest pause between attempts to reach a PostgreSQL that refuses or is down"), func(c *Config) *time.Duration { return &c.ServerLoginRetry }),
		durationKey(key("query_timeout", "0", "time after which a query is cancelled and its client closed; 0 is no limit"), func(c *Config) *time.Duration { return &c.QueryTimeout }),
		durationKey(key("query_wait_timeout", "120", "time a client may wait for a server; 0 is no limit"), func(c *Config) *time.Duration { return &c.QueryWaitTimeout }),
		durationKey(key("cancel_wait_timeout", "10", "time a cancel request may wait to be sent on; 0 is no limit"), func(c *Config) *time.Duration { return &c.CancelWaitTimeout }),
		durationKey(key("idle_transaction_timeout", "0", "time a client may idle inside a transaction; 0 is no limit"), func(c *Config) *time.Duration { return &c.IdleTransactionTimeout }),
		durationKey(key("transaction_timeout", "0", "time a transaction may take; 0 is no limit"), func(c *Config) *time.Duration { return &c.TransactionTimeout }),
		durationKey(key("client_idle_timeout", "0", "time after which an idle client is closed; 0 is never"), func(c *Config) *time.Duration { return &c.ClientIdleTimeout }),
		durationKey(key("autodb_idle_timeout", "3600", "idle time after which a database that came from the entry * is forgotten; 0 is never"), func(c *Config) *time.Duration { return &c.AutodbIdleTimeout }),
		durationKey(key("pool_idle_timeout", "0", "idle time after which a pool without clients and servers is forgotten; 0 is never"), func(c *Config) *time.Duration { return &c.PoolIdleTimeout }),
		durationKey(key("query_wait_notify", "5", "wait after which a client in the queue gets a notice; 0 is never"), func(c *Config) *time.Duration { return &c.QueryWaitNotify }),
		durationKey(key("suspend_timeout", "10", "time that SUSPEND waits for what is under way; a query that takes longer goes on"), func(c *Config) *time.Duration { return &c.SuspendTimeout }),
		durationKey(key("client_login_timeout", "60", "time a client has for its login; 0 is no limit"), func(c *Config) *time.Duration { return &c.ClientLoginTimeout }),
	}
}

func socketKeys() []Key {
	user := key("tcp_user_timeout", "0", "time that sent data may stay unacknowledged before a connection is closed; 0 leaves it to the system").in("milliseconds")
	user.set = func(c *Config, s string) *Error { return store(&c.TCPUserTimeout, s, parseMilliseconds) }
	user.get = func(c *Config) string { return strconv.FormatInt(c.TCPUserTimeout.Milliseconds(), 10) }
	return []Key{
		boolKey(key("tcp_keepalive", "1", "TCP keepalive on clients and servers"), func(c *Config) *bool { return &c.TCPKeepalive }),
		intKey(key("tcp_keepcnt", "0", "unanswered keepalive probes before a connection is closed; 0 leaves it to the system").in("probes"), 0, math.MaxInt32,
			func(c *Config) *int { return &c.TCPKeepCnt }),
		durationKey(key("tcp_keepidle", "0", "idle time before the first keepalive probe; 0 leaves it to the system"), func(c *Config) *time.Duration { return &c.TCPKeepIdle }),
		durationKey(key("tcp_keepintvl", "0", "time between keepalive probes; 0 leaves it to the system"), func(c *Config) *time.Duration { return &c.TCPKeepIntvl }),
		user,
		intKey(key("tcp_socket_buffer", "0", "size of the system's buffers of a connection; 0 leaves it to the system").in("bytes"), 0, math.MaxInt32,
			func(c *Config) *int { return &c.TCPSocketBuffer }),
	}
}

func nameKeys() []Key {
	return []Key{
		durationKey(key("dns_max_ttl", "15", "time for which the addresses of a host name are believed"), func(c *Config) *time.Duration { return &c.DNSMaxTTL }),
		durationKey(key("dns_nxdomain_ttl", "15", "time for which a host name that was not found is believed not to be there"), func(c *Config) *time.Duration { return &c.DNSNXDomainTTL }),
	}
}

func peerKeys() []Key {
	return []Key{
		intKey(key("peer_id", "0", "number of this process in its group, 1 to 16383: a cancel request that meant another one of [peers] is passed on to it; 0 is no group"), 0, MaxPeerID,
			func(c *Config) *int { return &c.PeerID }),
	}
}

func logKeys() []Key {
	return []Key{
		textKey(key("logfile", "", "file that the log is appended to; it is opened anew on RELOAD, so that it can be rotated"), func(c *Config) *string { return &c.LogFile }),
		boolKey(key("syslog", "0", "send the log to syslog too"), func(c *Config) *bool { return &c.Syslog }),
		textKey(key("syslog_ident", "pgbouncer", "name in syslog"), func(c *Config) *string { return &c.SyslogIdent }),
		wordKey(key("syslog_facility", "daemon", "facility in syslog: auth, authpriv, daemon, user or local0 to local7"),
			[]string{"auth", "authpriv", "daemon", "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}, func(c *Config) *string { return &c.SyslogFacility }),
		boolKey(key("log_connections", "1", "log each login"), func(c *Config) *bool { return &c.LogConnections }),
		boolKey(key("log_disconnections", "1", "log each client and server that goes, with the reason"), func(c *Config) *bool { return &c.LogDisconnections }),
		boolKey(key("log_pooler_errors", "1", "log the errors that the pooler itself sends to clients"), func(c *Config) *bool { return &c.LogPoolerErrors }),
		boolKey(key("log_stats", "1", "log the sums of each stats_period"), func(c *Config) *bool { return &c.LogStats }),
		durationKey(key("stats_period", "60", "period of the averages in SHOW STATS and of log_stats"), func(c *Config) *time.Duration { return &c.StatsPeriod }),
		intKey(key("verbose", "0", "1 logs at debug, 2 and more at trace, unless log_level says otherwise"), 0, math.MaxInt32, func(c *Config) *int { return &c.Verbose }),
	}
}

func ownKeys() []Key {
	pin := key("pin_policy", "pin", "a client whose session state cannot be carried to another server (temporary tables, session advisory locks, WITH HOLD cursors): pin keeps its server until the state is gone, error refuses the statement, off throws the state away after the transaction")
	pin.set = func(c *Config, s string) *Error { return store(&c.PinPolicy, s, parsePinPolicy) }
	pin.get = func(c *Config) string { return c.PinPolicy.String() }
	keys := []Key{
		intKey(fixed("threads", "1", "processor cores to use at a time; one core carries a transaction with the fewest wake-ups, more carry more of them").in("cores"), 1, 1024,
			func(c *Config) *int { return &c.Threads }),
		boolKey(key("defer_begin", "1", "answer BEGIN here and send it together with the next statement"), func(c *Config) *bool { return &c.DeferBegin }),
		boolKey(key("defer_parse", "1", "answer a Parse outside a transaction here and send it where it is first used"), func(c *Config) *bool { return &c.DeferParse }),
		pin,
		intKey(key("max_pinned_servers", "0", "most servers of a pool that clients may keep for such state; 0 is all but one").in("connections"), 0, math.MaxInt32,
			func(c *Config) *int { return &c.MaxPinnedServers }),
		durationKey(key("watch_functions", "30", "how often to look for functions, triggers and views that leave session state on a server (advisory locks, temporary tables, set_config); DDL through the pooler is noticed at once; 0 does not look"),
			func(c *Config) *time.Duration { return &c.WatchFunctions }),
		durationKey(key("auth_query_cache", "0", "time for which what auth_query has said of a user serves further logins from an address where it has let one in, without a query; 0 asks at each login, as PgBouncer does"),
			func(c *Config) *time.Duration { return &c.AuthQueryCache }),
		intKey(key("notify_backlog", "1048576", "notifications that may wait for one client that does not read them; past that it is closed").in("bytes"), 1024, math.MaxInt32,
			func(c *Config) *int { return &c.NotifyBacklog }),
		negotiationKey(),
		textKey(fixed("record", "", "file that the clients' messages and their timing are recorded in, for poolerd bench replay; logins and secrets are left out; empty records nothing"),
			func(c *Config) *string { return &c.Record }),
		wordKey(fixed("record_parameters", RecordHashed, "hashed records stand-ins of the same length in place of parameters and constants, kept the parameters themselves but for what looks like a secret"),
			[]string{RecordHashed, RecordKept}, func(c *Config) *string { return &c.RecordParameters }),
		wordKey(key("log_level", "auto", "trace, debug, info, warn or error; auto is info unless verbose says more"),
			[]string{"auto", "trace", "debug", "info", "warn", "error"}, func(c *Config) *string { return &c.LogLevel }),
		wordKey(key("log_format", LogAuto, "console for people, json for programs, pgbouncer as PgBouncer's lines; auto is console on a terminal, json elsewhere on standard error (pgbouncer with PgBouncer's command line), and pgbouncer in logfile and syslog"),
			[]string{LogAuto, LogConsole, LogJSON, LogPgBouncer}, func(c *Config) *string { return &c.LogFormat }),
	}
	for i := range keys {
		keys[i].Section = "poolerd"
	}
	return keys
}
