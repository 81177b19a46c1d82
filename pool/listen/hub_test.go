package listen

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

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

// TestKeep: what was committed before it is heard, though the Member listens no longer; what comes later is not.
func TestKeep(t *testing.T) {
	f := newFake(t)
	h := f.hub(t, Options{})
	m := join(h)
	for _, stop := range []func(){func() { m.Unlisten("x") }, m.UnlistenAll} {
		must(t, m.Listen(within(t), "x"))
		f.notify("x", "1")
		f.notify("x", "2")
		must(t, m.Keep(within(t)))
		f.notify("x", "3")
		must(t, m.Barrier(within(t)))
		stop()
		if got := m.heard(t); !slices.Equal(got, []string{"x=1", "x=2"}) {
			t.Errorf("heard %v", got)
		}
		if m.Waiting() || m.box.size != 0 {
			t.Errorf("%d bytes wait", m.box.size)
		}
	}
	must(t, m.Keep(within(t))) // of who listens to nothing
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
