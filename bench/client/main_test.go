package client

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"poolerd/bench/load"
	"poolerd/bench/postgres"
	"poolerd/bench/workload"
)

// shared is the PostgreSQL that all tests use, started by the first that asks.
var shared struct {
	sync.Once
	*postgres.Cluster
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.Cluster != nil {
		if err := shared.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func cluster(t *testing.T) *postgres.Cluster {
	t.Helper()
	shared.Do(func() {
		shared.Cluster, shared.err = postgres.Start(context.Background(), postgres.Options{
			Sample: true, Settings: map[string]string{"fsync": "off"},
		})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.Cluster
}

// builtin makes the sessions of a built-in workload.
func builtin(t *testing.T, name string) *workload.Workload {
	t.Helper()
	w, err := workload.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// seeds are different for each load: one that posts the rows of an earlier one again gets refusals for them.
var seeds atomic.Uint64

// connecting makes clients of a target that say what a workload says.
func connecting(t *testing.T, target string, w *workload.Workload, p workload.Protocol, o Options) func(context.Context, int) (load.Client, error) {
	t.Helper()
	config, err := Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	seed := seeds.Add(1)
	return func(ctx context.Context, i int) (load.Client, error) {
		o := o
		o.Config, o.Session, o.Listeners = config, w.NewSession(i, seed, p, nil), w.Listeners
		return Open(ctx, o)
	}
}

// open makes one client, which is closed with the test.
func open(t *testing.T, o Options) load.Client {
	t.Helper()
	c, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func run(t *testing.T, c load.Config) *load.Result {
	t.Helper()
	res, err := load.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// spoken is a Session of flights that are always the same.
type spoken struct {
	tx           workload.Transaction
	flights      []workload.Flight
	at           int
	outcomes     []workload.Outcome // of the last transaction
	disconnected int
	err          error
}

func say(flights ...workload.Flight) *spoken {
	return &spoken{tx: workload.Transaction{Name: "spoken"}, flights: flights}
}

func (s *spoken) Begin() *workload.Transaction {
	s.at, s.outcomes = 0, s.outcomes[:0]
	return &s.tx
}

func (s *spoken) Next(dst []byte, last workload.Outcome) (workload.Flight, bool) {
	if s.at > 0 {
		s.outcomes = append(s.outcomes, last)
	}
	if s.at == len(s.flights) {
		return workload.Flight{}, false
	}
	f := s.flights[s.at]
	f.Data = append(dst, f.Data...)
	s.at++
	return f, true
}

func (s *spoken) Err() error    { return s.err }
func (s *spoken) Disconnected() { s.disconnected++ }

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(15 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("after 15 s still not so: %s", what)
		}
	}
}
