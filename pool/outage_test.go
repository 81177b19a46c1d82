package pool

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/wire"
)

// TestOutagePauses: attempts become rarer up to the limit, and never come in step.
func TestOutagePauses(t *testing.T) {
	var o outage
	now := time.Unix(1000, 0)
	down := wire.Errorf(wire.CodeUnableToEstablish, "refused")
	if o.on() || !o.due(now) || o.hopeless(now) {
		t.Fatal("an outage before anything failed")
	}
	longest := 500 * time.Millisecond
	attempts := 0
	for end := now.Add(10 * time.Second); now.Before(end); attempts++ {
		pause := o.failed(down, now, longest)
		if pause <= 0 || pause > longest {
			t.Fatalf("pause %v", pause)
		}
		if o.due(now.Add(pause - time.Nanosecond)) {
			t.Fatal("due before the pause is over")
		}
		now = now.Add(pause)
		if !o.due(now) {
			t.Fatal("not due after the pause")
		}
	}
	if attempts < 20 || attempts > 40 {
		t.Errorf("%d attempts in 10 s", attempts)
	}
	if o.over(); o.on() {
		t.Error("an outage goes on after a success")
	}
}

// TestOutageGrace: a restart is waited for, a refusal for good is not.
func TestOutageGrace(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, test := range []struct {
		code  wire.Code
		grace bool
	}{
		{wire.CodeUnableToEstablish, true},
		{wire.CodeCannotConnectNow, true},
		{wire.CodeTooManyConnections, true},
		{wire.CodeInvalidPassword, false},
		{wire.CodeUndefinedDatabase, false},
	} {
		var o outage
		o.failed(wire.Errorf(test.code, "no"), now, time.Second)
		if o.hopeless(now) == test.grace {
			t.Errorf("%s: hopeless at once is %v", test.code, o.hopeless(now))
		}
		if !o.hopeless(now.Add(graceOfOutage)) {
			t.Errorf("%s: hope after the grace", test.code)
		}
	}
}

func TestQueue(t *testing.T) {
	var q queue
	a, b, c := newWaiter(), newWaiter(), newWaiter()
	for _, w := range []*waiter{a, b, c} {
		q.push(w)
	}
	if !q.remove(b) || q.remove(b) {
		t.Error("a waiter leaves once")
	}
	if q.pop() != a || q.pop() != c || q.pop() != nil || q.len != 0 {
		t.Error("not first in, first out")
	}
	q.push(a)
	if !q.remove(a) || q.first != nil || q.last != nil {
		t.Error("the queue is not empty")
	}
}

// TestOutageOutwaited: a login that waited when the outage began gets its server when PostgreSQL is back; those who come later are told at once, in PgBouncer's words.
func TestOutageOutwaited(t *testing.T) {
	f := startFake(t)
	address := f.listener.Addr().String()
	_ = f.listener.Close()
	p, addr := startPooler(t, f.url(), nil)
	in := make(chan *testClient, 1)
	go func() { in <- logIn(t, addr) }()
	within(t, "the outage is hopeless", func() bool {
		for _, pool := range p.allPools() {
			pool.mu.Lock()
			hopeless := pool.outage.hopeless(time.Now())
			pool.mu.Unlock()
			if hopeless {
				return true
			}
		}
		return false
	})
	within(t, "a late client is told", func() bool { // between two attempts
		conn, err := pgconn.Connect(t.Context(), "postgres://u@"+addr+"/d?sslmode=disable&connect_timeout=1")
		if err == nil {
			_ = conn.Close(t.Context())
		}
		return err != nil && strings.Contains(err.Error(), "server login has been failing, cached error: server is not available: connection refused (server_login_retry)")
	})
	startFakeAt(t, address)
	select {
	case c := <-in:
		if got := c.query("SELECT 1"); got != "CZI" {
			t.Error(got)
		}
	case <-time.After(20 * time.Second):
		t.Error("the login waits still")
	}
}
