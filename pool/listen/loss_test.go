package listen

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestLost: everybody who listens is told, once; those who do not may listen afterwards.
func TestLost(t *testing.T) {
	f := newFake(t)
	h := f.hub(t, Options{})
	a, b, idle := join(h), join(h), join(h)
	must(t, a.Listen(within(t), "x"))
	must(t, b.Listen(within(t), "y"))
	f.notify("x", "last words")
	must(t, a.Barrier(within(t)))
	f.cut()
	for _, m := range []*person{a, b} {
		if err := receive(t, "lost", m.lost); !errors.Is(err, ErrLost) {
			t.Errorf("lost with %v", err)
		}
		if err := m.Listen(within(t), "z"); !errors.Is(err, ErrLost) {
			t.Errorf("a dead Member listens: %v", err)
		}
		if err := m.Barrier(within(t)); !errors.Is(err, ErrLost) {
			t.Errorf("a dead Member's Barrier: %v", err)
		}
		if m.Listening() || len(m.Channels()) > 0 {
			t.Error("a dead Member listens")
		}
	}
	if got := a.heard(t); !slices.Equal(got, []string{"x=last words"}) {
		t.Errorf("heard %v", got)
	}
	must(t, idle.Listen(within(t), "x"))
	f.notify("x", "new")
	must(t, idle.Barrier(within(t)))
	if got := idle.heard(t); !slices.Equal(got, []string{"x=new"}) {
		t.Errorf("heard %v", got)
	}
	if i := h.Info(); i.Connects != 2 || i.Losses != 1 || i.PID != fakePID+1 || i.Listeners != 1 {
		t.Errorf("info %+v", i)
	}
	a.Leave()
	if len(a.lost)+len(b.lost)+len(idle.lost) != 0 {
		t.Error("told twice, or told who did not listen")
	}
}

// TestWaitsThroughLoss: a Listen that was not sent when the connection ended is sent on the next one, unless its Member is lost.
func TestWaitsThroughLoss(t *testing.T) {
	f := newFake(t)
	arrived, answer := make(chan struct{}, 10), make(chan struct{}, 10)
	f.sync = func() {
		arrived <- struct{}{}
		<-answer
	}
	t.Cleanup(func() { close(answer) })
	h := f.hub(t, Options{})
	listens, other := join(h), join(h)
	answer <- struct{}{}
	must(t, listens.Listen(within(t), "x"))
	receive(t, "the LISTEN's round trip", arrived)

	barrier, late, fresh := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() { barrier <- listens.Barrier(within(t)) }()
	receive(t, "the Barrier's round trip", arrived)
	go func() { late <- listens.Listen(within(t), "y") }()
	go func() { fresh <- other.Listen(within(t), "z") }()
	eventually(t, "both wait", func() bool { return h.Info().Channels == 3 })
	f.cut()
	for what, c := range map[string]chan error{"Barrier": barrier, "Listen of who is lost": late, "lost": listens.lost} {
		if err := receive(t, what, c); !errors.Is(err, ErrLost) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	answer <- struct{}{} // of the connection that is gone
	answer <- struct{}{}
	must(t, receive(t, "Listen of who had no channel", fresh))
	if i := h.Info(); i.Connects != 2 || i.Channels != 1 || f.count(`LISTEN "y"`) != 0 {
		t.Errorf("info %+v", i)
	}
}

// TestSilentServer: a server that does not answer in time counts as lost.
func TestSilentServer(t *testing.T) {
	f := newFake(t)
	silent := make(chan struct{})
	var once sync.Once
	answered := 0
	f.sync = func() {
		if answered++; answered > 1 {
			<-silent
		}
	}
	t.Cleanup(func() { once.Do(func() { close(silent) }) })
	h := f.hub(t, Options{Timeout: 100 * time.Millisecond})
	m, other := join(h), join(h)
	must(t, m.Listen(within(t), "x"))
	if err := other.Listen(within(t), "y"); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "100ms") {
		t.Errorf("got %v", err)
	}
	if err := receive(t, "lost", m.lost); !errors.Is(err, ErrLost) {
		t.Errorf("lost with %v", err)
	}
	once.Do(func() { close(silent) })
	must(t, other.Listen(within(t), "y"))
}

// TestBrokenServer: what no server says to a session that listens ends it.
func TestBrokenServer(t *testing.T) {
	for name, message := range map[string][]byte{
		"unknown type":       {'G', 0, 0, 0, 4},
		"too short":          {'A', 0, 0, 0, 3},
		"too long":           {'A', 0x7f, 0, 0, 0},
		"no strings":         {'A', 0, 0, 0, 8, 0, 0, 0, 1},
		"ready twice":        {'Z', 0, 0, 0, 5, 'I'},
		"transaction":        {'Z', 0, 0, 0, 5, 'T'},
		"half a message":     {'A', 0, 0},
		"error of nothing":   append([]byte{'E', 0, 0, 0, 17}, "SERROR\x00Mwhy\x00\x00"...),
		"string without end": {'A', 0, 0, 0, 10, 0, 0, 0, 1, 'x', 'y'},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			m := join(f.hub(t, Options{}))
			must(t, m.Listen(within(t), "x"))
			nc := f.last()
			if _, err := nc.Write(message); err != nil {
				t.Fatal(err)
			}
			if name == "half a message" {
				_ = nc.Close()
			}
			if err := receive(t, "lost", m.lost); !errors.Is(err, ErrLost) {
				t.Errorf("lost with %v", err)
			}
		})
	}
}

// TestLinger: the connection ends some time after the last channel went, and is opened again.
func TestLinger(t *testing.T) {
	f := newFake(t)
	h := f.hub(t, Options{Linger: 50 * time.Millisecond})
	m := join(h)
	must(t, m.Listen(within(t), "x"))
	m.Unlisten("x")
	eventually(t, "the connection ends", func() bool { return !h.Info().Connected })
	if len(m.lost) != 0 || h.Info().Losses != 0 {
		t.Error("the end of a connection that nobody needs is no loss")
	}
	must(t, m.Listen(within(t), "x"))
	f.notify("x", "1")
	must(t, m.Barrier(within(t)))
	if got := m.heard(t); !slices.Equal(got, []string{"x=1"}) || h.Info().Connects != 2 {
		t.Errorf("heard %v, info %+v", got, h.Info())
	}
}

// TestCannotConnect: the error of Connect reaches everybody who waits, and the next Listen tries again.
func TestCannotConnect(t *testing.T) {
	f := newFake(t)
	var mu sync.Mutex
	down := true
	h := New(Options{Connect: func(ctx context.Context) (*pgconn.PgConn, error) {
		mu.Lock()
		defer mu.Unlock()
		if down {
			return nil, io.ErrUnexpectedEOF
		}
		return f.connect(ctx)
	}})
	t.Cleanup(h.Close)
	m := join(h)
	if err := m.Listen(within(t), "x"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	if i := h.Info(); i.Channels != 0 || i.Connected || i.Connects != 0 {
		t.Errorf("info %+v", i)
	}
	mu.Lock()
	down = false
	mu.Unlock()
	must(t, m.Listen(within(t), "x"))
	if len(m.lost) != 0 {
		t.Error("a Member that never listened was told of a loss")
	}
}

// TestGivenUp: a Listen whose context ends leaves nothing behind.
func TestGivenUp(t *testing.T) {
	f := newFake(t)
	arrived, answer := make(chan struct{}, 10), make(chan struct{})
	f.sync = func() {
		arrived <- struct{}{}
		<-answer
	}
	h := f.hub(t, Options{})
	m := join(h)
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() { asked <- m.Listen(ctx, "x") }()
	receive(t, "the round trip", arrived)
	cancel()
	if err := receive(t, "Listen", asked); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(answer)
	eventually(t, "UNLISTEN", func() bool { return f.count(`UNLISTEN "x"`) == 1 })
	if m.Listening() || h.Info().Channels != 0 {
		t.Error("it listens")
	}
}

// TestClose tells everybody, and answers who waits.
func TestClose(t *testing.T) {
	f := newFake(t)
	h := New(Options{Connect: f.connect})
	listening, idle := join(h), join(h)
	must(t, listening.Listen(within(t), "x"))
	hold := make(chan struct{})
	arrived := make(chan struct{}, 1)
	stuck := New(Options{Connect: func(ctx context.Context) (*pgconn.PgConn, error) {
		arrived <- struct{}{}
		<-ctx.Done()
		close(hold)
		return nil, ctx.Err()
	}})
	waits := make(chan error, 1)
	go func() { waits <- join(stuck).Listen(within(t), "x") }()
	receive(t, "Connect", arrived)
	stuck.Close()
	receive(t, "the end of Connect's context", hold)
	if err := receive(t, "Listen", waits); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	h.Close()
	h.Close()
	for _, m := range []*person{listening, idle} {
		if err := receive(t, "lost", m.lost); !errors.Is(err, ErrLost) {
			t.Errorf("lost with %v", err)
		}
	}
	if err := join(h).Listen(within(t), "x"); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if i := h.Info(); i.Connected || i.Members != 0 || i.Channels != 0 {
		t.Errorf("info %+v", i)
	}
}

// TestLeft: nobody who has left is told anything.
func TestLeft(t *testing.T) {
	f := newFake(t)
	h := f.hub(t, Options{})
	m, stay := join(h), join(h)
	must(t, m.Listen(within(t), "x"))
	must(t, stay.Listen(within(t), "x"))
	f.notify("x", "1")
	must(t, stay.Barrier(within(t)))
	m.Leave()
	if m.Waiting() || m.Take(nil, 0, 0) != nil {
		t.Error("something waits for who has left")
	}
	if err := m.Listen(within(t), "y"); !errors.Is(err, ErrLeft) {
		t.Errorf("got %v", err)
	}
	f.cut()
	receive(t, "lost", stay.lost)
	if len(m.lost) != 0 {
		t.Error("who has left was told of a loss")
	}
}
