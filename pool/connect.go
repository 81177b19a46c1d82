package pool

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"poolerd/pool/config"
	"poolerd/wire"
)

// customKey is where pgconn keeps our Server while pgxpool has the connection.
const customKey = "poolerd.server"

// newPgxpool makes the pgxpool that owns a Pool's connections: it connects, authenticates, bounds, and closes what is old or idle.
func (p *Pool) newPgxpool(conf config.Pool, password config.Secret) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("make the settings of pgxpool: %w", err)
	}
	p.aim(&pc.ConnConfig.Config, conf, password)
	pc.MaxConns, pc.MinConns = math.MaxInt32, 0 // the Pool bounds, and closes what is old or idle
	pc.MaxConnLifetime, pc.MaxConnIdleTime, pc.HealthCheckPeriod = never, never, never
	pc.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // we ask the kernel, which costs no round trip
	pc.BeforeClose = p.forget
	return pgxpool.NewWithConfig(context.Background(), pc)
}

// aim makes cc lead to the pool's database: the address, who logs in there and how, and what is listened to meanwhile.
func (p *Pool) aim(cc *pgconn.Config, conf config.Pool, password config.Secret) {
	global := p.pooler.config()
	cc.Host, cc.Port = conf.Database.Host, uint16(conf.Database.Port)
	if cc.Host == "" {
		cc.Host = "localhost"
	}
	cc.Database, cc.User = conf.Database.DBName, conf.User
	cc.Password = ""
	if password.Kind() == config.PlainSecret {
		cc.Password = password.Reveal()
	}
	cc.TLSConfig, cc.Fallbacks = nil, nil // TLS to servers is not there yet; the configuration refuses it by name
	cc.RuntimeParams = conf.Database.Params
	cc.ConnectTimeout = global.ServerConnectTimeout
	dialer := &net.Dialer{KeepAliveConfig: keepAlive(global)}
	cc.DialFunc = dialer.DialContext
	cc.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, nc net.Conn) (net.Conn, error) {
		return &loginConn{Conn: nc}, nil
	}
}

func keepAlive(c *config.Config) net.KeepAliveConfig {
	k := net.KeepAliveConfig{Enable: c.TCPKeepalive, Idle: c.TCPKeepIdle, Interval: c.TCPKeepIntvl, Count: c.TCPKeepCnt}
	if k.Idle == 0 {
		k.Idle = -1
	}
	if k.Interval == 0 {
		k.Interval = -1
	}
	if k.Count == 0 {
		k.Count = -1
	}
	return k
}

// connect opens a server, which is fresh then, or takes one back that rests. The error is for clients: it names neither addresses nor passwords.
func (p *Pool) connect(ctx context.Context) (s *Server, fresh bool, _ *wire.Error) {
	if limit := p.pooler.config().ServerConnectTimeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	p.mu.Lock()
	pg, generation := p.pg, p.generation
	p.mu.Unlock()
	for {
		lease, err := pg.Acquire(ctx)
		if err != nil {
			return nil, false, p.connectError(err)
		}
		s, fresh, err := p.adoptLease(ctx, lease, generation)
		if err == nil {
			return s, fresh, nil
		}
		closing, cancel := context.WithTimeout(context.Background(), closeLimit)
		_ = lease.Conn().Close(closing)
		cancel()
		lease.Release()
		if !errors.Is(err, errRestedToDeath) {
			return nil, fresh, p.connectError(err)
		}
	}
}

var errRestedToDeath = errors.New("a resting server has ended")

// adoptLease gives the Server of a connection that pgxpool leases: the same each time. fresh says that forget will be told of its end, and was not before.
func (p *Pool) adoptLease(ctx context.Context, lease *pgxpool.Conn, generation int) (_ *Server, fresh bool, _ error) {
	pg := lease.Conn().PgConn()
	if s, ok := pg.CustomData()[customKey].(*Server); ok {
		if !s.alive() {
			return nil, false, errRestedToDeath
		}
		s.lease = lease
		return s, false, nil
	}
	if err := pg.SyncConn(ctx); err != nil {
		return nil, false, fmt.Errorf("take over a new connection: %w", err)
	}
	nc, ok := pg.Conn().(*loginConn)
	if !ok || !nc.done {
		return nil, false, errors.New("take over a new connection: its login was not heard")
	}
	s := newServer(p, generation, nc, pg.PID(), pg.SecretKey())
	s.lease = lease
	p.space.Empty().Learn(s.reported)
	pg.CustomData()[customKey] = s
	p.mu.Lock()
	p.servers[s] = struct{}{}
	p.totals.Opened++
	p.mu.Unlock()
	p.pooler.log.Debug().Str("database", p.key.Database).Str("user", p.key.User).Uint32("pid", s.pid).Msg("server opened")
	if err := p.watched.meet(s); err != nil {
		return nil, true, err
	}
	if q := p.settings().Database.ConnectQuery; q != "" {
		if err := s.run(q, queryLimit); err != nil {
			p.pooler.log.Warn().Err(err).Str("database", p.key.Database).Msg("connect_query failed")
			if refused := (errRefused{}); !errors.As(err, &refused) {
				return nil, true, err
			}
		}
	}
	return s, true, nil
}

// forget is told by pgxpool before it closes a connection.
func (p *Pool) forget(conn *pgx.Conn) {
	if s, ok := conn.PgConn().CustomData()[customKey].(*Server); ok {
		p.drop(s)
	}
}

// connectError says why a server cannot be had.
func (p *Pool) connectError(err error) *wire.Error {
	var refused *pgconn.PgError
	var netErr net.Error
	switch {
	case errors.As(err, &refused):
		e := wire.Errorf(wire.Code(refused.Code), "server login failed: %s", refused.Message)
		if refused.Code == string(wire.CodeInvalidPassword) || refused.Code == string(wire.CodeInvalidAuthorization) {
			// PostgREST ends itself on PostgreSQL's own words here.
			e.Message = fmt.Sprintf("server login failed for user %q: PostgreSQL refused the password that the pooler has", p.key.User)
			e.Hint = "the auth_file needs the user's password in plain text when PostgreSQL asks for it"
		}
		return e
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return wire.Errorf(wire.CodeUnableToEstablish, "server is not available: connection refused")
	case errors.Is(err, context.Canceled):
		return wire.Errorf(wire.CodeAdminShutdown, "the pooler is shutting down")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return wire.Errorf(wire.CodeUnableToEstablish, "server is not available: server_connect_timeout passed")
	}
	return wire.Errorf(wire.CodeUnableToEstablish, "server is not available: the connection failed during the login")
}
