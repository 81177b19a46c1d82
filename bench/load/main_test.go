package load

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a client whose transactions are a function.
type fake struct {
	run    func(ctx context.Context) Done
	mu     sync.Mutex
	closed bool
}

func (f *fake) Run(ctx context.Context) Done { return f.run(ctx) }

func (f *fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return errors.New("closed twice")
	}
	f.closed = true
	return nil
}

// connecting makes clients that run what of gives for each, and remembers them.
func connecting(of func(i int) func(ctx context.Context) Done) func(context.Context, int) (Client, error) {
	return func(_ context.Context, i int) (Client, error) { return &fake{run: of(i)}, nil }
}

// work is a transaction that takes d, unless ctx ends.
func work(ctx context.Context, name string, d time.Duration) Done {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return Done{Name: name}
	case <-ctx.Done():
		return Done{Name: name, Code: "lost", Text: "cut off"}
	}
}

// goClock is a sleeper by Go's timers, which tests in a bubble can turn forward.
type goClock struct {
	off  chan struct{}
	once sync.Once
}

func newGoClock() (sleeper, error) { return &goClock{off: make(chan struct{})}, nil }

func (c *goClock) Sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c.off:
		return false
	case <-t.C:
		return true
	}
}

func (c *goClock) Interrupt() { c.once.Do(func() { close(c.off) }) }

func (c *goClock) Close() error {
	c.Interrupt()
	return nil
}

// must runs a load in the bubble's time.
func must(t *testing.T, c Config) *Result {
	t.Helper()
	res, err := start(t.Context(), c, newGoClock)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// within fails unless got is within part of want.
func within(t *testing.T, what string, got, want, part float64) {
	t.Helper()
	if got < want*(1-part) || got > want*(1+part) {
		t.Errorf("%s: %v, want %v within %v%%", what, got, want, part*100)
	}
}
