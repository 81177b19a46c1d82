package main

import (
	"context"
	"os"
	"sync"
	"syscall"

	"github.com/rs/zerolog"

	"poolerd/wire"
)

// obeyed are the signals that have a meaning, PgBouncer's.
func obeyed() []os.Signal {
	return []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
}

// pauser is what SIGUSR1 and SIGUSR2 work on.
type pauser interface {
	HoldState() (paused, suspended bool)
	Pause(ctx context.Context, database string) *wire.Error
	Resume(database string) *wire.Error
}

// drainer is what a first SIGINT or SIGTERM works on.
type drainer interface {
	DrainServers() // ends when no client holds a server any more
	DrainClients() // ends when the last client has left
}

// ender is what SIGQUIT and a second one work on.
type ender interface {
	Close()     // ends
	CloseFast() // ends, and says nothing to clients
}

// signals carries out signals as PgBouncer does, with its words in the log: HUP reads the settings again, INT lets transactions end, TERM lets clients end, a second one
// of these two and QUIT end everything at once; USR1 pauses, USR2 resumes.
type signals struct {
	log          zerolog.Logger
	pause        pauser
	drain        drainer
	end          ender
	shuttingDown func() bool // by a signal or by the console
	reload       func()

	tasks sync.WaitGroup // pauses that are still waited for
}

// obey carries out signals until done is closed.
func (s *signals) obey(control <-chan os.Signal, done <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	defer s.tasks.Wait()
	defer cancel()
	for {
		select {
		case <-done:
			return
		case sig := <-control:
			s.one(ctx, sig)
		}
	}
}

func (s *signals) one(ctx context.Context, sig os.Signal) {
	switch sig {
	case syscall.SIGHUP:
		s.log.Info().Msg("got SIGHUP, re-reading config")
		s.reload()
	case syscall.SIGTERM:
		s.shutDown("SIGTERM", "waiting for all clients disconnect", s.drain.DrainClients)
	case syscall.SIGINT:
		s.shutDown("SIGINT", "waiting for all servers connections to be released", s.drain.DrainServers)
	case syscall.SIGQUIT:
		s.log.Info().Msg("got SIGQUIT, fast exit")
		s.end.Close()
	case syscall.SIGUSR1:
		s.pauseAll(ctx)
	case syscall.SIGUSR2:
		s.resumeAll()
	}
}

func (s *signals) shutDown(name, waiting string, drain func()) {
	if s.shuttingDown() {
		s.log.Info().Msg("got " + name + " while shutting down, fast exit")
		s.end.CloseFast()
		return
	}
	s.log.Info().Msg("got " + name + ", shutting down, " + waiting)
	notify(s.log, stopping)
	if _, suspended := s.pause.HoldState(); suspended {
		s.log.Error().Msg("suspend was in progress, going down immediately")
		s.end.Close()
		return
	}
	drain()
}

// pauseAll does not wait for the servers that are still at work: further signals have to be heard.
func (s *signals) pauseAll(ctx context.Context) {
	if paused, suspended := s.pause.HoldState(); paused || suspended {
		s.log.Info().Msg("got SIGUSR1, but already paused/suspended")
		return
	}
	s.log.Info().Msg("got SIGUSR1, pausing all activity")
	s.tasks.Go(func() {
		if err := s.pause.Pause(ctx, ""); err != nil && ctx.Err() == nil {
			s.log.Info().Msg("SIGUSR1: " + err.Message)
		}
	})
}

func (s *signals) resumeAll() {
	paused, suspended := s.pause.HoldState()
	if s.shuttingDown() && !paused {
		s.log.Info().Msg("got SIGUSR2 while shutting down, ignoring")
		return
	}
	from := "PAUSE"
	if suspended {
		from = "SUSPEND"
	}
	if err := s.pause.Resume(""); err != nil {
		s.log.Info().Msg("got SIGUSR2, but not paused/suspended")
		return
	}
	s.log.Info().Msg("got SIGUSR2, continuing from " + from)
}
