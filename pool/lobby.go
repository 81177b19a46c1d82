package pool

import (
	"container/list"
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// leastLobby is how many logins may be under way at once, however small max_client_conn is.
const leastLobby = 100

// lobby holds the connections that have not logged in. When there are more of them than clients may be, the oldest one has to go: a client that is in earnest needs milliseconds, and whoever
// opens connections and is slow to speak pushes out its own.
type lobby struct {
	mu     sync.Mutex
	places list.List // of *lobbyPlace, oldest first
}

// lobbyPlace is one connection in the lobby.
type lobbyPlace struct {
	conn    net.Conn
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
	b.mu.Lock()
	defer b.mu.Unlock()
	place.element = b.places.PushBack(place)
	if b.places.Len() > max(clients, leastLobby) {
		oldest := b.places.Remove(b.places.Front()).(*lobbyPlace)
		oldest.element = nil
		oldest.evicted.Store(true)
		_ = oldest.conn.SetReadDeadline(past) // under the lock: once it has left it is not touched
		oldest.end()
	}
	return place
}

// leave is called when the client has proved who it is, or has gone; a second time does nothing.
func (b *lobby) leave(place *lobbyPlace) {
	place.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	if place.element != nil {
		b.places.Remove(place.element)
		place.element = nil
	}
}
