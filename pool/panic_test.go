package pool

import (
	"bytes"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/rs/zerolog"

	"poolerd/pool/config"
	"poolerd/wire"
)

// trap is a log that panics at a line.
type trap struct{ line string }

func (t trap) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(t.line)) && !bytes.Contains(p, []byte(reasonPanic)) {
		panic("caught")
	}
	return len(p), nil
}

// TestPanicOfAClient: a panic costs its client, and a server that is not used again, but no place for one.
func TestPanicOfAClient(t *testing.T) {
	f := startFake(t)
	p, addr := startPoolerWith(t, f.url(), zerolog.New(trap{"already prepared"}), func(c *config.Config) { c.DefaultPoolSize = 1 })
	parse := wire.AppendEmpty(wire.AppendExecute(wire.AppendBind(wire.AppendParse(nil, "x", wire.ParseTail("SELECT 1")), "", "x"), ""), wire.ClientSync)
	for range 3 {
		c := logIn(t, addr)
		c.send(parse)
		c.replies(1)
		c.query("BEGIN")
		c.query("SELECT 1")
		c.send(parse)
		_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadAll(c.conn); err != nil {
			t.Fatalf("the client is not closed: %v", err)
		}
	}
	if got := logIn(t, addr).query("SELECT 2"); got != "CZI" {
		t.Errorf("who comes next hears %s", got)
	}
	if n := f.logins.Load(); n != 4 {
		t.Errorf("%d servers, want 4: none is used behind a panic", n)
	}
	p.seats.mu.Lock()
	defer p.seats.mu.Unlock()
	if p.seats.clients != 1 {
		t.Errorf("%d clients", p.seats.clients)
	}
}

// TestPanicOfALogin: a panic keeps neither a turn nor a place in the lobby.
func TestPanicOfALogin(t *testing.T) {
	h := openHouse(t, startFake(t).url(), func(c *config.Config, dir string) {
		c.AuthType, c.AuthFile = config.AuthSCRAM, file(t, dir, "users", `"u" "right"`+"\n")
	}, func(p *Pooler) {
		p.slowdown, p.log = newSlowdown(), zerolog.New(trap{"password authentication failed"})
	})
	for range slowFree {
		if _, err := pgconn.Connect(t.Context(), "postgres://u:wrong@"+h.tcp+"/d?sslmode=disable"); err == nil {
			t.Fatal("came in")
		}
	}
	slow, lobby := h.pooler.slowdown, &h.pooler.lobby
	slow.mu.Lock()
	if lane := slow.shared.find(laneKey{source: network(netip.MustParseAddr("127.0.0.1"))}); lane == nil || lane.taken != 0 {
		t.Errorf("the lane is %+v", lane)
	}
	slow.mu.Unlock()
	lobby.mu.Lock()
	if n := lobby.places.Len(); n != 0 {
		t.Errorf("%d in the lobby", n)
	}
	lobby.mu.Unlock()
	h.expect("dbname=d user=u password=right", "")
}
