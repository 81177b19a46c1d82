package pool

import (
	"container/list"
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// leastLobby is how many logins may be under way at once, however small max_client_conn is.
const leastLobby = 100

// lobby holds the connections that have not logged in. When there are more of them than clients may be, an old one has to go: a client that is in earnest needs milliseconds, and whoever
// opens connections and is slow to speak pushes out its own. So that a flood from some addresses pushes out few clients of others, it is one of those whose address has the most connections
// among the oldest ones. Clients that share an address with the flood, behind a balancer for one, have nothing but their haste.
type lobby struct {
	mu      sync.Mutex
	places  list.List            // of *lobbyPlace, oldest first
	sources map[netip.Prefix]int // how many there are of each

	inside int        // connections that have been accepted and have neither logged in nor gone: those who had to go need a moment for it
	room   *sync.Cond // on mu: inside has become less; nil before anybody has come
}

// mostLeaving is how many may be inside who had to go. With more no connection is accepted, so that a flood that comes faster than it can be told off, or than the log takes
// its lines, waits before the door, where it costs nothing.
const mostLeaving = 100

// await counts a connection in as soon as there is room for it. depart, whose first call counts, takes it out again when it has logged in, or is closed. Unix sockets are not counted, and do
// not wait.
func (b *lobby) await(nc net.Conn, clients int) (depart func()) {
	if isLocal(nc.RemoteAddr()) {
		return func() {}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.room == nil {
		b.room = sync.NewCond(&b.mu)
	}
	for b.inside >= max(clients, leastLobby)+mostLeaving {
		b.room.Wait()
	}
	b.inside++
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.inside--
		b.room.Signal()
	})
}

// mostCompared is how many of the oldest connections are looked at to find the one that has to go.
const mostCompared = 64

// lobbyPlace is one connection in the lobby.
type lobbyPlace struct {
	conn    net.Conn
	source  netip.Prefix
	element *list.Element   // nil: it has left
	evicted atomic.Bool     // it had to
	stay    context.Context // until it leaves: whatever the login waits for, it waits no longer than this
	end     context.CancelFunc
}

// enter lets a connection in, until logins ends at most. clients is max_client_conn. Unix sockets are for administrators too, and never pushed out.
func (b *lobby) enter(logins context.Context, nc net.Conn, clients int) *lobbyPlace {
	place := &lobbyPlace{conn: nc}
	place.stay, place.end = context.WithCancel(logins)
	if isLocal(nc.RemoteAddr()) {
		return place
	}
	place.source = network(sourceOf(nc.RemoteAddr()))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sources == nil {
		b.sources = map[netip.Prefix]int{}
	}
	b.sources[place.source]++
	place.element = b.places.PushBack(place)
	if b.places.Len() > max(clients, leastLobby) {
		out := b.choose()
		b.remove(out)
		out.evicted.Store(true)
		_ = out.conn.SetReadDeadline(past) // under the lock: once it has left it is not touched
		out.end()
	}
	return place
}

// choose gives the one that has to go.
func (b *lobby) choose() *lobbyPlace {
	e := b.places.Front()
	out := e.Value.(*lobbyPlace)
	for n := 1; n < mostCompared; n++ {
		if e = e.Next(); e == nil {
			break
		}
		if other := e.Value.(*lobbyPlace); b.sources[other.source] > b.sources[out.source] {
			out = other
		}
	}
	return out
}

// remove takes a connection out that is in.
func (b *lobby) remove(place *lobbyPlace) {
	b.places.Remove(place.element)
	place.element = nil
	if b.sources[place.source]--; b.sources[place.source] == 0 {
		delete(b.sources, place.source)
	}
}

// leave is called when the client has proved who it is, or has gone; a second time does nothing.
func (b *lobby) leave(place *lobbyPlace) {
	place.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	if place.element != nil {
		b.remove(place)
	}
}
