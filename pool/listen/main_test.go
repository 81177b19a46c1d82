package listen

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for.
const patience = 15 * time.Second

// within is a context for one step of a test.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receive waits for a value.
func receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("after %v still waiting: %s", patience, what)
		panic("unreachable")
	}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("after %v still not so: %s", patience, what)
		}
	}
}

// person is a Member with what it was told.
type person struct {
	*Member
	woken chan struct{} // a token for each wake
	lost  chan error
}

func join(h *Hub) *person {
	p := &person{woken: make(chan struct{}, 1), lost: make(chan error, 2)}
	p.Member = h.Join(func() {
		select {
		case p.woken <- struct{}{}:
		default:
		}
	}, func(err error) { p.lost <- err })
	return p
}

// heard takes what waits, as "channel=payload".
func (p *person) heard(t testing.TB) (list []string) {
	t.Helper()
	for _, n := range decode(t, p.Take(nil, 0, 0)) {
		list = append(list, n.Channel+"="+n.Payload)
	}
	return list
}
