package sweep

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/bench/proc"
)

// raiseTargets starts those of the user's targets that have a command, and sees that all can be reached.
func (s *stage) raiseTargets(ctx context.Context) error {
	for _, t := range s.o.Targets {
		sub := &subject{name: t.Name, url: t.URL, poolSize: t.PoolSize, pooler: t.PID, console: true}
		if t.Command != "" {
			process, err := proc.Start("target "+t.Name, shell(t.Command), syscall.SIGTERM)
			if err != nil {
				return err
			}
			sub.process, sub.pooler = process, process.PID()
		}
		s.subjects = append(s.subjects, sub)
		if err := s.reach(ctx, sub); err != nil {
			return err
		}
		if t.PID != 0 {
			if _, err := proc.CPU(t.PID); err != nil {
				return fmt.Errorf("--pid %s=%d: %w", t.Name, t.PID, err)
			}
		}
	}
	s.super = s.o.Targets[0].URL
	return s.setUp(ctx)
}

// shell runs a command line in place of the shell, so that a signal reaches the program itself.
func shell(command string) *exec.Cmd { return exec.Command("/bin/sh", "-c", "exec "+command) }

// reach logs in once. A target that was started here may need a moment.
func (s *stage) reach(ctx context.Context, sub *subject) error {
	var err error
	if sub.process != nil {
		err = sub.process.WaitReady(ctx, sub.url)
	} else {
		err = s.ask(ctx, sub.url)
	}
	if err != nil {
		return fmt.Errorf("target %s: %w", sub.name, err)
	}
	return nil
}

// unreachable says in one line why a server cannot be used, and what to look at. pgconn tells of each address and each try on a line of its own.
func unreachable(err error) error {
	var (
		refused *pgconn.PgError
		network *net.OpError
		reason  error
	)
	switch {
	case errors.As(err, &refused):
		reason = refused
	case errors.As(err, &network):
		reason = network
	default:
		reason = errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	return fmt.Errorf("%w%s", reason, wayOut(err))
}

// wayOut says what to look at, for the refusals that people meet.
func wayOut(err error) string {
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		switch refused.Code {
		case "28P01", "28000":
			return "; look at the user and the password in its URL (or in ~/.pgpass)"
		case "3D000":
			return "; look at the database in its URL"
		case "53300":
			return "; it is full: ask for fewer clients, or give it more connections"
		}
	case errors.Is(err, syscall.ECONNREFUSED):
		return "; nothing listens there: is it running, and on that port?"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("; no answer within %v", askLimit)
	}
	return ""
}

// withoutPassword drops from an error of a URL's parsing the URL itself, which holds the password.
func withoutPassword(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
