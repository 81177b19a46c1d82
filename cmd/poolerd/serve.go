package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"poolerd/bench/postgres"
	"poolerd/pool"
	"poolerd/pool/admin"
	"poolerd/pool/config"
)

// serve runs the pooler until it is told to end. It is the only place where the parts meet.
func serve(ctx context.Context, s settings) error {
	log := newLogger(os.Stderr, s.Config)
	for _, w := range s.Warnings {
		log.Warn().Msg(w.String())
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(s.Config.Threads)
	}
	if s.Demo {
		cluster, err := startDemo(ctx, &s, log)
		if err != nil {
			return err
		}
		defer func() {
			stopping, cancel := context.WithTimeout(context.Background(), demoStopLimit)
			defer cancel()
			if err := cluster.Stop(stopping); err != nil {
				log.Error().Err(err).Msg("private PostgreSQL could not be stopped")
			}
		}()
	}
	pooler, err := pool.New(s.Config, log)
	if err != nil {
		return err
	}
	listeners, err := listen(s.Config)
	if err != nil {
		return err
	}
	drop, err := writePidFile(s.Config.PidFile)
	if err != nil {
		return err
	}
	defer drop()
	control := make(chan os.Signal, 4)
	signal.Notify(control, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(control)
	reload := func() error { return reloadInto(pooler, s, log) }
	pooler.SetConsole(admin.New(pooler, version(), reload))
	ended := make(chan struct{})
	defer close(ended)
	go obey(control, ended, pooler, reload, log)
	for _, l := range listeners {
		log.Info().Str("listen", l.Addr().String()).Msg("accepting connections")
	}
	if s.Demo {
		greet(os.Stdout, listeners[0].Addr())
	}
	return pooler.Serve(listeners...)
}

const demoStopLimit = 20 * time.Second

// obey carries out signals: HUP reloads, TERM and INT drain, and a second one of those ends everything at once.
func obey(control <-chan os.Signal, ended <-chan struct{}, pooler *pool.Pooler, reload func() error, log zerolog.Logger) {
	draining := false
	for {
		select {
		case <-ended:
			return
		case sig := <-control:
			switch {
			case sig == syscall.SIGHUP:
				if err := reload(); err != nil {
					log.Error().Err(err).Msg("reload refused: the old settings stay")
				}
			case draining:
				log.Warn().Stringer("signal", sig).Msg("ending at once")
				pooler.Close()
			default:
				draining = true
				log.Info().Stringer("signal", sig).Msg("draining: transactions may end, everyone else is closed; a second signal ends at once")
				pooler.Drain()
			}
		}
	}
}

// reloadInto reads the settings again and gives them to the pooler, all or none.
func reloadInto(pooler *pool.Pooler, s settings, log zerolog.Logger) error {
	conf, warnings, err := s.reload()
	if err != nil {
		return err
	}
	for _, w := range warnings {
		log.Warn().Msg(w.String())
	}
	if s.Demo {
		conf.Databases = s.Config.Databases
		conf.Upstream = s.Config.Upstream
		if len(conf.AdminUsers) == 0 {
			conf.AdminUsers = s.Config.AdminUsers
		}
	}
	return pooler.Reload(conf)
}

// startDemo starts the private PostgreSQL and makes it the pooler's.
func startDemo(ctx context.Context, s *settings, log zerolog.Logger) (*postgres.Cluster, error) {
	log.Info().Int("scale", s.DemoScale).Msg("starting a private PostgreSQL with sample data")
	cluster, err := postgres.Start(ctx, postgres.Options{
		Sample: true, Scale: s.DemoScale,
		Log: func(format string, args ...any) { log.Info().Msgf(format, args...) },
	})
	if err != nil {
		return nil, err
	}
	if len(s.Config.AdminUsers) == 0 {
		s.Config.AdminUsers = []string{"authenticator", "postgres"}
	}
	url := cluster.URL("authenticator", "fountain")
	if err := config.ApplyUpstream(s.Config, url, config.Origin{Flag: "--demo"}); err != nil {
		_ = cluster.Stop(context.Background())
		return nil, err
	}
	return cluster, nil
}

func greet(w io.Writer, addr net.Addr) {
	host, port, _ := net.SplitHostPort(addr.String())
	_, _ = fmt.Fprintf(w, "\nThe sample is served through poolerd. Try:\n\n  psql 'host=%s port=%s user=authenticator dbname=fountain' -c 'SET search_path TO api' -c 'SET ROLE web_anon' -c 'SELECT * FROM playwright LIMIT 3'\n  psql 'host=%s port=%s user=authenticator dbname=pgbouncer' -c 'SHOW POOLS'\n\nCtrl-C ends it and removes everything.\n\n",
		host, port, host, port)
}

// listen opens every address, or none.
func listen(conf *config.Config) ([]net.Listener, error) {
	var all []net.Listener
	for _, addr := range conf.Listen() {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			for _, l := range all {
				_ = l.Close()
			}
			return nil, fmt.Errorf("listen on %s (--listen, listen_addr and listen_port): %w", addr, err)
		}
		all = append(all, l)
	}
	return all, nil
}

func newLogger(w *os.File, conf *config.Config) zerolog.Logger {
	zerolog.TimeFieldFormat = time.RFC3339Nano
	level, err := zerolog.ParseLevel(conf.Level())
	if err != nil {
		level = zerolog.InfoLevel
	}
	var out io.Writer = w
	if conf.LogFormat == config.LogConsole || conf.LogFormat == config.LogAuto && term.IsTerminal(int(w.Fd())) {
		out = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly}
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}

// writePidFile writes the process id; drop removes the file.
func writePidFile(path string) (drop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return nil, fmt.Errorf("write the process id (pidfile): %w", err)
	}
	return func() { _ = os.Remove(path) }, nil
}
