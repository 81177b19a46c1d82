package listen

import (
	"context"
	"fmt"
	"strings"
)

// maxChannel is how long a channel's name may be, in bytes: PostgreSQL's NAMEDATALEN - 1. An identifier that is longer is cut off by PostgreSQL's lexer, which is the caller's to do.
const maxChannel = 63

// Member is one client's part in a Hub.
type Member struct {
	hub      *Hub
	wake     func()
	lost     func(error)
	box      mailbox
	listener listener // guarded by Hub.mu but for its count
	end      error    // why it hears nothing more; guarded by Hub.mu
}

// Listen returns when the server has confirmed that it listens to the channel: what is committed from now on will be in the mailbox. Nothing is that was committed before the call. It takes one
// round trip, which it shares with others, and none if the Member listens to the channel already.
//
// Errors: a *pgconn.PgError if the server refused, what Connect said if it failed (which may hold an address), ErrLost if the connection ended meanwhile (the Member is dead only
// if it had a channel before), ctx's cause, and for good the reason of the Member's end. After an error the Member does not listen to the channel.
func (m *Member) Listen(ctx context.Context, channel string) error {
	switch {
	case channel == "" || strings.IndexByte(channel, 0) >= 0:
		return fmt.Errorf("channel %q: a name has at least one byte, and none that is zero", channel)
	case len(channel) > maxChannel:
		return fmt.Errorf("channel %q: its name has %d bytes, at most %d are allowed", channel, len(channel), maxChannel)
	}
	h := m.hub
	h.mu.Lock()
	if m.end != nil || h.closed || h.roster.hears(&m.listener, channel) {
		defer h.mu.Unlock()
		return h.gone(m)
	}
	r := &request{member: m, channel: h.roster.ask(channel), done: make(chan error, 1)}
	h.queue = append(h.queue, r)
	h.mu.Unlock()
	return h.await(ctx, r)
}

// Barrier returns when every notification that was committed before the call is in the mailboxes. It takes one round trip, shared with others, and none for a Member that does
// not listen. Errors: as Listen's, but the server cannot refuse.
func (m *Member) Barrier(ctx context.Context) error {
	h := m.hub
	h.mu.Lock()
	if m.end != nil || h.closed || !m.Listening() {
		defer h.mu.Unlock()
		return h.gone(m)
	}
	r := &request{member: m, done: make(chan error, 1)}
	h.queue = append(h.queue, r)
	h.mu.Unlock()
	return h.await(ctx, r)
}

// Keep is Barrier for who is about to stop listening: what was committed before the call stays in the mailbox, whatever Unlisten and UnlistenAll take out of it.
func (m *Member) Keep(ctx context.Context) error {
	if err := m.Barrier(ctx); err != nil {
		return err
	}
	m.box.keep()
	return nil
}

// gone is the error for a Member that hears nothing any more. h.mu is held.
func (h *Hub) gone(m *Member) error {
	if m.end == nil && h.closed {
		return ErrClosed
	}
	return m.end
}

// Unlisten takes effect at once: nothing of the channel is in the mailbox when it returns, not even what waited there, but for what Keep has saved, and nothing will be. The server is
// told when nobody is left on the channel.
func (m *Member) Unlisten(channel string) {
	h := m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.roster.remove(&m.listener, channel) {
		h.poke()
	}
	m.box.forget(channel) // also of a Member that was lost
}

// UnlistenAll is Unlisten of every channel.
func (m *Member) UnlistenAll() {
	h := m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.Listening() {
		h.roster.removeAll(&m.listener)
		h.poke()
	}
	m.box.forgetAll()
}

// Channels gives the names of those that the Member listens to, sorted.
func (m *Member) Channels() []string {
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	return m.listener.names()
}

// Listening tells whether the Member listens to any channel. It takes no lock.
func (m *Member) Listening() bool { return m.listener.count.Load() > 0 }

// Waiting tells whether something is in the mailbox. It takes no lock.
func (m *Member) Waiting() bool { return m.box.waiting.Load() }

// Take appends the NotificationResponse messages that wait to dst, in the server's order, and empties the mailbox. Where a message names the process id `from`, unless that is 0, it
// gets `as`: a client knows its own server by the pooler's key. After ErrLost, what was put before can still be taken; after ErrSlow nothing is left.
func (m *Member) Take(dst []byte, from, as uint32) []byte { return m.box.take(dst, from, as) }

// Leave ends the Member, which is then told nothing more. It may be called again.
func (m *Member) Leave() {
	h := m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.end == nil {
		m.end = ErrLeft
		delete(h.members, m)
		if m.Listening() {
			h.roster.removeAll(&m.listener)
			h.poke()
		}
	}
	m.box.empty()
}

func (m *Member) awake() {
	if m.wake != nil {
		m.wake()
	}
}

// tell is called once, by whoever has set end to ErrLost or ErrSlow.
func (m *Member) tell(err error) {
	if m.lost != nil {
		m.lost(err)
	}
}
