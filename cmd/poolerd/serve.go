package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"poolerd/bench/postgres"
	"poolerd/pool"
	"poolerd/pool/admin"
	"poolerd/pool/config"
)

// serve runs the pooler until it is told to end.
func serve(ctx context.Context, s settings) error {
	if s.Daemon {
		if err := checkDaemon(s.Config); err != nil {
			return err
		}
		if !inBackground() {
			return daemonize(os.Stderr)
		}
	}
	if err := becomeUser(s.Config.User); err != nil {
		return err
	}
	logs, log := newLogger(os.Stderr, s.PgBouncer)
	if err := logs.Open(s.Config); err != nil {
		return err
	}
	defer logs.Close()
	err := (&service{settings: s, logs: logs, log: log}).run(ctx)
	if err != nil && s.Config.Quiet {
		// Standard error gets it as well, but may lead nowhere.
		log.WithLevel(zerolog.FatalLevel).Msg(err.Error())
	}
	return err
}

// service is the process that serves. It is the only place where the parts meet.
type service struct {
	settings
	logs      *logs
	log       zerolog.Logger
	pooler    *pool.Pooler
	listeners []net.Listener

	reloading sync.Mutex      // a signal and several consoles may ask at once
	told      map[string]bool // the warnings of the settings in force
}

func (s *service) run(ctx context.Context) (err error) {
	s.warn(s.Warnings)
	if os.Geteuid() == 0 && !s.Demo {
		s.log.Warn().Msg("running as root, which is not needed: set user, or start as another user")
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(s.Config.Threads)
	}
	checkDescriptors(s.log, s.Config)
	stale, err := checkPidFile(s.Config.PidFile)
	if err != nil {
		return err
	}
	if stale {
		s.log.Info().Msg("stale pidfile, removing")
	}
	if s.Demo {
		stop, err := s.startDemo(ctx)
		if err != nil {
			return err
		}
		defer stop()
	}
	if s.pooler, err = pool.New(s.Config, s.log); err != nil {
		return err
	}
	s.pooler.SetConsole(admin.New(s.pooler, version(), s.reloadAll))
	defer s.obeySignals()() // before there is anything that a signal must not leave behind
	s.reloading.Lock()
	pidFile := s.Config.PidFile
	s.listeners, err = listen(ctx, s.Config, s.log)
	s.reloading.Unlock()
	if err != nil {
		return err
	}
	drop, err := writePidFile(pidFile)
	if err != nil {
		closeAll(s.listeners)
		return err
	}
	defer drop()
	for _, l := range s.listeners {
		s.log.Info().Msg("listening on " + describe(l.Addr()))
	}
	s.log.Info().Msg("process up: " + admin.Describe(version()))
	if s.Demo {
		greet(os.Stdout, s.listeners[0].Addr())
	}
	if s.Daemon {
		if err := detach(); err != nil {
			closeAll(s.listeners)
			return err
		}
	}
	notify(s.log, ready)
	return s.pooler.Serve(s.listeners...)
}

// warn tells the log of warnings, each of them once: a reload brings those again that the file still deserves.
func (s *service) warn(warnings []config.Warning) {
	told := make(map[string]bool, len(warnings))
	for _, w := range warnings {
		text := w.String()
		if !s.told[text] {
			s.log.Warn().Msg(text)
		}
		told[text] = true
	}
	s.told = told
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close()
	}
}

// obeySignals carries out signals until stop.
func (s *service) obeySignals() (stop func()) {
	control, done, ended := make(chan os.Signal, 16), make(chan struct{}), make(chan struct{})
	signal.Notify(control, obeyed()...)
	by := &signals{log: s.log, pause: s.pooler, drain: s.pooler, end: s.pooler, shuttingDown: s.pooler.Draining, reload: s.reloadBySignal}
	go func() {
		defer close(ended)
		by.obey(control, done)
	}()
	return func() {
		signal.Stop(control)
		close(done)
		<-ended
	}
}

// reloadBySignal reads the settings again and tells systemd so.
func (s *service) reloadBySignal() {
	notify(s.log, reloading())
	_ = s.reloadAll() // which has told the log
	notify(s.log, ready)
}

// reloadAll reads the settings again and puts them in force, all or none. The log's file is opened anew even where they are wrong: logrotate asks for just that.
func (s *service) reloadAll() error {
	err := s.takeSettings()
	if err != nil {
		s.log.Error().Err(err).Msg("config file loading failed, the old settings stay")
	}
	return err
}

// takeSettings is for one at a time, reading the file included: who has read it last is in force in the end.
func (s *service) takeSettings() error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	conf, warnings, err := s.reload()
	if err == nil {
		if s.Demo {
			conf.Databases = s.Config.Databases
			conf.Upstream = s.Config.Upstream
			if len(conf.AdminUsers) == 0 {
				conf.AdminUsers = s.Config.AdminUsers
			}
		}
		err = s.pooler.Reload(conf)
	}
	if err != nil {
		return errors.Join(err, s.logs.Open(s.Config))
	}
	s.warn(warnings)
	for _, l := range s.listeners {
		if err := deferAccept(l, conf.TCPDeferAccept); err != nil && !errors.Is(err, net.ErrClosed) {
			s.log.Warn().Err(err).Msg("tcp_defer_accept has no effect")
		}
	}
	s.Config = conf
	return s.logs.Open(conf)
}

// demoStopLimit is how long the private PostgreSQL may take to end.
const demoStopLimit = 20 * time.Second

// startDemo starts the private PostgreSQL and makes it the pooler's; stop ends it.
func (s *service) startDemo(ctx context.Context) (stop func(), err error) {
	s.log.Info().Int("scale", s.DemoScale).Msg("starting a private PostgreSQL with sample data")
	cluster, err := postgres.Start(ctx, postgres.Options{
		Sample: true, Scale: s.DemoScale,
		Log: func(format string, args ...any) { s.log.Info().Msgf(format, args...) },
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
	return func() {
		stopping, cancel := context.WithTimeout(context.Background(), demoStopLimit)
		defer cancel()
		if err := cluster.Stop(stopping); err != nil {
			s.log.Error().Err(err).Msg("private PostgreSQL could not be stopped")
		}
	}, nil
}

func greet(w io.Writer, addr net.Addr) {
	host, port, _ := net.SplitHostPort(addr.String())
	_, _ = fmt.Fprintf(w, `
The sample is served through poolerd. Try:

  psql 'host=%[1]s port=%[2]s user=authenticator dbname=fountain' -c 'SET search_path TO api' -c 'SET ROLE web_anon' -c 'SELECT * FROM playwright LIMIT 3'
  psql 'host=%[1]s port=%[2]s user=authenticator dbname=pgbouncer' -c 'SHOW POOLS'

Ctrl-C ends it and removes everything.

`, host, port)
}
