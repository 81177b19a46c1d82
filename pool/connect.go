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

// newPgxpool makes the pgxpool that owns a Pool's connections: it connects and authenticates.
func (p *Pool) newPgxpool(conf config.Pool) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("make the settings of pgxpool: %w", err)
	}
	pc.BeforeConnect = func(_ context.Context, cc *pgx.ConnConfig) error { return p.aim(&cc.Config, conf, notReplication) }
	pc.MaxConns, pc.MinConns = math.MaxInt32, 0 // the Pool bounds, and closes what is old or idle
	pc.MaxConnLifetime, pc.MaxConnIdleTime, pc.HealthCheckPeriod = never, never, never
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

// connect opens a server. The error is for clients: it names neither addresses nor passwords. server_connect_timeout bounds each connection that is tried, not all of them together.
func (p *Pool) connect(ctx context.Context) (*Server, *wire.Error) {
	p.mu.Lock()
	pg, generation, secrets := p.pg, p.generation, p.secrets
	p.mu.Unlock()
	lease, err := pg.Acquire(ctx)
	if err != nil {
		return nil, connectError(err)
	}
	s, err := p.adoptLease(ctx, lease, generation, secrets)
	if err != nil {
		closing, cancel := context.WithTimeout(context.Background(), closeLimit)
		_ = lease.Conn().Close(closing)
		cancel()
		lease.Release()
		return nil, connectError(err)
	}
	return s, nil
}

// adoptLease makes a Server of a connection that pgxpool leases. pgxpool gets it back when it is closed, and not before. generation and secrets are the pool's from before it was opened: which secret
// it has logged in with is not known if that has changed.
func (p *Pool) adoptLease(ctx context.Context, lease *pgxpool.Conn, generation, secrets int) (*Server, error) {
	pg := lease.Conn().PgConn()
	nc, err := takeOver(ctx, pg)
	if err != nil {
		return nil, err
	}
	s := newServer(p, generation, nc, pg.PID(), pg.SecretKey())
	s.lease = lease
	p.space.Empty().Learn(s.reported)
	p.pooler.log.Debug().Str("database", p.key.Database).Str("user", p.key.User).Uint64("server", s.id).Uint32("pid", s.pid).Msg("server opened")
	if err := p.watched.meet(s); err != nil {
		return nil, err
	}
	if q := p.settings().Database.ConnectQuery; q != "" {
		if err := s.run(q, queryLimit); err != nil {
			p.pooler.log.Warn().Err(err).Str("database", p.key.Database).Msg("connect_query failed")
			if refused := (errRefused{}); !errors.As(err, &refused) {
				return nil, err
			}
		}
	}
	p.mu.Lock()
	p.servers[s] = struct{}{}
	if secrets != p.secrets {
		s.stale.Store(true)
	}
	p.totals.Opened++
	p.mu.Unlock()
	return s, nil
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
