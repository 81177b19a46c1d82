package pool

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// TestLobby: whoever is slow to speak is pushed out by those who come later, and nobody else.
func TestLobby(t *testing.T) {
	f := startFake(t)
	h := openHouse(t, f.url(), func(c *config.Config, dir string) {
		c.AuthType, c.AuthFile, c.MaxClientConn = config.AuthMD5, usersFile(t, dir), 1
	})
	served := h.dial(startup("user", "plain", "database", "d"))
	md5LogIn(t, served, "plain", "foo")
	first := h.dial(nil)
	within(t, "the first slow client is in", func() bool { return h.pooler.lobby.count() == 1 })
	asked := h.dial(startup("user", "plain", "database", "d"))
	if typ, _, err := wire.ReadMessage(asked, 1<<16); err != nil || typ != wire.ServerAuthentication {
		t.Fatalf("%q, %v", typ, err)
	}
	for range leastLobby {
		h.dial([]byte{0, 0}) // two bytes of a length, and then nothing
	}
	for _, nc := range []net.Conn{first, asked} {
		if e := readError(t, nc); e.Code != wire.CodeTooManyConnections {
			t.Errorf("pushed out with %v", e)
		}
		if _, err := nc.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // Read's own
			t.Errorf("pushed out, and %v", err)
		}
	}
	if n := h.pooler.lobby.count(); n > leastLobby {
		t.Errorf("%d are in the lobby", n)
	}
	if _, err := served.Write(wire.AppendQuery(nil, "SELECT 1")); err != nil {
		t.Fatal(err)
	}
	if typ, _, err := wire.ReadMessage(served, 1<<16); err != nil || typ != wire.ServerCommandComplete {
		t.Errorf("a client that is served: %q, %v", typ, err)
	}
}

// TestLobbyIsFair: a flood from one address pushes out its own, not a client from another that came before it.
func TestLobbyIsFair(t *testing.T) {
	var b lobby
	from := func(addr string) net.Conn { return &addressed{addr: &net.TCPAddr{IP: net.ParseIP(addr), Port: 1}} }
	enter := func(addr string) *lobbyPlace { return b.enter(t.Context(), from(addr), 1) }
	client, first := enter("192.0.2.1"), enter("198.51.100.1")
	for range 3 * leastLobby {
		enter("198.51.100.1")
	}
	switch {
	case client.evicted.Load() || client.stay.Err() != nil:
		t.Error("the client was pushed out by a flood from another address")
	case !first.evicted.Load() || first.stay.Err() == nil:
		t.Error("the flood's oldest is still in")
	case b.count() != leastLobby || len(b.sources) != 2:
		t.Errorf("%d are in, from %d addresses", b.count(), len(b.sources))
	}
	b.leave(client)
	b.leave(client)
	if _, ok := b.sources[client.source]; ok || b.count() != leastLobby-1 {
		t.Error("a client that left is counted")
	}
}

// TestLobbyDoor: no more connections are let in than may wait, and a few that have to go. Unix sockets are.
func TestLobbyDoor(t *testing.T) {
	var b lobby
	nc := &addressed{addr: &net.TCPAddr{IP: net.ParseIP("198.51.100.1"), Port: 1}}
	depart := b.await(nc, 1)
	for range leastLobby + mostLeaving - 1 {
		b.await(nc, 1)
	}
	b.await(&addressed{addr: &net.UnixAddr{Net: "unix"}}, 1)
	came := make(chan struct{})
	go func() {
		b.await(nc, 1)
		close(came)
	}()
	inside := func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.inside
	}
	if n := inside(); n != leastLobby+mostLeaving {
		t.Errorf("%d are inside", n)
	}
	depart()
	<-came
	depart() // which counts once
	if n := inside(); n != leastLobby+mostLeaving {
		t.Errorf("%d are inside, once one has gone and one has come", n)
	}
}

// TestJudging: a proof waits for its turn to be checked, and is not checked once its login was pushed out.
func TestJudging(t *testing.T) {
	f := startFake(t)
	h := openHouse(t, f.url(), func(c *config.Config, dir string) {
		c.AuthType, c.AuthFile, c.MaxClientConn = config.AuthPlain, usersFile(t, dir), 1
	})
	places := cap(h.pooler.effort.places)
	for range places {
		h.pooler.effort.places <- struct{}{}
	}
	first := h.dial(append(startup("user", "plain", "database", "d"), passwordMessage("foo")...))
	if typ, _, err := wire.ReadMessage(first, 1<<16); err != nil || typ != wire.ServerAuthentication {
		t.Fatalf("%q, %v", typ, err)
	}
	for range leastLobby {
		h.dial([]byte{0, 0})
	}
	if e := readError(t, first); e.Code != wire.CodeTooManyConnections {
		t.Errorf("pushed out with %v", e)
	}
	for range places {
		<-h.pooler.effort.places
	}
	h.expect("dbname=d user=plain password=foo", "")
}

// addressed is a connection of which only the address counts.
type addressed struct {
	net.Conn
	addr net.Addr
}

func (c *addressed) RemoteAddr() net.Addr            { return c.addr }
func (c *addressed) SetReadDeadline(time.Time) error { return nil }

// md5LogIn answers an md5 request, and reads up to the welcome's end.
func md5LogIn(t *testing.T, nc net.Conn, user, password string) {
	t.Helper()
	_, body, err := wire.ReadMessage(nc, 1<<16)
	if err != nil || len(body) != 8 {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	if _, err := nc.Write(passwordMessage("md5" + digest(digest(password+user)+string(body[4:])))); err != nil {
		t.Fatal(err)
	}
	for {
		typ, _, err := wire.ReadMessage(nc, 1<<16)
		if err != nil || typ == wire.ServerErrorResponse {
			t.Fatalf("%q, %v", typ, err)
		}
		if typ == wire.ServerReadyForQuery {
			return
		}
	}
}

func (b *lobby) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.places.Len()
}

// TestSlowLogins: a login has client_login_timeout for all of it, however it spreads its bytes, and leaves nothing behind.
func TestSlowLogins(t *testing.T) {
	f := startFake(t)
	const limit = 300 * time.Millisecond
	h := openHouse(t, f.url(), func(c *config.Config, dir string) {
		c.AuthType, c.AuthFile, c.ClientLoginTimeout = config.AuthMD5, usersFile(t, dir), limit
	})
	whole := append(startup("user", "plain", "database", "d"), bytes.Repeat([]byte{wire.ClientPassword}, 1)...)
	for _, sent := range []int{0, 1, 4, 9, len(whole) - 1, len(whole)} {
		nc := h.dial(whole[:sent])
		began := time.Now()
		var e wire.Error
		for {
			typ, body, err := wire.ReadMessage(nc, 1<<16)
			if err != nil {
				t.Fatal(err)
			}
			if typ == wire.ServerErrorResponse {
				e, _ = wire.ParseError(body)
				break
			}
		}
		if d := time.Since(began); e.Message != "client_login_timeout" || d < limit/2 || d > 10*time.Second {
			t.Errorf("%d bytes: %v after %v", sent, e, d)
		}
	}
	h.log.wants(t, "closing because: client_login_timeout (age=0s)")
	within(t, "the lobby is empty", func() bool { return h.pooler.lobby.count() == 0 })
}
