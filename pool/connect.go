package pool

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"poolerd/pool/config"
	"poolerd/wire"
)

// customKey is where pgconn keeps our Server while pgxpool has the connection.
const customKey = "poolerd.server"

// newPgxpool makes the pgxpool that owns a Pool's connections: it connects, authenticates, bounds, and closes what is old or idle.
func (p *Pool) newPgxpool(conf config.Pool) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("make the settings of pgxpool: %w", err)
	}
	pc.BeforeConnect = func(_ context.Context, cc *pgx.ConnConfig) error { return p.aim(&cc.Config, conf) }
	pc.MaxConns, pc.MinConns = math.MaxInt32, 0 // the Pool bounds, and closes what is old or idle
	pc.MaxConnLifetime, pc.MaxConnIdleTime, pc.HealthCheckPeriod = never, never, never
	pc.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // we ask the kernel, which costs no round trip
	pc.BeforeClose = p.forget
	return pgxpool.NewWithConfig(context.Background(), pc)
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
func (p *Pool) connect(ctx context.Context) (s *Server, fresh bool, _ *wire.Error) { // server_connect_timeout bounds each connection that is tried, not all of them together
	p.mu.Lock()
	pg, generation := p.pg, p.generation
	p.mu.Unlock()
	for {
		lease, err := pg.Acquire(ctx)
		if err != nil {
			return nil, false, connectError(err)
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
			return nil, fresh, connectError(err)
		}
	}
}

var errRestedToDeath = errors.New("a resting server has ended")

// adoptLease gives the Server of a connection that pgxpool leases: the same each time. fresh says that forget will be told of its end, and was not before.
func (p *Pool) adoptLease(ctx context.Context, lease *pgxpool.Conn, generation int) (_ *Server, fresh bool, _ error) {
	pg := lease.Conn().PgConn()
	if s, ok := pg.CustomData()[customKey].(*Server); ok {
		if !p.usable(s) {
			return nil, false, errRestedToDeath
		}
		s.lease = lease
		return s, false, nil
	}
	nc, err := takeOver(ctx, pg)
	if err != nil {
		return nil, false, err
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

// takeOver takes a connection on which pgconn has logged in, and of which pgconn reads nothing from now on.
func takeOver(ctx context.Context, pg *pgconn.PgConn) (*loginConn, error) {
	nc, ok := pg.Conn().(*loginConn)
	if !ok {
		return nil, fmt.Errorf("take over a new connection: a %T", pg.Conn())
	}
	if err := pg.SyncConn(ctx); err != nil {
		return nil, fmt.Errorf("take over a new connection: %w", err)
	}
	if err := nc.taken(); err != nil {
		return nil, fmt.Errorf("take over a new connection: %w", err)
	}
	return nc, nil
}

// forget is told by pgxpool before it closes a connection.
func (p *Pool) forget(conn *pgx.Conn) {
	if s, ok := conn.PgConn().CustomData()[customKey].(*Server); ok {
		p.drop(s)
	}
}
