package listen

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/rs/zerolog"
)

var (
	// ErrLost ends a Member that listened when the hub's connection ended: notifications may have been missed.
	ErrLost = errors.New("the connection that listens for this client was lost")
	// ErrSlow ends a Member whose mailbox grew over Options.Backlog.
	ErrSlow = errors.New("more notifications wait for this client than may")
	// ErrLeft answers what a Member asks for after Leave.
	ErrLeft = errors.New("this client has left the hub")
	// ErrClosed answers what is asked of a Hub after Close.
	ErrClosed = errors.New("the hub of listening clients is closed")
)

const (
	defaultBacklog = 1 << 20
	defaultTimeout = 5 * time.Second
	defaultLinger  = 30 * time.Second
)

// Options of a Hub. Only Connect is needed.
type Options struct {
	// Connect opens the hub's connection to the server. It is called by one goroutine at a time, sees to its own limit of time, TCP keepalive, client_encoding and
	// application_name, and ends when ctx does. The Hub takes the connection over (pgconn's Hijack) and closes it.
	Connect func(ctx context.Context) (*pgconn.PgConn, error)
	// Backlog is how many bytes of NotificationResponse messages may wait for one Member; default 1 MiB. A Member for which nothing waits is given any one.
	Backlog int
	// Timeout bounds one round trip to the server; default 5 s. A server that takes longer counts as lost.
	Timeout time.Duration
	// Linger is how long the connection is kept after the last channel went; default 30 s.
	Linger time.Duration
	// Log is told of connections, their ends, and Members that were too slow. The zero Logger is silent.
	Log zerolog.Logger
}

func (o *Options) complete() {
	if o.Backlog <= 0 {
		o.Backlog = defaultBacklog
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Linger <= 0 {
		o.Linger = defaultLinger
	}
}

// Hub listens on behalf of its Members. Its methods, and those of its Members, may be called from any goroutine.
type Hub struct {
	opts    Options
	life    context.Context
	end     context.CancelFunc
	ended   chan struct{} // closed when run has returned
	work    chan struct{} // a token: there may be something for run to do
	scratch []*Member     // of deliver, which only the one reader calls

	mu      sync.Mutex
	closed  bool
	members map[*Member]struct{}
	roster  roster
	queue   []*request // asked for, and in no batch yet
	info    Info       // its counts, and the connection's part
}

// Info is what a Hub tells of itself. Counts are since New.
type Info struct {
	Connected bool      // it has a connection to the server
	PID       uint32    // of the server; 0 without
	Since     time.Time // when it connected; zero without

	Channels  int // that the server listens to, or is about to
	Members   int // joined and not left
	Listeners int // Members with at least one channel

	Connects uint64 // connections opened
	Losses   uint64 // connections that ended while somebody listened
	Trips    uint64 // round trips to the server for LISTEN, UNLISTEN and barriers
	Received uint64 // notifications that the server sent
	Put      uint64 // notifications put into mailboxes
	Dropped  uint64 // notifications thrown away with the mailboxes of Members that were too slow
	Slow     uint64 // Members ended by ErrSlow
}

// New makes a Hub. It connects when the first channel is asked for.
func New(o Options) *Hub {
	o.complete()
	h := &Hub{
		opts: o, ended: make(chan struct{}), work: make(chan struct{}, 1),
		members: map[*Member]struct{}{}, roster: newRoster(),
	}
	h.life, h.end = context.WithCancel(context.Background())
	go h.run()
	return h
}

// Close ends the connection, tells every Member (ErrLost), and waits for the Hub's goroutines. What is under way gets ErrClosed. It may be called again, but not from wake or lost.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.end()
	<-h.ended
}

// Join makes a Member without channels. wake is called when the first notification was put into an empty mailbox, and not again before it was emptied. lost is called
// at most once, with ErrLost or ErrSlow: the Member hears nothing more, and its client is to be closed. Either may be nil. Both are called by the Hub's goroutines, without a lock
// held: they may call the Member's methods that do not wait, and must not block. A call may be under way while Leave returns.
func (h *Hub) Join(wake func(), lost func(error)) *Member {
	m := &Member{hub: h, wake: wake, lost: lost}
	m.listener.member = m
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		m.end = ErrClosed
		return m
	}
	h.members[m] = struct{}{}
	return m
}

// Info tells how the Hub is.
func (h *Hub) Info() Info {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.info
	i.Channels, i.Members, i.Listeners = len(h.roster.channels), len(h.members), h.roster.listeners
	return i
}

// poke lets run look whether there is something to do.
func (h *Hub) poke() {
	select {
	case h.work <- struct{}{}:
	default:
	}
}

// deliver puts a notification into the mailboxes of those who listen to its channel. Only the reader of the one connection calls it.
func (h *Hub) deliver(message []byte) error {
	name, err := noteChannel(message)
	if err != nil {
		return err
	}
	wakes := h.scratch[:0]
	var slow []*Member
	h.mu.Lock()
	h.info.Received++
	if c := h.roster.channels[string(name)]; c != nil && len(c.listeners) > 0 {
		n := &note{channel: c.name, message: message}
		for _, l := range c.listeners {
			switch first, fits := l.member.box.put(n, h.opts.Backlog); {
			case !fits:
				slow = append(slow, l.member)
			case first:
				wakes = append(wakes, l.member)
			}
		}
		h.info.Put += uint64(len(c.listeners) - len(slow))
		for _, m := range slow {
			h.cutOff(m)
		}
	}
	h.mu.Unlock()
	for _, m := range wakes {
		m.awake()
	}
	for _, m := range slow {
		h.opts.Log.Warn().Str("channel", string(name)).Int("backlog", h.opts.Backlog).Msg("a client that is too slow for its notifications is cut off")
		m.tell(ErrSlow)
	}
	clear(wakes)
	h.scratch = wakes
	if len(slow) > 0 {
		h.poke() // channels may have become unwanted
	}
	return nil
}

// cutOff ends a Member that is too slow. h.mu is held.
func (h *Hub) cutOff(m *Member) {
	m.end = ErrSlow
	h.roster.removeAll(&m.listener)
	delete(h.members, m)
	h.info.Slow++
	h.info.Dropped += uint64(m.box.empty()) + 1
}
