package e2e

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"
)

// behaviourLimit is what one behaviour may take.
const behaviourLimit = 30 * time.Second

// errUnable says that a client has no way to do something.
var errUnable = errors.New("the client cannot do this")

// own is a behaviour that a client shows in its own way, not by behaviours.txt.
// It closes what it opens when ctx ends, at the latest.
type own struct {
	name string
	show func(ctx context.Context, at place) error
}

// goDriver is the show of a client that this package drives itself: that of
// behaviours.txt by sessions, but for those that it cannot show, and its own.
func goDriver(connect func(ctx context.Context, at place, settings map[string]string) (session, error), cannot map[string]string, behaviours []own) func(context.Context, place, func(outcome)) error {
	return func(ctx context.Context, at place, report func(outcome)) error {
		wanted, err := regexp.Compile(at.wanted)
		if err != nil {
			return err
		}
		sections, err := readBehaviours(driverFile("behaviours.txt"))
		if err != nil {
			return err
		}
		for _, b := range sections {
			if reason := cannot[b.name]; reason != "" && wanted.MatchString(b.name) {
				report(outcome{Behaviour: b.name, OK: true, Skip: true, Detail: reason})
			} else if wanted.MatchString(b.name) {
				report(playScript(ctx, at, b, connect))
			}
		}
		for _, b := range behaviours {
			if wanted.MatchString(b.name) {
				report(playOwn(ctx, at, b))
			}
		}
		return ctx.Err()
	}
}

func playScript(ctx context.Context, at place, b behaviour, connect func(context.Context, place, map[string]string) (session, error)) outcome {
	ctx, cancel := context.WithTimeout(ctx, behaviourLimit)
	defer cancel()
	s := &script{database: at.database, sessions: make(map[string]session)}
	s.connect = func(ctx context.Context, settings map[string]string) (session, error) {
		return connect(ctx, at, settings)
	}
	err := s.play(ctx, b.steps, 0)
	o := reportOf(b.name, err)
	o.Allowed = s.allowed
	var leaving sync.WaitGroup
	for _, conn := range s.sessions {
		leaving.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = conn.close(ctx)
		})
	}
	leaving.Wait()
	return o
}

func playOwn(ctx context.Context, at place, b own) outcome {
	ctx, cancel := context.WithTimeout(ctx, behaviourLimit)
	defer cancel()
	return reportOf(b.name, b.show(ctx, at))
}

func reportOf(name string, err error) outcome {
	o := outcome{Behaviour: name, OK: err == nil || errors.Is(err, errUnable), Skip: errors.Is(err, errUnable)}
	if err != nil {
		o.Detail = fmt.Sprintf("%.300s", err)
	}
	return o
}

// differ is an error unless got is what is wanted.
func differ[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s: got %.200q, want %.200q", what, fmt.Sprint(got), fmt.Sprint(want))
	}
	return nil
}

// lacks is an error unless err is one of the server with this SQLSTATE.
func lacks(what string, err error, state string) error {
	if sqlState(err) != state {
		return fmt.Errorf("%s: got %w, want SQLSTATE %s", what, orNone(err), state)
	}
	return nil
}

func orNone(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}
