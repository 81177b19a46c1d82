package web

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"poolerd/bench/load"
)

// textsEach is how many errors of a code a client puts into words.
const textsEach = 3

// errCut ends what a client does when its context has ended.
var errCut = errors.New("cut short")

// client is a load.Client.
type client struct {
	server  *server
	limit   time.Duration
	random  *rand.Rand
	mix     mix
	making  building
	out     []byte
	scratch []byte
	told    map[int]int // texts given, by status

	authorization string // whole line, or ""

	ctx     context.Context // of the last Run
	unwatch func() bool

	mu   sync.Mutex
	conn *conn // nil: none. Set with mu held by the client's goroutine, which reads it without
	cut  bool  // ctx has ended
}

// Open connects a client. Its error says in words why it could not.
func Open(ctx context.Context, o Options) (load.Client, error) { return open(ctx, o) }

func open(ctx context.Context, o Options) (*client, error) {
	c, err := o.complete()
	if err != nil {
		return nil, err
	}
	c.watch(ctx)
	if err := c.connect(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", c.server.address, err), c.Close())
	}
	return c, nil
}

// watch makes the end of ctx cut short what the client does. A run's context is the same for all its requests, so this is done once.
func (c *client) watch(ctx context.Context) {
	if c.ctx == ctx { //nolint:errorlint // the very same one
		return
	}
	if c.unwatch != nil {
		c.unwatch()
	}
	c.mu.Lock()
	c.ctx, c.cut = ctx, false
	c.mu.Unlock()
	c.unwatch = context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.ctx != ctx {
			return
		}
		c.cut = true
		if c.conn != nil {
			c.conn.cut()
		}
	})
}

// connect makes a connection where there is none, or one that the server has closed while it was idle.
func (c *client) connect(ctx context.Context) error {
	if c.conn != nil && c.conn.stale() {
		_ = c.drop() // nothing was sent over it
	}
	if c.conn != nil {
		return nil
	}
	conn, err := dial(ctx, c.server, c.limit)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	return nil
}

// drop closes the connection.
func (c *client) drop() error {
	c.mu.Lock()
	conn := c.conn
	c.conn = nil
	c.mu.Unlock()
	if conn == nil {
		return nil
	}
	return conn.Close()
}

// Run implements load.Client: one request, and its response whole.
func (c *client) Run(ctx context.Context) load.Done {
	c.watch(ctx)
	k := c.mix.next(c.random)
	c.out = k.append(c.out[:0], &c.making)
	r, done := c.exchange(ctx, k)
	if done.Code != "" || r.status/100 == 2 {
		return done
	}
	done.Code = "http-" + strconv.Itoa(r.status)
	done.Expected = slices.Contains(k.expect, r.status)
	if c.told[r.status] < textsEach {
		c.told[r.status]++
		done.Text = r.words()
	}
	return done
}

// exchange sends what is in c.out and reads the response; done has a code where there is none.
func (c *client) exchange(ctx context.Context, k *kind) (r response, done load.Done) {
	done.Name = k.name
	for {
		if err := c.connect(ctx); err != nil {
			done.Code, done.Text = "connect", lost(err)
			return r, done
		}
		reused := !c.conn.last.IsZero()
		r, err := c.try(k)
		if err == nil {
			c.conn.last = time.Now()
			if r.close {
				_ = c.drop() // the server has said that it closes it
			}
			return r, done
		}
		_ = c.drop() // it broke already
		switch {
		case errors.Is(err, errCut), ctx.Err() != nil:
			done.Code, done.Text = "lost", errCut.Error()
		case errors.Is(err, os.ErrDeadlineExceeded):
			done.Code, done.Text = "timeout", fmt.Sprintf("no answer within %v", c.limit)
		case reused && k.repeat && !r.begun:
			continue // once: the next connection is new
		default:
			done.Code, done.Text = "lost", lost(err)
		}
		return r, done
	}
}

// try sends the request over the connection and reads the response.
func (c *client) try(k *kind) (response, error) {
	if err := c.arm(); err != nil {
		return response{}, err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return response{}, err
	}
	return c.read(k)
}

// arm sets the limit of a request, unless the context has ended.
func (c *client) arm() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return errCut
	}
	return c.conn.SetDeadline(time.Now().Add(c.limit))
}

// Close implements load.Client.
func (c *client) Close() error {
	if c.unwatch != nil {
		c.unwatch()
	}
	return c.drop()
}
