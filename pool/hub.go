package pool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/pool/ledger"
	"poolerd/pool/listen"
	"poolerd/wire"
)

// LISTEN in transaction mode. The statement goes to the transaction's own server, which says whether it is right; once it is committed the database's hub listens for the
// client, and the server is told to stop. From then on notifications come from the hub: to an idle client at once, to others at the end of their
// transaction, ahead of ReadyForQuery as PostgreSQL has them.

// hubKey names a hub: payloads are converted by the server, for each encoding on a connection of its own.
type hubKey struct{ database, encoding string }

// hub finds or makes the hub of the pool's database. It logs in as the user of the pool that first asks: anyone may listen to anything.
func (p *Pool) hub(encoding string) *listen.Hub {
	all := p.pooler
	all.mu.Lock()
	defer all.mu.Unlock()
	key := hubKey{p.key.Database, encoding}
	h, ok := all.hubs[key]
	if !ok {
		conf := all.config()
		connect := func(ctx context.Context) (*pgconn.PgConn, error) { return p.connectHub(ctx, encoding) }
		h = listen.New(listen.Options{Connect: connect, Backlog: conf.NotifyBacklog, Timeout: queryLimit, Log: all.log.With().Str("database", p.key.Database).Logger()})
		all.hubs[key] = h
	}
	return h
}

// connectHub opens a connection of the hub's own: it is not one of the pool's.
func (p *Pool) connectHub(ctx context.Context, encoding string) (*pgconn.PgConn, error) {
	conf, err := pgconn.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("make the settings of a listening connection: %w", err)
	}
	if err := p.aim(conf, p.settings(), notReplication); err != nil {
		return nil, err
	}
	if encoding != "" {
		conf.RuntimeParams = maps.Clone(conf.RuntimeParams)
		if conf.RuntimeParams == nil {
			conf.RuntimeParams = map[string]string{}
		}
		conf.RuntimeParams["client_encoding"] = encoding
	}
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
	c.tellHub()
	if s.pins&pinListen == 0 {
		return nil
	}
	if err := s.run("UNLISTEN *", queryLimit); err != nil {
		return fmt.Errorf("stop listening: %w", err)
	}
	s.pins &^= pinListen
	return nil
}

// joinAhead lets the hub listen before the server is asked to commit a LISTEN: whatever is notified once others can see the transaction is heard. Should it not be committed,
// tellHub takes it back, with what was heard.
func (c *Client) joinAhead(channels []ledger.Channel) {
	if c.mode == modeSession || c.busy.pipe.Status() == wire.TxFailed {
		return
	}
	for _, ch := range channels {
		if ch.Listen {
			c.joined = true
			c.join(ch.Name)
		}
	}
}

// hearFirst makes sure that what was notified before an UNLISTEN that is about to be sent will be told: a session of the client's own would have been sent it while it was idle.
func (c *Client) hearFirst() {
	if c.member == nil || !c.member.Listening() {
		return
	}
	ctx, stop := context.WithTimeout(c.pooler.life, queryLimit)
	defer stop()
	_ = c.member.Keep(ctx) // if the hub has gone, hubLost says so
}

func (c *Client) join(channel string) {
	if c.member == nil {
		c.member = c.pool.hub(c.encoding()).Join(c.wakeForNotification, c.hubLost)
	}
	ctx, stop := context.WithTimeout(c.pooler.life, queryLimit)
	defer stop()
	if err := c.member.Listen(ctx, channel); err != nil && c.ending == nil {
		c.ending = errListen(err)
	}
}

// tellHub makes what was committed true. What was given up and taken again in one transaction was never given up.
func (c *Client) tellHub() {
	for _, ch := range c.channels {
		c.listensTo = slices.DeleteFunc(c.listensTo, func(name string) bool { return name == ch.Name || ch.Name == "" })
		if ch.Listen {
			c.listensTo = append(c.listensTo, ch.Name)
		}
	}
	c.channels, c.joined = c.channels[:0], false
	var has []string
	if c.member != nil {
		has = c.member.Channels()
	}
	for _, name := range has {
		if !slices.Contains(c.listensTo, name) {
			c.member.Unlisten(name)
		}
	}
	for _, name := range c.listensTo {
		if !slices.Contains(has, name) {
			c.join(name)
		}
	}
}

// encoding is the client_encoding in which the client is to be told payloads; empty is the server's own.
func (c *Client) encoding() string {
	mine, _ := c.vars.Reported()
	servers, _ := c.pool.space.Empty().Reported()
	for _, v := range mine {
		if v.Name == "client_encoding" && !slices.Contains(servers, v) {
			return v.Value
		}
	}
	return ""
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

// notifications gives what waits for the client at the end of its transaction. A listener's transaction costs a round trip on the hub's connection more: so it hears all that was
// notified before, by itself and by others, as it would without a pooler.
func (c *Client) notifications(s *Server) []byte {
	if c.member.Listening() {
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
