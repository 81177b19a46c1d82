package client

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"poolerd/bench/workload"
	"poolerd/wire"
)

// Announcer is a Session whose transactions notify a channel: workload.Session is one.
type Announcer interface {
	// Channel is the channel's name, the same one for the session's whole life.
	Channel() string
	// Payload is what the transaction's notification carries, once the flight with it is made. It differs from that of the transaction before.
	Payload() string
}

// defaultHearing is how long a notification may take to all listeners.
const defaultHearing = 5 * time.Second

// hub has a client's listening connections, and knows who has heard what. Each listener has a goroutine, which reads.
type hub struct {
	session   Announcer
	hearing   time.Duration
	listeners []*listener
	running   sync.WaitGroup

	mu      sync.Mutex
	payload string // waited for
	missing int    // listeners that have not heard it
	all     chan struct{}
}

type listener struct {
	hub  *hub
	conn *conn // nil: none

	// Under the hub's lock:
	heard string
	gone  error // its connection is lost
}

func newHub(session Announcer, listeners int, hearing time.Duration) *hub {
	h := &hub{session: session, hearing: hearing, all: make(chan struct{}, 1), listeners: make([]*listener, listeners)}
	for i := range h.listeners {
		h.listeners[i] = &listener{hub: h}
	}
	return h
}

// connect makes the listening connections that are missing.
func (h *hub) connect(ctx context.Context, o *Options) *failure {
	for i, l := range h.listeners {
		if l.conn != nil && !l.lost() {
			continue
		}
		if err := l.connect(ctx, o); err != nil {
			return &failure{err.code, fmt.Sprintf("listener %d of %d: %s", i+1, len(h.listeners), err.text)}
		}
	}
	return nil
}

func (l *listener) lost() bool {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	return l.gone != nil
}

// connect logs in, listens, and starts the goroutine that hears.
func (l *listener) connect(ctx context.Context, o *Options) *failure {
	if l.conn != nil {
		_ = l.conn.Close() // it is lost
		l.conn = nil
	}
	c, f := dial(ctx, o)
	if f != nil {
		return f
	}
	stop := context.AfterFunc(ctx, c.cut)
	name := `"` + strings.ReplaceAll(l.hub.session.Channel(), `"`, `""`) + `"`
	err := c.exchange(&workload.Flight{Data: wire.AppendQuery(nil, "LISTEN "+name), Ready: 1})
	if !stop() && err == nil {
		err = errCut
	}
	if err == nil && c.in.code != "" {
		err = &failure{c.in.code, c.in.text}
	}
	if err != nil {
		_ = c.Close()                    // the error is the one to tell
		if f, ok := err.(*failure); ok { //nolint:errorlint // exchange's own
			return f
		}
		return &failure{"lost", err.Error()}
	}
	_ = c.SetDeadline(time.Time{})
	l.conn = c
	l.hub.mu.Lock()
	l.heard, l.gone = "", nil
	l.hub.mu.Unlock()
	c.in.notified = l.hear
	l.hub.running.Go(func() {
		err := c.listen()
		l.hub.mu.Lock()
		defer l.hub.mu.Unlock()
		l.gone = err
	})
	return nil
}

// listen reads until the connection ends.
func (c *conn) listen() error {
	c.in.begin(false)
	c.out, c.sent, c.want, c.copyIn = nil, 0, int(^uint(0)>>1), false
	c.broken = nil
	err := c.Serve(c.step)
	if err == nil {
		err = c.broken
	}
	if err == nil {
		return c.verdict()
	}
	return c.lost(err)
}

// hear is called by the listener's goroutine with each notification's payload.
func (l *listener) hear(payload []byte) {
	h := l.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.missing == 0 || string(payload) != h.payload || l.heard == h.payload {
		return
	}
	l.heard = h.payload
	if h.missing--; h.missing == 0 {
		select {
		case h.all <- struct{}{}:
		default: // nobody has taken the last one
		}
	}
}

// expect begins to wait for a notification whose flight has been made and not yet been sent. It does nothing when it did so with a flight before.
func (h *hub) expect() {
	payload := h.session.Payload()
	h.mu.Lock()
	defer h.mu.Unlock()
	if payload != h.payload {
		h.payload, h.missing = payload, len(h.listeners)
	}
}

// heard tells whether all have heard.
func (h *hub) heard() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.missing == 0
}

// await waits until all have heard. code and text are empty then.
func (h *hub) await(ctx context.Context) (code, text string) {
	limit := time.NewTimer(h.hearing)
	defer limit.Stop()
	for !h.heard() {
		select {
		case <-h.all: // or it is a late word of a transaction that was given up
		case <-ctx.Done():
			return "lost", errCut.Error()
		case <-limit.C:
			return h.unheard()
		}
	}
	return "", ""
}

// unheard says how many have heard nothing, and why if that is known.
func (h *hub) unheard() (code, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	text = fmt.Sprintf("%d of %d listeners heard nothing within %v", h.missing, len(h.listeners), h.hearing)
	for _, l := range h.listeners {
		if l.gone == nil && l.conn.Gone() {
			l.gone = &failure{"lost", "the server closed the connection"}
		}
		if l.gone != nil {
			return "lost", text + ": " + l.gone.Error()
		}
	}
	return "undelivered", text
}

// close ends the listening connections, and waits for their goroutines.
func (h *hub) close() {
	for _, l := range h.listeners {
		if l.conn != nil {
			_ = l.conn.terminate() // nobody waits for an answer
		}
	}
	h.running.Wait()
}
