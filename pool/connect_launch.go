package pool

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/rs/zerolog"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/secure"
	"poolerd/wire/sock"
)

var (
	errNoTLS     = errors.New("server refused SSL")
	errSecondWay = errors.New("the other kind of connection would fare no better")
)

// launch is the making of one server connection. pgconn goes its ways in turn, until one leads to a server that lets us in.
type launch struct {
	pool        *Pool
	conf        config.Pool
	replication replicationKind
	global      *config.Config
	secure      *secure.Client
	known       func(endpoint) Credentials // what may be used there
	hosts       []string                   // all of them
	ways        []way

	other bool // the way gone last was refused for having TLS, or for having none
}

// aim makes cc lead to a server of conf: one connection can be made with it. What it is to replicate decides what the log says of a refusal.
func (p *Pool) aim(cc *pgconn.Config, conf config.Pool, kind replicationKind) error {
	global := p.pooler.config()
	client := p.pooler.access.Load().servers
	l := &launch{pool: p, conf: conf, replication: kind, global: global, secure: client, hosts: conf.Database.Hosts()}
	l.known = func(e endpoint) Credentials { return p.secretsFor(conf, e) }
	l.ways = waysTo(p.hostsInTurn(l.hosts, conf.Database.LoadBalance), global.ServerTLS.Mode)
	cc.Host, cc.Port = wayPrefix, uint16(conf.Database.Port)
	cc.Database, cc.User = conf.Database.DBName, conf.User
	cc.Password, cc.TLSConfig, cc.Fallbacks, cc.AfterNetConnect = "", nil, nil, nil // all of this is ours
	cc.RuntimeParams = conf.Database.Params
	cc.ConnectTimeout = global.ServerConnectTimeout // of each way
	cc.LookupFunc = func(context.Context, string) ([]string, error) {
		names := make([]string, len(l.ways))
		for i := range names {
			names[i] = wayName(i)
		}
		return names, nil
	}
	cc.DialFunc = l.dial
	return nil
}

// dial goes one way, up to where pgconn begins to log in.
func (l *launch) dial(ctx context.Context, _, address string) (net.Conn, error) {
	i, err := wayNumber(address)
	if err != nil || i >= len(l.ways) {
		return nil, errors.Join(errors.New("no such way to a server"), err)
	}
	w := l.ways[i]
	if w.second && !l.other {
		return nil, errSecondWay
	}
	l.other = false
	if limit := l.global.ServerConnectTimeout; limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, limit)
		defer stop()
	}
	began := time.Now()
	endpoints, err := l.pool.pooler.endpoints(ctx, w.host, l.conf.Database.Port)
	if err != nil {
		if failed := (*errLookup)(nil); !errors.As(err, &failed) || !failed.remembered {
			l.logClosed(l.pool.pooler.ids.Add(1), endpoint{host: w.host, address: w.host}, began, reasonLookupFailed)
		}
		return nil, err
	}
	var failed []error
	for i, e := range endpoints {
		conn, err := l.open(ctx, e, w.tls, len(endpoints)-i)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

// open connects to one endpoint, of so many that are left: none of them takes the time of all.
func (l *launch) open(ctx context.Context, e endpoint, use tlsUse, left int) (_ net.Conn, err error) {
	c := &loginConn{id: l.pool.pooler.ids.Add(1), launch: l, at: e, use: use, began: time.Now()}
	defer func() {
		if err != nil {
			l.logClosed(c.id, e, c.began, c.reason)
		}
	}()
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, max(time.Until(deadline)/time.Duration(left), min(time.Second, time.Until(deadline))))
		defer stop()
	}
	c.reason = reasonConnectFailed
	nc, err := e.dial(ctx, l.global)
	if err != nil {
		return nil, err
	}
	if l.global.LogConnections {
		said := "new connection to server"
		if e.network != "unix" {
			said += " (from " + nc.LocalAddr().String() + ")"
		}
		l.log(c.id, e).Info().Msg(said)
	}
	c.Conn = nc
	if use != tlsNever {
		if err := l.secureConn(ctx, c, use); err != nil {
			_ = nc.Close()
			return nil, err
		}
	}
	c.reason = ""
	return c, nil
}

// secureConn puts TLS over a new connection, where the server has it or it must be.
func (l *launch) secureConn(ctx context.Context, c *loginConn, use tlsUse) error {
	conf := l.secure.Config(c.at.host)
	conn, err := startTLS(ctx, c.Conn, conf, l.global.ServerTLS.Direct)
	switch {
	case errors.Is(err, errNoTLS):
		if use == tlsIfAble {
			return nil
		}
		c.reason = reasonNoTLS
		return err
	case err != nil:
		if ctx.Err() != nil {
			c.reason = reasonConnectTimeout
			return err
		}
		l.other = use == tlsIfAble
		l.log(c.id, c.at).Warn().Msg("TLS handshake failed: " + err.Error())
		return err
	}
	c.Conn, c.secured, c.tls = conn, conf, secure.Describe(conn.ConnectionState())
	if l.global.LogConnections {
		l.log(c.id, c.at).Info().Msg("SSL established: " + c.tls)
	}
	return nil
}

// startTLS asks a server for TLS, and makes it: errNoTLS when the server has none. Direct TLS is not asked for (PostgreSQL 17 and later).
func startTLS(ctx context.Context, nc net.Conn, conf *tls.Config, direct bool) (*tls.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(past) })
	defer stop()
	if !direct {
		if _, err := nc.Write(wire.AppendSSLRequest(nil)); err != nil {
			return nil, fmt.Errorf("ask for TLS: %w", err)
		}
		var answer [1]byte // and no more: whatever is behind it was not sent under TLS (CVE-2021-23222)
		if _, err := nc.Read(answer[:]); err != nil {
			return nil, fmt.Errorf("ask for TLS: %w", err)
		}
		switch answer[0] {
		case 'S':
		case 'N':
			return nil, errNoTLS
		default:
			return nil, fmt.Errorf("ask for TLS: bad answer %q", answer[0])
		}
	}
	conn := tls.Client(sock.Gate(nc), conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("make TLS: %w", err)
	}
	if direct && conn.ConnectionState().NegotiatedProtocol != secure.Protocol { // it may be another protocol's server, as for libpq
		return nil, errors.New("make TLS: direct TLS connection without the ALPN protocol " + secure.Protocol)
	}
	return conn, nil
}

// refused is told of the error by which a server lets c not in.
func (l *launch) refused(c *loginConn, e wire.Error) {
	plainAnyway := c.use == tlsIfAble && c.secured == nil             // the other kind would be the same
	l.other = e.Code == wire.CodeInvalidAuthorization && !plainAnyway // pg_hba.conf may let in the other kind
}

// reached is told that a server lets us in.
func (l *launch) reached(c *loginConn) {
	l.pool.reached(l.hosts, c.at.host, l.conf.Database.LoadBalance)
}

// log gives a logger that names a connection as PgBouncer does.
func (l *launch) log(id uint64, e endpoint) *zerolog.Logger {
	log := l.pool.pooler.log.With().Uint64("server", id).Str("database", l.conf.Database.Name).Str("user", l.conf.User).Str("server_addr", e.String()).Logger()
	return &log
}

func (l *launch) logClosed(id uint64, e endpoint, began time.Time, reason string) {
	if l.global.LogDisconnections {
		l.log(id, e).Info().Msg(closing(reason, began, time.Now()))
	}
}

// dial connects, with the settings of server sockets.
func (e endpoint) dial(ctx context.Context, global *config.Config) (net.Conn, error) {
	dialer := &net.Dialer{KeepAliveConfig: keepAlive(global)}
	if e.network == "tcp" {
		dialer.Control = func(_, _ string, raw syscall.RawConn) error { return tune(raw, global) }
	}
	return dialer.DialContext(ctx, e.network, e.address)
}

// dialSecure connects, and makes TLS when conf is not nil: what a cancel request for a server goes over, so that it is as private as the server's own connection.
func (e endpoint) dialSecure(ctx context.Context, global *config.Config, conf *tls.Config) (net.Conn, error) {
	nc, err := e.dial(ctx, global)
	if err != nil || conf == nil {
		return nc, err
	}
	conn, err := startTLS(ctx, nc, conf, global.ServerTLS.Direct)
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return conn, nil
}
