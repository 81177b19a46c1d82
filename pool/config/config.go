package config

import (
	"fmt"
	"os"
	"time"

	"poolerd/wire/secure"
)

// Mode says when a server is given back to its pool.
type Mode uint8

const (
	ModeTransaction Mode = iota // when the transaction ends; the default
	ModeSession                 // when the client leaves
	ModeStatement               // after each statement; transactions of several statements are refused
)

func (m Mode) String() string { return [...]string{"transaction", "session", "statement"}[m] }

// PinPolicy says what becomes of a client whose session state cannot be carried to another server: temporary tables, session advisory locks, WITH HOLD cursors,
// LOAD, PREPARE in SQL.
type PinPolicy uint8

const (
	PinKeep  PinPolicy = iota // it keeps its server until the state is gone; the default
	PinError                  // the statement that would make such state is refused, with SQLSTATE 0A000
	PinOff                    // the state is thrown away when the transaction ends
)

func (p PinPolicy) String() string { return [...]string{"pin", "error", "off"}[p] }

// AuthType is how clients prove who they are.
type AuthType uint8

const (
	AuthSCRAM  AuthType = iota // SCRAM-SHA-256 with plain and SCRAM secrets
	AuthMD5                    // MD5 with plain and MD5 secrets, SCRAM-SHA-256 for users that have a SCRAM secret; the default
	AuthPlain                  // the password as it is, over the wire
	AuthTrust                  // nothing is asked
	AuthAny                    // nothing is asked and the client's user name is not used: every database names its user, everyone may read the console
	AuthCert                   // the client's certificate names it, and TLS with verify-full is needed
	AuthHBA                    // auth_hba_file decides for each connection
	AuthLDAP                   // an LDAP server judges the password, by auth_ldap_options
	AuthPeer                   // the operating system names the user at the other end of a Unix socket: in hba rules only
	AuthReject                 // refused: in hba rules only
)

func (a AuthType) String() string {
	return [...]string{"scram-sha-256", "md5", "plain", "trust", "any", "cert", "hba", "ldap", "peer", "reject"}[a]
}

// NeedsSecret tells whether a client must send a proof of its password.
func (a AuthType) NeedsSecret() bool { return a <= AuthPlain || a == AuthHBA }

// Log formats, as in the key log_format.
const (
	LogAuto      = "auto" // on standard error console at a terminal, else json; in a file and in syslog pgbouncer
	LogConsole   = "console"
	LogJSON      = "json"
	LogPgBouncer = "pgbouncer" // lines as PgBouncer writes them
)

// What becomes of parameters in a recording, as in the key record_parameters.
const (
	RecordHashed = "hashed" // stand-ins of the same length
	RecordKept   = "kept"   // as they are, secrets excepted
)

// Config is everything an operator can set. The fields that mirror a key bear its name; the key's documentation, unit and default are in Keys. A Config is
// not changed after it has been checked: a reload makes a new one.
type Config struct {
	// Listening.
	ListenAddr []string // host, "*" for all, or host:port; see Listen
	ListenPort int      // for those that name no port
	PidFile    string

	UnixSocketDir   string      // of the Unix socket; "@..." makes an abstract one; empty: none
	UnixSocketMode  os.FileMode // permission bits
	UnixSocketGroup string      // name or number; empty: the process's
	SoReusePort     bool        // several processes listen on one port
	ListenBacklog   int         // connections that wait to be accepted
	TCPDeferAccept  time.Duration
	User            string // to become after the start as root

	// Pools.
	PoolMode           Mode
	MaxClientConn      int
	DefaultPoolSize    int
	MinPoolSize        int
	ReservePoolSize    int
	ReservePoolTimeout time.Duration // 0: the reserve is not used
	MaxDBConnections   int           // 0: no limit
	MaxUserConnections int           // 0: no limit
	ServerRoundRobin   bool

	MaxDBClientConnections   int // 0: no limit
	MaxUserClientConnections int // 0: no limit
	ServerFastClose          bool
	ServerCheckQuery         string        // "<empty>" asks whether the server lives without a statement, "" does not ask
	ServerCheckDelay         time.Duration // rest after which a server is checked before its next use
	AutodbIdleTimeout        time.Duration // of databases of the fallback entry
	PoolIdleTimeout          time.Duration // of pools that nobody uses; 0: never
	SuspendTimeout           time.Duration // for SUSPEND
	QueryWaitNotify          time.Duration // wait after which a queued client is told so; 0: never

	// Sessions.
	MaxPreparedStatements   int // a server; 0: statements are not managed
	IgnoreStartupParameters []string
	ApplicationNameAddHost  bool
	ServerResetQuery        string
	ServerResetQueryAlways  bool
	DisablePqexec           bool  // the simple query protocol is refused
	MaxPacketSize           int64 // bytes of one message

	// Clients' logins.
	AuthType        AuthType
	AuthFile        string
	SCRAMIterations int // of secrets derived from plain passwords
	AdminUsers      []string
	StatsUsers      []string
	AuthHBAFile     string // rules of auth_type = hba
	AuthIdentFile   string // user name maps of cert and peer
	AuthLDAPOptions string // of auth_type = ldap, written as in an hba rule
	AuthQuery       string // finds the secret of a user who is not in auth_file
	AuthUser        string // runs AuthQuery; empty: it is not run
	AuthDBName      string // where AuthQuery is run; empty: in the client's database

	// TLS.
	ClientTLS secure.Settings
	ServerTLS secure.Settings

	// Names.
	DNSMaxTTL      time.Duration // for which an address is believed
	DNSNXDomainTTL time.Duration // for which a name without an address is believed to have none

	// Timeouts; 0 turns one off, but see ServerLifetime.
	ServerLifetime         time.Duration // 0: a server serves once and is closed
	ServerIdleTimeout      time.Duration
	ServerConnectTimeout   time.Duration
	ServerLoginRetry       time.Duration // the longest pause between attempts to reach a server that refuses
	QueryTimeout           time.Duration
	QueryWaitTimeout       time.Duration
	CancelWaitTimeout      time.Duration
	IdleTransactionTimeout time.Duration
	TransactionTimeout     time.Duration
	ClientIdleTimeout      time.Duration
	ClientLoginTimeout     time.Duration

	// Sockets; 0 leaves a value to the operating system.
	TCPKeepalive   bool
	TCPKeepCnt     int
	TCPKeepIdle    time.Duration
	TCPKeepIntvl   time.Duration
	TCPUserTimeout time.Duration

	TCPSocketBuffer int // bytes of the kernel's buffers

	// Logs and statistics.
	LogFile           string // the log is appended to it, too unless Quiet; empty: none
	Quiet             bool   // nothing on standard error: the flag --quiet
	Syslog            bool
	SyslogIdent       string
	SyslogFacility    string
	LogConnections    bool
	LogDisconnections bool
	LogPoolerErrors   bool
	LogStats          bool
	StatsPeriod       time.Duration
	Verbose           int    // 0 to 3; see Level
	LogLevel          string // a zerolog level's name, or "auto"; see Level
	LogFormat         string // LogAuto or another of the Log constants

	// Peers: other poolers that cancel requests are passed on to.
	PeerID int // of this process; 0: it has no peers

	// What PgBouncer does not have.
	Threads          int
	DeferBegin       bool
	DeferParse       bool
	PinPolicy        PinPolicy
	WatchFunctions   time.Duration // 0: never
	AuthQueryCache   time.Duration // 0: no answer is kept
	MaxPinnedServers int           // of a pool; 0: all but one, see Pool.MaxPinned
	NotifyBacklog    int           // bytes of notifications that may wait for one client

	Record           string // file that traffic is recorded in; empty: none is
	RecordParameters string // RecordHashed or RecordKept

	// Databases by the name that clients use; "*" is for names that are not here.
	Databases map[string]Database
	// Users has the settings of the users that have any.
	Users map[string]UserSettings
	// Peers are the poolers that share the group, by their peer_id. This process may be among them.
	Peers map[int]Peer
	// Upstream is what a connection URL said beside the address, which is in Databases["*"].
	Upstream Upstream

	origins map[string]Origin // of the keys that were set
	inert   map[string]string // values of the keys without effect, for SHOW CONFIG
	file    string            // that was loaded; empty: none was
}

// Defaults gives the settings of an empty file.
func Defaults() *Config {
	c := &Config{Databases: map[string]Database{}, Users: map[string]UserSettings{}, Peers: map[int]Peer{}, origins: map[string]Origin{}, inert: map[string]string{}}
	for _, k := range Keys() {
		if k.Support != Honoured {
			continue
		}
		if err := k.set(c, k.Default); err != nil {
			panic(fmt.Sprintf("default of %s: %v", k.Name, err)) // the table is wrong; a test sets every default
		}
	}
	return c
}

// Level is the effective log level, a name that zerolog knows. log_level says it; while that is auto, verbose = 1 is debug and more is trace.
func (c *Config) Level() string {
	switch {
	case c.LogLevel != "auto":
		return c.LogLevel
	case c.Verbose >= 2:
		return "trace"
	case c.Verbose == 1:
		return "debug"
	}
	return "info"
}

// Set gives a key of [pgbouncer] or [poolerd] a value, written as in the file. A later Check names origin where it complains about this key.
func (c *Config) Set(key, value string, from Origin) error {
	k, ok := findKey(key)
	if !ok || k.Support != Honoured {
		return &Error{Origin: from, Key: key, Value: shownValue(key, value), Reason: "unknown setting", Hint: didYouMean(key, honouredNames())}
	}
	if err := k.set(c, value); err != nil {
		return k.problem(from, value, err)
	}
	c.origins[key] = from
	return nil
}

// Origin tells where a key's value comes from; the zero Origin when it is the default.
func (c *Config) Origin(key string) Origin { return c.origins[key] }
