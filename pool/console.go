package pool

import (
	"cmp"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"poolerd/pool/config"
	"poolerd/pool/metrics"
	"poolerd/wire"
	"poolerd/wire/sock"
)

// ConsoleDatabase is the name of the console's database, and of the user that its pool is shown under, in SHOW POOLS and its like.
const ConsoleDatabase = "pgbouncer"

// ownConsoleDatabase is the console's other name. Whoever comes by it sees our own columns too.
const ownConsoleDatabase = "poolerd"

// Console serves the sessions on the console's database, after the login. Serve returns when the session is over, with a *wire.Error that is still to be sent
// or with nil; it does not close the connection. A read deadline of the connection that passes means that the pooler drains.
type Console interface {
	Serve(s *ConsoleSession) error
}

// ConsoleSession is one connection to the console's database, from its login on.
type ConsoleSession struct {
	Conn net.Conn
	User string
	// Owner: the user came over the Unix socket as the user of this process, and may run every command whatever admin_users says.
	Owner bool
	// Own: the client named the database "poolerd", and is shown our own columns behind PgBouncer's.
	Own bool
	Log zerolog.Logger

	id          uint64
	socket      *sock.Conn // Conn, for what the kernel knows
	application string
	began       time.Time
	key         cancelKey
	cancelled   chan struct{}
	asked       atomic.Int64 // when the last command came, in nanoseconds since 1970
	counted     atomic.Bool
	killed      atomic.Bool // by KILL_CLIENT
	totals      *consoleTotals
}

// NewConsoleSession makes a session that no pooler knows of.
func NewConsoleSession(conn net.Conn, user string) *ConsoleSession {
	s := &ConsoleSession{
		Conn: conn, User: user, Log: zerolog.Nop(), socket: sock.New(conn), began: time.Now(), key: randomKey(4), cancelled: make(chan struct{}, 1), totals: &consoleTotals{},
	}
	s.asked.Store(s.began.UnixNano())
	return s
}

// ID is the number under which SHOW CLIENTS shows the session, of the same count as those of clients and servers.
func (s *ConsoleSession) ID() uint64 { return s.id }

// Key is the session's cancel key: what its BackendKeyData says.
func (s *ConsoleSession) Key() (pid uint32, secret []byte) { return s.key.pid, s.key.secret }

// Cancelled has a token after a cancel request with the session's key, one for all that came since it was last emptied.
func (s *ConsoleSession) Cancelled() <-chan struct{} { return s.cancelled }

// Asked notes that a command has come. The first one of a session counts, as in PgBouncer, to which a session of the console is one transaction without an end.
func (s *ConsoleSession) Asked() {
	s.asked.Store(time.Now().UnixNano())
	if s.counted.Swap(true) {
		return
	}
	s.totals.mu.Lock()
	s.totals.all.Transactions++
	s.totals.all.Queries++
	s.totals.mu.Unlock()
}

// Cancel does what a cancel request with the session's key does.
func (s *ConsoleSession) Cancel() {
	select {
	case s.cancelled <- struct{}{}:
	default:
	}
}

func (s *ConsoleSession) cancelRunning() { s.Cancel() }

func (s *ConsoleSession) info() ClientInfo {
	return ClientInfo{
		ID: s.id, User: s.User, Database: ConsoleDatabase, State: StateIdle, Addr: s.Conn.RemoteAddr(), Local: s.Conn.LocalAddr(), Connected: s.began,
		Since: time.Unix(0, s.asked.Load()), Application: s.application, CancelPID: s.key.pid, TLS: describeTLS(s.Conn), PID: peerPID(s.Conn),
	}
}

// consoleTotals counts what was asked. Its lock is taken last.
type consoleTotals struct {
	mu    sync.Mutex
	all   metrics.Totals
	marks marks
}

// consoles are the sessions that are open. The zero value has none. Its lock is taken last.
type consoles struct {
	mu       sync.Mutex
	sessions map[uint64]*ConsoleSession
	totals   consoleTotals
}

func (c *consoles) add(s *ConsoleSession) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions == nil {
		c.sessions = map[uint64]*ConsoleSession{}
	}
	c.sessions[s.id] = s
}

// remove gives how many are left.
func (c *consoles) remove(s *ConsoleSession) (left int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sessions, s.id)
	return len(c.sessions)
}

// open gives the sessions, but for those that their clients have closed: each is about to notice, and a script that asks one after the other wants to see itself alone.
func (c *consoles) open() []*ConsoleSession {
	c.mu.Lock()
	all := make([]*ConsoleSession, 0, len(c.sessions))
	for _, s := range c.sessions {
		all = append(all, s)
	}
	c.mu.Unlock()
	return slices.DeleteFunc(all, func(s *ConsoleSession) bool { return s.socket.Gone() })
}

func (c *consoles) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sessions)
}

// Consoles gives the sessions on the console's database, oldest first.
func (p *Pooler) Consoles() []ClientInfo {
	var all []ClientInfo
	for _, s := range p.consoles.open() {
		all = append(all, s.info())
	}
	slices.SortFunc(all, func(a, b ClientInfo) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// ConsolePool is what the console's sessions come to, shown as a pool.
func (p *Pooler) ConsolePool() PoolInfo {
	n := len(p.consoles.open())
	i := PoolInfo{Database: ConsoleDatabase, User: ConsoleDatabase, Mode: config.ModeStatement, Size: ConsolePoolSize, Clients: n, Active: n}
	i.Totals, i.Last = p.consoles.sums()
	i.LastTook = p.stats.since(time.Now())
	return i
}

// ConsolePoolSize is what PgBouncer shows as the size of a pool that has no servers.
const ConsolePoolSize = 2

// CloseConsole closes a session of the console's, and reports whether there is one with that id.
func (p *Pooler) CloseConsole(id uint64) bool {
	p.consoles.mu.Lock()
	s, ok := p.consoles.sessions[id]
	p.consoles.mu.Unlock()
	if ok {
		s.killed.Store(true)
		_ = s.Conn.Close()
	}
	return ok
}

// serveConsole runs a session on the console's database.
func (l *login) serveConsole() error {
	_ = l.conn.SetDeadline(noDeadline)
	p := l.pooler
	if p.console == nil {
		return wire.Fatalf(wire.CodeUndefinedDatabase, "there is no console")
	}
	if p.stage.Load() == stageClosing {
		return errShutdown()
	}
	leave, refused := p.seatConsole(ConsoleDatabase, l.user, l.owner)
	if refused != nil {
		return refused
	}
	defer leave()
	l.logLogin()
	s := NewConsoleSession(l.conn, l.user)
	s.id, s.Owner, s.began, s.totals = l.id, l.owner, l.began, &p.consoles.totals
	s.Own = l.database == ownConsoleDatabase
	s.application, _ = l.startup.Get("application_name")
	s.Log = p.log.With().Uint64("client", s.id).Str("database", ConsoleDatabase).Str("user", s.User).Str("client_addr", l.addr.String()).Logger()
	s.key = p.keys.issue(s, l.version, l.conf.PeerID)
	defer p.keys.revoke(s.key)
	p.consoles.add(s)
	defer p.leaveConsole(s)
	l.entered = true
	err := p.console.Serve(s)
	l.logConsoleClosing(s, err)
	return err
}

// logConsoleClosing says why a session has ended.
func (l *login) logConsoleClosing(s *ConsoleSession, err error) {
	if !l.pooler.config().LogDisconnections {
		return
	}
	reason := reasonClientClosed
	switch answer, told := errors.AsType[*wire.Error](err); {
	case told:
		reason = answer.Message
	case s.killed.Load():
		reason = reasonKilled
	case l.pooler.stage.Load() == stageClosing:
		reason = reasonShutdown
	}
	l.tag(l.pooler.log.Info()).Msg(closing(reason, l.began, time.Now()))
}

// leaveConsole forgets a session. SUSPEND is for a moment and ends with whoever watches over it, as in PgBouncer; PAUSE stays.
func (p *Pooler) leaveConsole(s *ConsoleSession) {
	if left := p.consoles.remove(s); left == 0 && p.resumeAll(holdSuspended) {
		p.log.Info().Msg("admin disappeared when suspended, doing RESUME")
	}
}
