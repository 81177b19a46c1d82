package pool

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"poolerd/pool/config"
	"poolerd/pool/vars"
	"poolerd/wire"
	"poolerd/wire/auth"
	"poolerd/wire/sock"
)

// mostPassword bounds the messages of a login behind the startup packet.
const mostPassword = 64 << 10

// login is one connection from its first byte to its welcome.
type login struct {
	pooler  *Pooler
	conn    net.Conn
	conf    *config.Config
	startup *wire.Startup
	version wire.Version
	began   time.Time

	replication replicationKind
}

// accept serves one connection to its end.
func (p *Pooler) accept(nc net.Conn) {
	defer func() { _ = nc.Close() }()
	l := &login{pooler: p, conn: nc, conf: p.config(), began: time.Now()}
	if t := l.conf.ClientLoginTimeout; t > 0 {
		_ = nc.SetDeadline(l.began.Add(t))
	}
	if p.stage.Load() == stageClosing { // it was accepted while the others were told
		return
	}
	err := l.run()
	var refused *wire.Error
	switch {
	case err == nil:
	case errors.As(err, &refused):
		_ = nc.SetWriteDeadline(time.Now().Add(farewellLimit))
		_, _ = nc.Write(refused.Append(nil))
		l.log(reasonLoginFailed, refused)
	case errors.Is(err, os.ErrDeadlineExceeded):
		timeout := wire.Fatalf(wire.CodeProtocolViolation, "client_login_timeout: the login was not finished in %v", l.conf.ClientLoginTimeout)
		_ = nc.SetWriteDeadline(time.Now().Add(farewellLimit))
		_, _ = nc.Write(timeout.Append(nil))
		l.log(reasonLoginTimeout, timeout)
	default:
		p.log.Debug().Str("client_addr", nc.RemoteAddr().String()).Msg("connection closed before its login")
	}
}

func (l *login) log(reason string, err *wire.Error) {
	e := l.pooler.log.Warn().Str("client_addr", l.conn.RemoteAddr().String())
	if l.startup != nil {
		e = e.Str("user", l.startup.User()).Str("database", l.startup.Database())
	}
	e.Str("sqlstate", string(err.Code)).Str("error", err.Message).Msg(reason)
}

func (l *login) run() error {
	if err := l.readStartup(); err != nil || l.startup.Kind == wire.RequestCancel {
		return err
	}
	admin := config.Reserved(l.startup.Database())
	if l.pooler.Draining() && !admin {
		return errDraining()
	}
	if err := l.authenticate(admin); err != nil {
		return err
	}
	switch {
	case admin && l.replication != notReplication:
		return wire.Fatalf(wire.CodeFeatureNotSupported, "the console has nothing to replicate")
	case admin:
		return l.serveConsole()
	case l.replication != notReplication:
		return l.serveReplication()
	}
	return l.serveClient()
}

// readStartup reads packets up to one that begins a session, or a cancel request, which is carried out.
func (l *login) readStartup() error {
	for {
		s, err := wire.ReadStartup(l.conn)
		if err != nil {
			return err
		}
		switch s.Kind {
		case wire.RequestSSL, wire.RequestGSSENC:
			if _, err := l.conn.Write([]byte{'N'}); err != nil {
				return err
			}
			continue
		case wire.RequestCancel:
			l.startup = s
			l.pooler.cancel(cancelKey{s.CancelPID, s.CancelSecret})
			return nil
		}
		l.startup = s
		version, reply, refused := s.Negotiate()
		if refused != nil {
			return refused
		}
		l.version = version
		if len(reply) > 0 {
			if _, err := l.conn.Write(reply); err != nil {
				return err
			}
		}
		if l.replication, refused = replicationOf(s); refused != nil {
			return refused
		}
		return nil
	}
}

// authenticate makes the client prove who it is.
func (l *login) authenticate(admin bool) error {
	user := l.startup.User()
	if admin && !l.conf.IsStats(user) {
		return wire.Fatalf(wire.CodeInvalidAuthorization, `user "%s" is not in admin_users or stats_users`, user)
	}
	if !l.conf.AuthType.NeedsSecret() {
		return nil
	}
	method := map[config.AuthType]auth.Method{config.AuthSCRAM: auth.SCRAM, config.AuthMD5: auth.MD5, config.AuthPlain: auth.Plain}[l.conf.AuthType]
	x := l.pooler.auth.Begin(method, l.conf.SCRAMIterations, l.pooler.secrets(), user)
	if _, err := l.conn.Write(x.Start()); err != nil {
		return err
	}
	for {
		typ, body, err := wire.ReadMessage(l.conn, mostPassword)
		if err != nil {
			return err
		}
		if typ != wire.ClientPassword {
			return wire.Fatalf(wire.CodeProtocolViolation, "expected a password message, got message type %d", typ)
		}
		reply, done, refused := x.Next(body)
		if refused != nil {
			return refused
		}
		if len(reply) > 0 {
			if _, err := l.conn.Write(reply); err != nil {
				return err
			}
		}
		if done {
			return nil
		}
	}
}

// serveClient runs a session on the pool of the client's database and user.
func (l *login) serveClient() error {
	p := l.pooler
	user, database := l.startup.User(), l.startup.Database()
	pool, err := p.pool(database, user)
	if err != nil {
		return err
	}
	c := &Client{
		id: p.ids.Add(1), pooler: p, pool: pool, conn: sock.New(l.conn), addr: l.conn.RemoteAddr(), local: l.conn.LocalAddr(),
		user: user, database: database, version: l.version, began: l.began, names: p.statements.NewClient(),
		waiter: newWaiter(), mode: pool.settings().Mode,
	}
	if c.base, err = l.parameters(pool); err != nil {
		return err
	}
	c.vars = c.base
	c.key = p.keys.issue(c, c.version, l.conf.PeerID)
	defer p.keys.revoke(c.key)
	if err := p.enter(c); err != nil {
		return err
	}
	defer p.exit(c)
	if err := l.welcome(c); err != nil {
		c.leave(reasonLoginFailed)
		return err
	}
	l.logLogin(c)
	_ = l.conn.SetDeadline(noDeadline)
	if c.doom.Load() != nil {
		c.leaveDoomed()
	}
	c.tap = p.recorder.tap(c)
	defer c.tap.end()
	c.serve()
	return nil
}

func (l *login) logLogin(c *Client) {
	if l.conf.LogConnections {
		e := l.pooler.log.Info().Uint64("client", c.id).Str("client_addr", c.addr.String()).Str("user", c.user).Str("database", c.database)
		if l.replication != notReplication {
			e = e.Stringer("replication", l.replication)
		}
		e.Msg("login")
	}
}

// parameters makes the Set of the startup packet.
func (l *login) parameters(pool *Pool) (*vars.Set, *wire.Error) {
	set := pool.space.Empty()
	add := func(name, value string) {
		name = lower(name)
		if !slices.Contains(l.conf.IgnoreStartupParameters, name) {
			set = set.With(vars.Item{Name: name, Value: value})
		}
	}
	for _, param := range l.startup.Params {
		switch {
		case param.Name == "user", param.Name == "database", param.Name == "replication", strings.HasPrefix(param.Name, "_pq_."):
		case param.Name == "options":
			if slices.Contains(l.conf.IgnoreStartupParameters, "options") {
				continue
			}
			options, err := wire.ParseOptions(param.Value)
			if err != nil {
				return nil, wire.Fatalf(wire.CodeInvalidParameterValue, "startup parameter options: %v", err)
			}
			for _, o := range options {
				add(o.Name, o.Value)
			}
		case param.Name == "application_name" && l.conf.ApplicationNameAddHost:
			add(param.Name, param.Value+" - "+l.conn.RemoteAddr().String())
		default:
			add(param.Name, param.Value)
		}
	}
	return set, nil
}

func lower(s string) string { return strings.ToLower(s) }

// welcome greets the client as its server would. What a server with its parameters reports is known, or is asked of one now; that one also tells whether they
// are valid.
func (l *login) welcome(c *Client) error {
	reported, ok := c.vars.Reported()
	if !ok {
		var refused *wire.Error
		if reported, refused = c.meet(); refused != nil {
			fatal := *refused
			fatal.Severity = "FATAL"
			if _, err := l.conn.Write(wire.AppendAuthenticationOK(nil)); err != nil { // the login was right, as PostgreSQL would say first
				return err
			}
			return &fatal
		}
	}
	_, err := l.conn.Write(appendWelcome(wire.AppendAuthenticationOK(nil), reported, c.key))
	return err
}

// appendWelcome appends what a server says between the authentication and the first statement.
func appendWelcome(b []byte, reported []vars.Reported, key cancelKey) []byte {
	for _, v := range reported {
		b = wire.AppendParameterStatus(b, v.Name, v.Value)
	}
	return wire.AppendReadyForQuery(wire.AppendBackendKeyData(b, key.pid, key.secret), wire.TxIdle)
}
