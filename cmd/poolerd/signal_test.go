package main

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rs/zerolog"

	"poolerd/wire"
)

// fakePooler notes what it is told.
type fakePooler struct {
	mu        sync.Mutex
	calls     []string
	draining  bool
	paused    bool
	suspended bool
	called    chan struct{} // takes something after each call
}

func (f *fakePooler) HoldState() (paused, suspended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.paused, f.suspended
}

func (f *fakePooler) note(call string) {
	f.mu.Lock()
	f.calls = append(f.calls, call)
	f.mu.Unlock()
	f.called <- struct{}{}
}

func (f *fakePooler) Pause(ctx context.Context, database string) *wire.Error {
	f.mu.Lock()
	f.paused = true
	f.mu.Unlock()
	f.note("pause")
	return nil
}

func (f *fakePooler) Resume(string) *wire.Error {
	f.note("resume")
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.paused && !f.suspended {
		return wire.Errorf(wire.CodeProtocolViolation, "pooler is not paused/suspended")
	}
	f.paused, f.suspended = false, false
	return nil
}

func (f *fakePooler) DrainServers() { f.draining = true; f.note("servers") }
func (f *fakePooler) DrainClients() { f.draining = true; f.note("clients") }
func (f *fakePooler) Close()        { f.note("close") }
func (f *fakePooler) CloseFast()    { f.note("fast") }

// TestSignals: each does what PgBouncer's does, and says so in its words.
func TestSignals(t *testing.T) {
	const (
		hup, term, quit  = syscall.SIGHUP, syscall.SIGTERM, syscall.SIGQUIT
		int_, usr1, usr2 = syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2
	)
	for _, tc := range []struct {
		name  string
		sent  []os.Signal
		calls string
		said  []string
	}{
		{"reload", []os.Signal{hup}, "reload", []string{"got SIGHUP, re-reading config"}},
		{"TERM", []os.Signal{term}, "clients", []string{"got SIGTERM, shutting down, waiting for all clients disconnect"}},
		{"TERM twice", []os.Signal{term, term}, "clients fast", []string{"got SIGTERM while shutting down, fast exit"}},
		{"INT", []os.Signal{int_}, "servers", []string{"got SIGINT, shutting down, waiting for all servers connections to be released"}},
		{"INT after TERM", []os.Signal{term, int_}, "clients fast", []string{"got SIGINT while shutting down, fast exit"}},
		{"QUIT", []os.Signal{quit}, "close", []string{"got SIGQUIT, fast exit"}},
		{"pause and resume", []os.Signal{usr1, usr2}, "pause resume", []string{"got SIGUSR1, pausing all activity", "got SIGUSR2, continuing from PAUSE"}},
		{"resume after TERM", []os.Signal{usr1, term, usr2}, "pause clients resume", []string{"got SIGUSR2, continuing from PAUSE"}},
		{"resume alone", []os.Signal{usr2}, "resume", []string{"got SIGUSR2, but not paused/suspended"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			fake := &fakePooler{called: make(chan struct{}, 1)}
			s := &signals{
				log: zerolog.New(zerolog.SyncWriter(&out)), pause: fake, drain: fake, end: fake,
				shuttingDown: func() bool { return fake.draining }, reload: func() { fake.note("reload") },
			}
			control, done, ended := make(chan os.Signal), make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				s.obey(control, done)
			}()
			for _, sig := range tc.sent {
				control <- sig
				<-fake.called
			}
			close(done)
			<-ended
			if got := strings.Join(fake.calls, " "); got != tc.calls {
				t.Errorf("calls %q, want %q", got, tc.calls)
			}
			for _, want := range tc.said {
				if !strings.Contains(out.String(), want) {
					t.Errorf("said %s, want %q", out.String(), want)
				}
			}
		})
	}
}

// TestSuspended: whoever is suspended is not paused, is resumed, and does not wait for anybody when it ends.
func TestSuspended(t *testing.T) {
	var out bytes.Buffer
	fake := &fakePooler{suspended: true, called: make(chan struct{}, 4)}
	s := &signals{log: zerolog.New(&out), pause: fake, drain: fake, end: fake, shuttingDown: func() bool { return false }}
	s.one(t.Context(), syscall.SIGUSR1)
	s.one(t.Context(), syscall.SIGUSR2)
	fake.suspended = true
	s.one(t.Context(), syscall.SIGTERM)
	if got := strings.Join(fake.calls, " "); got != "resume close" {
		t.Errorf("calls %q", got)
	}
	for _, want := range []string{"got SIGUSR1, but already paused/suspended", "got SIGUSR2, continuing from SUSPEND", "suspend was in progress, going down immediately"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("said %s, want %q", out.String(), want)
		}
	}
}

// TestUSR2WhileShuttingDown is ignored.
func TestUSR2WhileShuttingDown(t *testing.T) {
	var out bytes.Buffer
	fake := &fakePooler{draining: true, called: make(chan struct{}, 1)}
	s := &signals{log: zerolog.New(&out), pause: fake, drain: fake, end: fake, shuttingDown: func() bool { return true }}
	s.one(t.Context(), syscall.SIGUSR2)
	if !strings.Contains(out.String(), "got SIGUSR2 while shutting down, ignoring") || len(fake.calls) > 0 {
		t.Errorf("calls %q, said %s", fake.calls, out.String())
	}
	if !slices.Contains(obeyed(), os.Signal(syscall.SIGUSR2)) {
		t.Error("SIGUSR2 is not listened for, and ends the process")
	}
}
