package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/bench/load"
	"poolerd/bench/load/alarm"
	"poolerd/bench/workload"
)

// Session says what a client sends: workload.Session is one.
type Session interface {
	// Begin chooses the next transaction.
	Begin() *workload.Transaction
	// Next appends the transaction's next flight to dst; last is how the one before ended. It is false when the transaction is over.
	Next(dst []byte, last workload.Outcome) (workload.Flight, bool)
	// Err tells, once Next was false, what was wrong with the transaction itself.
	Err() error
	// Disconnected tells that the connection is gone, with all that it had prepared.
	Disconnected()
}

// Options say what a client is. Session and either URL or Config must be set.
type Options struct {
	URL     string
	Config  *pgconn.Config // made by Parse; many clients may share it. It wins over URL
	Session Session

	// Cold leaves it to the transactions to prepare their statements, each when it is first used. Else all are prepared at once behind the login, where the
	// Session can do that: see workload.Session.Warm.
	Cold bool

	Think time.Duration // between the flights of a transaction
	Limit time.Duration // for a login, and for a flight until its last reply; 0 means 60 s

	// Listeners is how many connections beside the client's own listen; the Session must then be an Announcer.
	Listeners int
	hearing   time.Duration // that a notification may take to all of them; 0 means 5 s
}

// Descriptors is how many file descriptors a client has at most: its connections, and a timer for its pauses.
func (o *Options) Descriptors() int { return 2 + o.Listeners }

const defaultLimit = time.Minute

// client is a load.Client.
type client struct {
	Options
	conn  *conn        // nil: none
	clock *alarm.Alarm // nil until the first pause
	hub   *hub         // nil without listeners
	out   []byte

	ctx     context.Context // of the last Run
	unwatch func() bool

	mu  sync.Mutex
	cut bool // ctx has ended
}

// Open logs a client in; ctx bounds that only. Its error says in words, with the SQLSTATE, why it could not.
func Open(ctx context.Context, o Options) (load.Client, error) {
	if o.Config == nil {
		config, err := Parse(o.URL)
		if err != nil {
			return nil, err
		}
		o.Config = config
	}
	if o.Limit <= 0 {
		o.Limit = defaultLimit
	}
	if o.hearing <= 0 {
		o.hearing = defaultHearing
	}
	c := &client{Options: o}
	if o.Listeners > 0 {
		announcer, ok := o.Session.(Announcer)
		if !ok {
			return nil, errors.New("client: a session without a channel cannot have listeners")
		}
		c.hub = newHub(announcer, o.Listeners, o.hearing)
	}
	if f := c.connect(ctx); f != nil {
		_ = c.Close() // the failure is the one to tell
		return nil, f
	}
	if f := c.warm(ctx); f != nil {
		_ = c.Close()
		return nil, f
	}
	return c, nil
}

// warmer is a Session that can prepare its statements ahead.
type warmer interface {
	Warm(dst []byte) (workload.Flight, bool)
}

// warm prepares the session's statements. Where the server refuses them together the client begins with a new connection, on which each is prepared when it is first used.
func (c *client) warm(ctx context.Context) *failure {
	session, ok := c.Session.(warmer)
	if !ok || c.Cold {
		return nil
	}
	f, some := session.Warm(nil)
	if !some {
		return nil
	}
	c.watch(ctx)
	err := c.conn.exchange(&f)
	c.unwatch() // ctx is that of the login; it may end before the first Run begins
	c.mu.Lock()
	c.ctx, c.unwatch = nil, nil
	c.mu.Unlock()
	if err == nil && c.conn.in.outcome().Code == "" {
		return nil
	}
	c.leave()
	return c.connect(ctx)
}

// watch makes the end of ctx cut short what the client does. A run's context is the same for all its transactions, so this is done once.
func (c *client) watch(ctx context.Context) {
	if c.ctx == ctx { //nolint:errorlint // the very same one
		return
	}
	if c.unwatch != nil {
		c.unwatch()
	}
	c.mu.Lock()
	c.ctx, c.cut = ctx, false
	if c.clock != nil {
		c.clock.Resume()
	}
	c.mu.Unlock()
	c.unwatch = context.AfterFunc(ctx, func() { c.end(ctx) })
}

// end is called when ctx has ended.
func (c *client) end(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx != ctx {
		return
	}
	c.cut = true
	if c.clock != nil {
		c.clock.Interrupt()
	}
	if c.conn != nil {
		c.conn.cut()
	}
}

// connect makes what is missing of the client's connections.
func (c *client) connect(ctx context.Context) *failure {
	if c.hub != nil {
		if f := c.hub.connect(ctx, &c.Options); f != nil {
			return f
		}
	}
	if c.conn != nil {
		return nil
	}
	conn, f := dial(ctx, &c.Options)
	if f != nil {
		return f
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	if c.cut {
		conn.cut()
	}
	return nil
}

// drop takes the connection from the client: the session begins anew with the next.
func (c *client) drop() *conn {
	c.mu.Lock()
	conn := c.conn
	c.conn = nil
	c.mu.Unlock()
	if conn != nil {
		c.Session.Disconnected()
	}
	return conn
}

// Run implements load.Client.
func (c *client) Run(ctx context.Context) load.Done {
	c.watch(ctx)
	tx := c.Session.Begin()
	done := load.Done{Name: tx.Name}
	if tx.Connect {
		c.leave()
	}
	if f := c.connect(ctx); f != nil {
		c.Session.Disconnected() // whatever of the transaction was begun
		done.Code, done.Text = f.code, f.text
		return done
	}
	if err := c.play(&done); err != nil {
		if conn := c.drop(); conn != nil {
			_ = conn.Close() // it broke already
		}
		done.Code, done.Text = "lost", err.Error()
		if f := (*failure)(nil); errors.As(err, &f) {
			done.Code, done.Text = f.code, f.text
		}
		return done
	}
	if tx.Connect {
		c.leave()
	}
	switch err := c.Session.Err(); {
	case done.Code != "":
		done.Expected = slices.Contains(tx.Expect, done.Code)
	case err != nil:
		done.Code, done.Text = "script", err.Error()
	case c.hub != nil:
		done.Code, done.Text = c.hub.await(ctx)
	}
	return done
}

// play sends the transaction's flights. done gets the first error that the server told of; the error is one of the connection.
func (c *client) play(done *load.Done) error {
	var last workload.Outcome
	for sent := 0; ; {
		f, more := c.Session.Next(c.out[:0], last)
		if !more {
			return nil
		}
		pause := f.Pause
		if sent > 0 && len(f.Data) > 0 {
			pause += c.Think
		}
		if pause > 0 {
			if err := c.pause(pause); err != nil {
				return err
			}
		}
		if len(f.Data) == 0 {
			last = workload.Outcome{}
			continue
		}
		c.out = f.Data
		sent++
		if c.hub != nil {
			c.hub.expect()
		}
		if err := c.conn.exchange(&f); err != nil {
			return err
		}
		last = c.conn.in.outcome()
		if last.Code != "" && done.Code == "" {
			done.Code, done.Text = last.Code, c.conn.in.text
		}
	}
}

// pause waits, precisely.
func (c *client) pause(d time.Duration) error {
	if c.clock == nil {
		clock, err := alarm.New()
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.clock = clock
		if c.cut {
			clock.Interrupt()
		}
		c.mu.Unlock()
	}
	if !c.clock.Sleep(d) {
		return errCut
	}
	return nil
}

// leave ends the connection, if there is one, as a client should.
func (c *client) leave() {
	if conn := c.drop(); conn != nil {
		_ = conn.terminate() // nobody waits for an answer
	}
}

// Close implements load.Client.
func (c *client) Close() error {
	if c.unwatch != nil {
		c.unwatch()
	}
	c.leave()
	if c.hub != nil {
		c.hub.close()
	}
	if c.clock != nil {
		return c.clock.Close()
	}
	return nil
}
