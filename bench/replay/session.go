package replay

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/bench/load"
	"poolerd/wire"
	"poolerd/wire/record"
)

// The codes of failures that have no SQLSTATE, as in load.Done.
const (
	codeLost    = "lost"
	codeConnect = "connect"
	codeTimeout = "timeout"
)

// client plays one session. It is a load.Client: each Run plays the next transaction that can be played.
type client struct {
	session  *Session
	messages []message
	config   *pgconn.Config
	speed    float64 // 0: without pauses
	patience time.Duration
	zero     time.Time // when offset 0 of the recording is

	conn *conn
	next int // of the session's transactions
	last played
}

// played is what a Run saw beside its load.Done.
type played struct {
	transaction *Transaction
	due, began  time.Time
	ended       time.Time
	wait        time.Duration // for answers
	copyBytes   int64         // of COPY data that could not be sent
	params      int64
	standIns    int64
	rolled      bool // the transaction had to be ended otherwise than recorded
	cut         bool // ctx ended before it did
}

var _ load.Client = (*client)(nil)

// upcoming gives the transaction that Run will play next, nil when there is none.
func (c *client) upcoming() *Transaction {
	for ; c.next < len(c.session.Transactions); c.next++ {
		if t := &c.session.Transactions[c.next]; t.Skip == "" {
			return t
		}
	}
	return nil
}

// at gives the time at which an offset of the recording is due.
func (c *client) at(offset time.Duration) time.Time {
	if c.speed == 0 {
		return c.zero
	}
	return c.zero.Add(c.scaled(offset))
}

func (c *client) scaled(d time.Duration) time.Duration {
	if c.speed == 0 {
		return 0
	}
	return time.Duration(float64(d) / c.speed)
}

// Run waits until the next transaction is due and plays it. After the last one it gives an empty Done.
func (c *client) Run(ctx context.Context) load.Done {
	t := c.upcoming()
	if t == nil {
		return load.Done{}
	}
	c.next++
	due := c.at(t.Start)
	c.last = played{transaction: t, due: due}
	if err := sleepUntil(ctx, due); err != nil {
		c.last.began, c.last.ended, c.last.cut = due, time.Now(), true
		return load.Done{Name: t.Name, Code: codeTimeout}
	}
	c.last.began = time.Now()
	if c.speed == 0 {
		c.last.due = c.last.began
	}
	done := load.Done{Name: t.Name}
	err := c.open(ctx)
	if err != nil {
		done.Code, done.Text = codeOf(err, codeConnect)
	} else if err = c.play(ctx, t); err != nil {
		done.Code, done.Text = codeOf(err, codeLost)
		if c.conn.code != "" { // what the server said before it went
			done.Code, done.Text = c.conn.code, c.conn.text
		}
		c.conn.drop()
		c.conn = nil
	} else {
		done.Code, done.Text = c.conn.code, c.conn.text
	}
	c.last.ended = time.Now()
	c.last.cut = err != nil && ctx.Err() != nil
	done.Expected = done.Code != "" && done.Code == t.Code
	return done
}

// codeOf gives the code of an error that is no answer.
func codeOf(err error, otherwise string) (code, text string) {
	var pg *pgconn.PgError
	var timeout net.Error
	switch {
	case errors.As(err, &pg):
		return pg.Code, withoutValues(pg.Message)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return codeTimeout, "no answer in time"
	}
	return otherwise, err.Error()
}

func sleepUntil(ctx context.Context, due time.Time) error {
	d := time.Until(due)
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// open logs in unless that is done.
func (c *client) open(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	conn, err := dial(ctx, c.config, c.patience)
	if err != nil {
		return err
	}
	c.conn = conn
	return nil
}

// play plays the steps of a transaction.
func (c *client) play(ctx context.Context, t *Transaction) error {
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	conn.code, conn.text = "", ""
	before, asked := t.Start, time.Time{} // the time of the step before as recorded; when the answer was asked for
	now := c.last.began
	for _, e := range t.events {
		switch e.kind {
		case record.KindMessage:
			if pause := c.scaled(e.at - before); pause > 0 {
				if err := conn.flush(); err != nil {
					return err
				}
				if err := sleepUntil(ctx, now.Add(pause)); err != nil {
					return err
				}
				now = time.Now()
			}
			if err := c.message(&c.messages[e.message]); err != nil {
				return err
			}
			asked = now
		case record.KindReady, record.KindCopyIn:
			if err := conn.flush(); err != nil {
				return err
			}
			read := conn.untilReady
			if e.kind == record.KindCopyIn {
				read = conn.untilCopyIn
			}
			if err := read(); err != nil {
				return err
			}
			if now = time.Now(); !asked.IsZero() {
				c.last.wait += now.Sub(asked)
				asked = time.Time{}
			}
		}
		before = e.at
	}
	rolled, err := conn.settle()
	c.last.rolled = rolled
	return err
}

func (c *client) message(m *message) error {
	if m.typ == wire.ClientCopyDone { // a client may send data before it is told to, and in which format it is to be is known only then
		if err := c.conn.flush(); err != nil {
			return err
		}
		if err := c.conn.untilCopyIn(); err != nil {
			return err
		}
	}
	c.conn.add(m)
	c.last.params += int64(m.params)
	c.last.standIns += int64(m.standIns)
	switch m.typ {
	case wire.ClientCopyData:
		c.last.copyBytes += m.bytes
	case wire.ClientFlush: // the client waits for what has no ReadyForQuery
		if err := c.conn.flush(); err != nil {
			return err
		}
		return c.conn.untilCopyIn()
	}
	return nil
}

// Close ends the connection.
func (c *client) Close() error {
	if c.conn == nil {
		return nil
	}
	err := c.conn.leave()
	c.conn = nil
	return err
}
