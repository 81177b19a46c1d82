package pool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/pool/ledger"
	"poolerd/pool/listen"
	"poolerd/wire"
	"poolerd/wire/lex"
)

// LISTEN in transaction mode. The statement goes to the transaction's own server, which says whether it is right; once it is committed the database's hub listens for the
// client, and the server is told to stop. From then on notifications come from the hub: to an idle client at once, to others at the end of their
// transaction, ahead of ReadyForQuery as PostgreSQL has them.

// hub finds or makes the hub of the pool's database. It logs in as the user of the pool that first asks: anyone may listen to anything.
func (p *Pool) hub() *listen.Hub {
	all := p.pooler
	all.mu.Lock()
	defer all.mu.Unlock()
	h, ok := all.hubs[p.key.Database]
	if !ok {
		conf := all.config()
		h = listen.New(listen.Options{Connect: p.connectHub, Backlog: conf.NotifyBacklog, Timeout: queryLimit, Log: all.log.With().Str("database", p.key.Database).Logger()})
		all.hubs[p.key.Database] = h
	}
	return h
}

// connectHub opens a connection of the hub's own: it is not one of the pool's.
func (p *Pool) connectHub(ctx context.Context) (*pgconn.PgConn, error) {
	p.mu.Lock()
	conf := p.pg.Config().ConnConfig.Config.Copy()
	p.mu.Unlock()
	conf.AfterNetConnect = nil
	return pgconn.ConnectConfig(ctx, conf)
}

// follow tells the hub what the client's committed transaction said, and the server to listen no longer.
func (c *Client) follow(s *Server) error {
	if c.listens {
		c.listens = false
		rows, err := s.ask("SELECT pg_catalog.pg_listening_channels()", queryLimit)
		if err != nil && !errors.As(err, &errRefused{}) {
			return err
		}
		for _, row := range rows {
			c.channels = append(c.channels, ledger.Channel{Name: string(row[0]), Listen: true})
			s.pins |= pinListen
		}
	}
	channels := c.channels
	c.channels = c.channels[:0]
	for _, ch := range channels {
		if c.ending != nil {
			break
		}
		c.tellHub(ch)
	}
	if s.pins&pinListen == 0 {
		return nil
	}
	if err := s.run("UNLISTEN *", queryLimit); err != nil {
		return fmt.Errorf("stop listening: %w", err)
	}
	s.pins &^= pinListen
	return nil
}

func (c *Client) tellHub(ch ledger.Channel) {
	switch {
	case ch.Listen:
		if c.member == nil {
			c.member = c.pool.hub().Join(c.wakeForNotification, c.hubLost)
		}
		ctx, stop := context.WithTimeout(c.pooler.life, queryLimit)
		defer stop()
		if err := c.member.Listen(ctx, ch.Name); err != nil {
			c.ending = errListen(err)
		}
	case c.member == nil:
	case ch.Name == "":
		c.member.UnlistenAll()
	default:
		c.member.Unlisten(ch.Name)
	}
}

// errListen ends a client whose LISTEN was committed and cannot be kept: it would wait for ever.
func errListen(err error) *wire.Error {
	refused := new(pgconn.PgError)
	if errors.As(err, &refused) {
		return wire.Fatalf(wire.Code(refused.Code), "LISTEN failed on the pooler's listening connection: %s", refused.Message)
	}
	return wire.Fatalf(wire.CodeConnectionFailure, "LISTEN failed: the pooler's listening connection is not there")
}

// hubLost is called by the hub when the client's notifications are lost: it has to start anew, and knows that by the end of its connection.
func (c *Client) hubLost(err error) {
	if errors.Is(err, listen.ErrSlow) {
		c.end(reasonSlowListener, wire.Fatalf(wire.CodeInsufficientResources, "notify_backlog: more than %d bytes of notifications waited for this client", c.pooler.config().NotifyBacklog))
		return
	}
	c.end(reasonHubLost, wire.Fatalf(wire.CodeConnectionFailure, "the connection to the server that listens for notifications was lost"))
}

// wakeForNotification is called by the hub when something waits for the client. One that is busy looks by itself at the end of its transaction.
func (c *Client) wakeForNotification() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == StateIdle || c.state == StateInTx && !c.inside {
		_ = c.conn.SetReadDeadline(past)
	}
}

// notifications gives what waits for the client, and what its own transaction has notified.
func (c *Client) notifications(s *Server) []byte {
	if c.member == nil || !c.member.Listening() && !c.member.Waiting() {
		c.notifies = false
		return nil
	}
	if c.notifies {
		c.notifies = false
		ctx, stop := context.WithTimeout(c.pooler.life, queryLimit)
		defer stop()
		_ = c.member.Barrier(ctx) // if the hub has gone, hubLost says so
	}
	if !c.member.Waiting() {
		return nil
	}
	return c.member.Take(nil, s.pid, c.key.pid)
}

// deliver sends what waits for a client that is not in a transaction.
func (c *Client) deliver() {
	if c.member == nil || !c.member.Waiting() || c.left != "" || c.block != blockNone || c.body > 0 {
		return
	}
	if s := c.busy; s != nil && !(s.pipe.Idle() && s.replies.boundary()) {
		return
	}
	c.flushReply()
	if b := c.member.Take(nil, 0, 0); len(b) > 0 && c.write(b) != nil {
		c.leave(reasonClientGone)
	}
}

// heard decides about a notification from the client's server in transaction mode: the hub tells of all, but for those that a transaction has sent to itself
// before the hub listened.
func (c *Client) heard(s *Server, body []byte) (dropped bool) {
	if len(body) < 4 {
		return true
	}
	own := binary.BigEndian.Uint32(body) == s.pid
	if own {
		binary.BigEndian.PutUint32(body, c.key.pid) // the name by which the client knows its server
	}
	if c.mode == modeSession {
		return false
	}
	channel, _, ok := wire.CString(body[4:])
	return !own || !ok || c.member != nil && slices.Contains(c.member.Channels(), string(channel))
}

// ahead puts notifications before the ReadyForQuery that ends b.
func ahead(b, notifications []byte) []byte {
	if len(notifications) == 0 {
		return b
	}
	const ready = wire.HeaderLen + 1
	if len(b) < ready || b[len(b)-ready] != wire.ServerReadyForQuery {
		return append(slices.Clip(b), notifications...)
	}
	at := len(b) - ready
	return slices.Concat(b[:at], notifications, b[at:])
}

// mayNotify marks the texts that may send a notification.
const mayNotify = lex.MarkNotify | lex.MarkOpaque
