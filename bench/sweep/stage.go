package sweep

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/bench/client"
	"poolerd/bench/delay"
	"poolerd/bench/postgres"
	"poolerd/bench/proc"
	"poolerd/bench/web"
)

// subject is what is measured: a pooler, PostgreSQL itself, or an HTTP server.
type subject struct {
	name     string
	poolSize int            // 0: not known, or none
	url      string         // where clients log in
	config   *pgconn.Config // of url, made once; nil for HTTP
	console  bool           // there may be a pooler's console at the same address
	process  *proc.Process  // where it was started here
	pooler   int            // process id of the pooler, 0: not known
}

// died returns an error if a process that was started here is gone.
func (s *subject) died() error {
	if s.process == nil {
		return nil
	}
	return s.process.Died()
}

// stage holds all that was brought up for a bench.
type stage struct {
	o        *Options
	cluster  *postgres.Cluster // nil unless PostgreSQL is private
	server   int               // the private postmaster's process id, 0: not known
	super    string            // URL by which the workload's tables are made and the database is asked; "": none
	upstream string            // URL of PostgreSQL as the workload's role
	proxy    *delay.Proxy      // between pooler and PostgreSQL, nil without ServerLatency
	subjects []*subject
	notes    []string // what the reader of the report must know
	version  string   // of PostgreSQL, "" where it was not asked
}

// raise brings up what o asks for. On an error nothing is left behind.
func raise(ctx context.Context, o *Options) (_ *stage, err error) {
	s := &stage{o: o}
	defer func() {
		if err != nil {
			s.lower()
		}
	}()
	switch {
	case o.HTTP != nil:
		err = s.raiseHTTP(ctx)
	case len(o.Targets) > 0:
		err = s.raiseTargets(ctx)
	default:
		err = s.raiseOwn(ctx)
	}
	if err != nil {
		return nil, err
	}
	for _, sub := range s.subjects {
		if o.HTTP != nil {
			break
		}
		if sub.config, err = client.Parse(sub.url); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// raiseHTTP sees that the HTTP server can be reached, and learns what its clients will leave out.
func (s *stage) raiseHTTP(ctx context.Context) error {
	s.subjects = []*subject{{name: "http", url: s.o.HTTP.URL}}
	notes, err := web.Prepare(ctx, s.o.webOptions(0, s.o.Seed))
	s.notes = append(s.notes, notes...)
	return err
}

// lower takes everything down, in the opposite order.
func (s *stage) lower() {
	for _, sub := range s.subjects {
		if sub.process != nil {
			sub.process.Stop()
		}
	}
	if s.proxy != nil {
		_ = s.proxy.Close()
	}
	if s.cluster != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
		defer cancel()
		if err := s.cluster.Stop(ctx); err != nil {
			s.o.Watch.Log("the private PostgreSQL could not be stopped: %v", err)
		}
	}
}

const stopLimit = 20 * time.Second

// raiseOwn starts PostgreSQL unless the user names one, fills it, and starts a poolerd at each pool size.
func (s *stage) raiseOwn(ctx context.Context) error {
	if err := s.raisePostgres(ctx); err != nil {
		return err
	}
	if err := s.setUp(ctx); err != nil {
		return err
	}
	through := s.upstream
	if s.o.ServerLatency > 0 {
		var err error
		if through, err = s.raiseProxy(ctx); err != nil {
			return err
		}
	}
	for _, size := range s.o.PoolSizes {
		child, err := startPoolerd(ctx, s.o, through, size)
		if err != nil {
			return err
		}
		s.subjects = append(s.subjects, child)
	}
	if s.o.Direct {
		s.subjects = append(s.subjects, &subject{name: "direct", url: through})
	}
	return nil
}

// raisePostgres starts the private PostgreSQL, or takes the user's.
func (s *stage) raisePostgres(ctx context.Context) error {
	if s.o.Upstream != "" {
		var err error
		if s.upstream, err = whole(s.o.Upstream); err != nil {
			return fmt.Errorf("--upstream: %w", err)
		}
		s.super = s.upstream
		if err := s.ask(ctx, s.upstream); err != nil {
			return fmt.Errorf("--upstream: %w", err)
		}
		return nil
	}
	settings := map[string]string{
		"max_connections": strconv.Itoa(s.connections()),
		"shared_buffers":  "256MB",
		// Nothing shall happen in some runs and not in others.
		"autovacuum":         "off",
		"checkpoint_timeout": "1h",
		"max_wal_size":       "8GB",
		"synchronous_commit": "off",
		"jit":                "off",
	}
	if s.o.Advice {
		settings["shared_preload_libraries"] = "pg_stat_statements"
	}
	opts := postgres.Options{Sample: true, Scale: s.o.Scale, Without: s.o.Without, Settings: settings, Log: s.o.Watch.Log}
	cluster, err := postgres.Start(ctx, opts)
	if err != nil && s.o.Advice && ctx.Err() == nil {
		// Binaries without contrib have no pg_stat_statements, and do not start with it.
		s.o.Watch.Log("PostgreSQL does not start with pg_stat_statements, trying without it")
		delete(settings, "shared_preload_libraries")
		cluster, err = postgres.Start(ctx, opts)
	}
	if err != nil {
		return err
	}
	s.cluster = cluster
	if s.server, err = cluster.PID(); err != nil {
		return err
	}
	s.super = cluster.URL("postgres", "fountain")
	s.upstream = cluster.URL(s.o.Workload.Role, "fountain")
	return s.ask(ctx, s.super)
}

// connections is how many PostgreSQL needs: every pool filled at once, the clients that come directly, and some for ourselves.
func (s *stage) connections() int {
	n := 20
	for _, size := range s.o.PoolSizes {
		n += size
	}
	if s.o.Direct {
		n += slices.Max(s.o.Clients) * (1 + s.o.Workload.Listeners)
	}
	if s.o.Workload.Listeners > 0 {
		n += len(s.o.PoolSizes) * slices.Max(s.o.Clients) * s.o.Workload.Listeners
	}
	return max(n, 100)
}

// setUp makes the workload's own tables.
func (s *stage) setUp(ctx context.Context) error {
	if s.o.Workload.Role == sampleRole && !s.o.private() {
		if err := s.findSample(ctx); err != nil {
			return err
		}
	}
	if s.o.Workload.Setup == "" {
		return nil
	}
	s.o.Watch.Log("making the tables of workload %s", s.o.Workload.Name)
	if err := execute(ctx, s.super, s.o.Workload.Setup); err != nil {
		return fmt.Errorf("the tables of workload %s could not be made (its user needs the right to create tables): %w", s.o.Workload.Name, unreachable(err))
	}
	return nil
}

// sampleRole is the role of workloads that speak to the sample as PostgREST does.
const sampleRole = "authenticator"

// findSample refuses a server of the user's without the sample, before every run of the bench fails for that.
func (s *stage) findSample(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	conn, err := pgconn.Connect(ctx, s.super)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	// Whoever may not look into the schema sees no table in it, but the catalog.
	results, err := conn.Exec(ctx, "SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'dialogue' AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'api')").ReadAll()
	if err != nil {
		return unreachable(err)
	}
	if len(results) == 1 && len(results[0].Rows) == 1 && string(results[0].Rows[0][0]) == "0" {
		return fmt.Errorf("workload %s needs the sample, and this database has no table api.dialogue: give your own statements with --script FILE, name another --workload (select1 needs no table), or load configs/fountain.sql into an empty database", s.o.Workload.Name)
	}
	return nil
}

// raiseProxy puts the delay before PostgreSQL.
func (s *stage) raiseProxy(ctx context.Context) (string, error) {
	config, err := pgconn.ParseConfig(s.upstream)
	if err != nil {
		return "", fmt.Errorf("the upstream's URL: %w", withoutPassword(err))
	}
	s.proxy, err = delay.Listen(ctx, delay.Options{Target: address(config), RTT: s.o.ServerLatency})
	if err != nil {
		return "", err
	}
	return moved(s.upstream, s.proxy.Addr().String())
}

// ask learns the server's version, which also shows that it can be reached.
func (s *stage) ask(ctx context.Context, target string) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	conn, err := pgconn.Connect(ctx, target)
	if err != nil {
		return fmt.Errorf("cannot be used: %w", unreachable(err))
	}
	s.version = conn.ParameterStatus("server_version")
	return conn.Close(ctx)
}

const askLimit = 15 * time.Second

// execute runs SQL on a connection of its own.
func execute(ctx context.Context, target, sql string) error {
	conn, err := pgconn.Connect(ctx, target)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql).ReadAll()
	return errors.Join(err, conn.Close(ctx))
}

// whole is a URL with the password that PGPASSWORD or .pgpass have for it: the poolers of our own get no other sight of those.
func whole(target string) (string, error) {
	config, err := pgconn.ParseConfig(target)
	if err != nil {
		return "", withoutPassword(err)
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return "", errors.New("give it as postgres://user@host:port/database")
	}
	u.User = url.User(config.User)
	if config.Password != "" {
		u.User = url.UserPassword(config.User, config.Password)
	}
	return u.String(), nil
}

// moved is the URL with another host and port.
func moved(target, hostPort string) (string, error) {
	u, err := url.Parse(target)
	if err != nil {
		return "", withoutPassword(err)
	}
	u.Host = hostPort
	return u.String(), nil
}
