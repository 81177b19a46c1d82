package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// TestDelivery: everybody on a channel gets a notification, nobody else, in order, and is woken once.
func TestDelivery(t *testing.T) {
	f := newFake(t)
	h := f.hub(t, Options{})
	a, b, other := join(h), join(h), join(h)
	must(t, a.Listen(within(t), "x"))
	must(t, a.Listen(within(t), "y"))
	must(t, b.Listen(within(t), "x"))
	must(t, other.Listen(within(t), "z"))
	f.notify("x", "1")
	f.notify("y", "")
	f.notify("x", "2")
	f.notify("nobody", "3")
	must(t, a.Barrier(within(t)))
	if got, want := a.heard(t), []string{"x=1", "y=", "x=2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := b.heard(t), []string{"x=1", "x=2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if other.Waiting() || other.heard(t) != nil {
		t.Error("a Member was told of a channel that it does not listen to")
	}
	receive(t, "wake", a.woken)
	i := h.Info()
	if !i.Connected || i.PID != fakePID || i.Since.IsZero() || i.Channels != 3 || i.Members != 3 || i.Listeners != 3 || i.Received != 4 || i.Put != 5 {
		t.Errorf("info: %+v", i)
	}
}

// TestWakeOnce: no second wake before the mailbox was emptied.
func TestWakeOnce(t *testing.T) {
	f := newFake(t)
	h := f.hub(t, Options{})
	woken := make(chan struct{}, 100)
	m := h.Join(func() { woken <- struct{}{} }, nil)
	must(t, m.Listen(within(t), "x"))
	for range 3 {
		for range 5 {
			f.notify("x", "")
		}
		must(t, m.Barrier(within(t)))
		if len(woken) != 1 {
			t.Fatalf("woken %d times", len(woken))
		}
		<-woken
		if got := len(decode(t, m.Take(nil, 0, 0))); got != 5 {
			t.Fatalf("%d notifications, want 5", got)
		}
		if m.Waiting() {
			t.Fatal("something waits in an empty mailbox")
		}
	}
}

// TestTakeOwn: the process id of the client's own server is replaced, others' are not, and dst is kept.
func TestTakeOwn(t *testing.T) {
	f := newFake(t)
	m := join(f.hub(t, Options{}))
	must(t, m.Listen(within(t), "x"))
	for _, c := range []struct{ from, as, want uint32 }{{77, 5, 5}, {78, 5, 77}, {0, 5, 77}} {
		f.notify("x", "p")
		must(t, m.Barrier(within(t)))
		out := m.Take([]byte("before"), c.from, c.as)
		if string(out[:6]) != "before" {
			t.Fatalf("dst was not kept: %q", out)
		}
		if got := decode(t, out[6:]); len(got) != 1 || got[0].PID != c.want {
			t.Errorf("from %d as %d: %+v", c.from, c.as, got)
		}
	}
}

// TestOneListen: many Members on a channel cost the server one LISTEN and at the end one UNLISTEN, with the name quoted.
func TestOneListen(t *testing.T) {
	f := newFake(t)
	h := f.hub(t, Options{})
	name := `a "quoted"; name \ é`
	members := make([]*person, 200)
	var work sync.WaitGroup
	for i := range members {
		members[i] = join(h)
		work.Go(func() {
			if err := members[i].Listen(within(t), name); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	listen := `LISTEN "a ""quoted""; name \ é"`
	if got := f.asked(); len(got) != 1 || got[0] != listen {
		t.Fatalf("the server was asked %q", got)
	}
	for _, m := range members[1:] {
		m.Leave()
		m.Leave()
	}
	if !slices.Equal(members[0].Channels(), []string{name}) || !members[0].Listening() {
		t.Errorf("channels %q", members[0].Channels())
	}
	members[0].UnlistenAll()
	eventually(t, "UNLISTEN", func() bool { return f.count("UN"+listen) == 1 })
	if got := h.Info(); got.Members != 1 || got.Channels != 0 || got.Listeners != 0 {
		t.Errorf("info: %+v", got)
	}
	must(t, members[0].Listen(within(t), name))
	if f.count(listen) != 2 {
		t.Errorf("the server was asked %q", f.asked())
	}
}

// TestBatch: what is asked for during a round trip goes together in the next.
func TestBatch(t *testing.T) {
	f := newFake(t)
	arrived, answer := make(chan struct{}), make(chan struct{})
	f.sync = func() {
		select {
		case arrived <- struct{}{}:
			<-answer
		case <-t.Context().Done():
		}
	}
	h := f.hub(t, Options{})
	var work sync.WaitGroup
	ask := func(i int) {
		m := join(h)
		work.Go(func() {
			if err := m.Listen(within(t), fmt.Sprintf("c%d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	ask(0)
	receive(t, "the first round trip", arrived)
	for i := range 100 {
		ask(i + 1)
	}
	eventually(t, "all are asked for", func() bool { return h.Info().Channels == 101 })
	answer <- struct{}{}
	receive(t, "the second round trip", arrived)
	if got := len(f.asked()); got != 101 {
		t.Errorf("%d statements came in two round trips, want 101", got)
	}
	answer <- struct{}{}
	work.Wait()
}

// TestBarrierIsNew: a Barrier is not content with a round trip that was under way when it was called.
func TestBarrierIsNew(t *testing.T) {
	f := newFake(t)
	arrived, answer := make(chan struct{}), make(chan struct{})
	f.sync = func() {
		select {
		case arrived <- struct{}{}:
			<-answer
		case <-t.Context().Done():
		}
	}
	h := f.hub(t, Options{})
	m := join(h)
	listening := make(chan error, 1)
	go func() { listening <- m.Listen(within(t), "x") }()
	receive(t, "the LISTEN's round trip", arrived)
	answer <- struct{}{}
	must(t, receive(t, "Listen", listening))

	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- m.Barrier(within(t)) }()
	receive(t, "the first Barrier's round trip", arrived)
	go func() { second <- m.Barrier(within(t)) }()
	eventually(t, "the second Barrier waits", h.asked)
	answer <- struct{}{}
	must(t, receive(t, "the first Barrier", first))
	receive(t, "the second Barrier's own round trip", arrived)
	select {
	case <-second:
		t.Fatal("the second Barrier returned with the first one's round trip")
	default:
	}
	f.notify("x", "1")
	answer <- struct{}{}
	must(t, receive(t, "the second Barrier", second))
	if got := m.heard(t); !slices.Equal(got, []string{"x=1"}) {
		t.Errorf("heard %v", got)
	}
}

// TestBarrierOfNobody costs no connection.
func TestBarrierOfNobody(t *testing.T) {
	f := newFake(t)
	h := f.hub(t, Options{})
	must(t, join(h).Barrier(within(t)))
	if h.Info().Connects != 0 {
		t.Error("the Hub has connected for nothing")
	}
}

// TestNothingOld: what the server sends before the LISTEN's round trip is over is not heard, though the server listens already.
func TestNothingOld(t *testing.T) {
	f := newFake(t)
	h := f.hub(t, Options{})
	old := join(h)
	must(t, old.Listen(within(t), "x"))
	f.notify("x", "before") // ahead of the Sync's answer
	late := join(h)
	must(t, late.Listen(within(t), "x"))
	f.notify("x", "after")
	must(t, late.Barrier(within(t)))
	if got := late.heard(t); !slices.Equal(got, []string{"x=after"}) {
		t.Errorf("heard %v", got)
	}
	if got := old.heard(t); !slices.Equal(got, []string{"x=before", "x=after"}) {
		t.Errorf("heard %v", got)
	}
}

// TestRefused: a standby's answer reaches who asked, and the Hub goes on.
func TestRefused(t *testing.T) {
	f := newFake(t)
	f.refuse = func(sql string) *pgproto3.ErrorResponse {
		if sql != `LISTEN "no"` {
			return nil
		}
		return &pgproto3.ErrorResponse{
			Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "25006",
			Message: "cannot execute LISTEN during recovery",
		}
	}
	h := f.hub(t, Options{})
	m := join(h)
	must(t, m.Listen(within(t), "yes"))
	for range 2 {
		var refused *pgconn.PgError
		if err := m.Listen(within(t), "no"); !errors.As(err, &refused) || refused.Code != "25006" || refused.Message != "cannot execute LISTEN during recovery" {
			t.Fatalf("got %v", err)
		}
	}
	must(t, m.Listen(within(t), "again"))
	if got := m.Channels(); !slices.Equal(got, []string{"again", "yes"}) {
		t.Errorf("channels %v", got)
	}
	if i := h.Info(); i.Channels != 2 || i.Connects != 1 || i.Losses != 0 {
		t.Errorf("info %+v", i)
	}
	if f.count(`UNLISTEN "no"`) != 0 {
		t.Error("UNLISTEN of what the server refused")
	}
}

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

// TestSlow: who lets too much wait is cut off, alone.
func TestSlow(t *testing.T) {
	f := newFake(t)
	h := f.hub(t, Options{Backlog: 100})
	slow, quick := join(h), join(h)
	must(t, slow.Listen(within(t), "x"))
	must(t, slow.Listen(within(t), "only here"))
	must(t, quick.Listen(within(t), "x"))
	heard := 0
	for i := range 20 { // each message has 12 bytes
		f.notify("x", "")
		must(t, quick.Barrier(within(t)))
		heard += len(quick.heard(t))
		if cut := len(slow.lost) > 0; cut != (i >= 8) {
			t.Fatalf("after %d messages cut off: %v", i+1, cut)
		}
	}
	if err := receive(t, "lost", slow.lost); err != ErrSlow { //nolint:errorlint // the very error is promised
		t.Errorf("lost with %v", err)
	}
	if heard != 20 || slow.Waiting() || slow.heard(t) != nil || slow.Listening() {
		t.Errorf("the quick one heard %d; something is left of the slow one", heard)
	}
	if err := slow.Listen(within(t), "x"); !errors.Is(err, ErrSlow) {
		t.Errorf("listens again: %v", err)
	}
	eventually(t, "UNLISTEN of its channel", func() bool { return f.count(`UNLISTEN "only here"`) == 1 })
	if i := h.Info(); i.Slow != 1 || i.Dropped != 9 || i.Members != 1 || len(slow.lost)+len(quick.lost) != 0 {
		t.Errorf("info %+v", i)
	}
	big := strings.Repeat("b", 8000)
	f.notify("x", big)
	must(t, quick.Barrier(within(t)))
	if got := quick.heard(t); !slices.Equal(got, []string{"x=" + big}) {
		t.Error("an empty mailbox does not take a message over the limit")
	}
}

// TestUnlisten: nothing of a channel is heard behind it, not even what waited.
func TestUnlisten(t *testing.T) {
	f := newFake(t)
	h := f.hub(t, Options{})
	m, stay := join(h), join(h)
	for _, p := range []*person{m, stay} {
		must(t, p.Listen(within(t), "x"))
		must(t, p.Listen(within(t), "y"))
	}
	f.notify("x", "1")
	f.notify("y", "2")
	f.notify("x", "3")
	must(t, m.Barrier(within(t)))
	m.Unlisten("x")
	m.Unlisten("never")
	f.notify("x", "4")
	f.notify("y", "5")
	must(t, m.Barrier(within(t)))
	if got := m.heard(t); !slices.Equal(got, []string{"y=2", "y=5"}) {
		t.Errorf("heard %v", got)
	}
	m.UnlistenAll()
	f.notify("y", "6")
	must(t, stay.Barrier(within(t)))
	if m.Waiting() {
		t.Error("something waits for who listens to nothing")
	}
	if got := len(stay.heard(t)); got != 6 {
		t.Errorf("the other one heard %d, want 6", got)
	}
	for _, sql := range f.asked() {
		if strings.HasPrefix(sql, "UNLISTEN") {
			t.Errorf("%s while somebody listens", sql)
		}
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

// TestNames: what cannot be a channel is refused here.
func TestNames(t *testing.T) {
	h := newFake(t).hub(t, Options{})
	m := join(h)
	for _, name := range []string{"", "a\x00b", strings.Repeat("n", 64)} {
		if err := m.Listen(within(t), name); err == nil {
			t.Errorf("listens to %q", name)
		}
	}
	must(t, m.Listen(within(t), strings.Repeat("n", 63)))
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
