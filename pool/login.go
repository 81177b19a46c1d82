package pool

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/sock"
)

// What bounds the messages of a login behind the startup packet, in bytes: a password, and what proves that one is known, which needs no more room than PgBouncer has for it.
const (
	mostPassword = 64 << 10
	mostProof    = 4 << 10
)

// login is one connection from its first byte to its welcome.
type login struct {
	pooler  *Pooler
	access  *access
	conf    *config.Config // access's
	id      uint64         // the client's, from its first byte on
	socket  net.Conn       // as accepted
	addr    net.Addr       // the client's
	conn    net.Conn       // socket, or the TLS connection over it
	polled  *sock.Conn     // conn as a client's; nil before there is one
	secured securedConn
	startup *wire.Startup
	version wire.Version
	began   time.Time
	place   *lobbyPlace

	loggedIn func()

	replication replicationKind
	identity
	entered bool // it was counted in as a client, whose end is told as that
}

// refusal ends a login for a reason that the log and the client are not both told in the same words.
type refusal struct {
	reason string      // the log's
	answer *wire.Error // the client's; nil: it would not understand anything, or has gone
	logged string      // the log's words for the answer; empty: the answer's own
}

func (r *refusal) Error() string { return r.reason }

// accept serves one connection to its end. loggedIn is called when it has proved who it is. What a login needs is garbage when that is over, and the stack can shrink: most clients are idle.
func (p *Pooler) accept(nc net.Conn, loggedIn func()) {
	if c := p.logIn(nc, loggedIn); c != nil {
		c.session()
	}
}

// logIn leads a connection to its welcome, and gives the client whose session is to be served. There is none where the login failed, or where it was all: the console and
// replication are served by it. Then the connection is closed.
func (p *Pooler) logIn(nc net.Conn, loggedIn func()) (admitted *Client) {
	a := p.access.Load()
	l := &login{pooler: p, access: a, conf: a.conf, id: p.ids.Add(1), socket: nc, conn: nc, loggedIn: loggedIn, addr: peerAddr(nc), began: time.Now()}
	defer func() {
		l.turn.leave() // not ended yet: a panic
		if l.place != nil {
			p.lobby.leave(l.place)
		}
		if admitted == nil {
			l.hangUp()
		}
	}()
	if t := l.conf.ClientLoginTimeout; t > 0 { // later for writes: one that was refused for its time ends a TLS connection, and with it any way to tell why
		_ = nc.SetReadDeadline(l.began.Add(t))
		_ = nc.SetWriteDeadline(l.began.Add(t + farewellLimit))
	}
	if p.stage.Load() == stageClosing { // it was accepted while the others were told
		return nil
	}
	l.place = p.lobby.enter(p.logins, nc, l.conf.MaxClientConn)
	admitted, err := l.run()
	p.lobby.leave(l.place)
	if err != nil {
		l.end(l.refusal(err))
	}
	return admitted
}

// hangUp closes the connection, with the farewell of TLS: without that OpenSSL takes the end for an attack, and PQcancelBlocking of libpq 17 fails with it. It does not wait until the
// client takes it.
func (l *login) hangUp() {
	if l.secured.conn != nil {
		if l.polled == nil {
			l.polled = sock.New(l.secured.conn)
		}
		_ = l.polled.Close()
	}
	_ = l.socket.Close()
}

// refusal tells why a login ended.
func (l *login) refusal(err error) *refusal {
	var told *refusal
	var answer *wire.Error
	switch {
	case errors.As(err, &told) && told.answer == nil: // it would not understand the others
		return told
	case l.place.evicted.Load(): // whatever else: a flood is not to learn sooner that a password was wrong
		answer = wire.Fatalf(wire.CodeTooManyConnections, "too many connections that have not logged in (max_client_conn)")
	case l.place.stay.Err() != nil && l.pooler.stage.Load() == stageClosing:
		answer = errShutdown()
	case told != nil:
		return told
	case errors.As(err, &answer):
		return &refusal{reason: answer.Message, answer: answer}
	case errors.Is(err, os.ErrDeadlineExceeded):
		answer = wire.Fatalf(wire.CodeProtocolViolation, "client_login_timeout")
		answer.Detail = "The login was not finished in " + l.conf.ClientLoginTimeout.String() + "."
	case errors.Is(err, io.EOF) && l.startup == nil && l.secured.conn == nil:
		return &refusal{} // a probe that asks whether anybody listens: not worth a line
	default:
		return &refusal{reason: reasonClientGone}
	}
	return &refusal{reason: answer.Message, answer: answer}
}

// end tells the log and then the client why the login has failed: who looks at the log after an error finds it there.
func (l *login) end(r *refusal) {
	if r.reason == "" {
		l.pooler.log.Debug().Uint64("client", l.id).Str("client_addr", l.addr.String()).Msg("connection closed before its login")
		return
	}
	if r.answer != nil && l.conf.LogPoolerErrors {
		l.tag(l.pooler.log.Warn()).Str("sqlstate", string(r.answer.Code)).Msg("pooler error: " + cmp.Or(r.logged, r.answer.Message))
	}
	if l.conf.LogConnections && l.startup != nil && !l.entered {
		l.tag(l.pooler.log.Info()).Msgf("login failed: db=%s user=%s", l.startup.Database(), l.startup.User())
	}
	if l.conf.LogDisconnections && !l.entered {
		l.tag(l.pooler.log.Info()).Msg(closing(r.reason, l.began, time.Now()))
	}
	if r.answer != nil {
		_ = l.socket.SetDeadline(time.Now().Add(farewellLimit))
		_, _ = l.conn.Write(r.answer.Fatal().Append(nil))
	}
	if l.unlisted { // the client has all that it gets by then, so that the time that this takes tells it nothing
		_ = l.socket.Close()
		l.tag(l.pooler.log.Info()).Msgf("no such user: %s", l.user)
	}
}

// context ends with the login's time, with its place in the lobby, or with everything.
func (l *login) context() (context.Context, context.CancelFunc) {
	if t := l.conf.ClientLoginTimeout; t > 0 {
		return context.WithDeadline(l.place.stay, l.began.Add(t))
	}
	return context.WithCancel(l.place.stay)
}

func (l *login) run() (*Client, error) {
	if err := l.readStartup(); err != nil || l.startup.Kind == wire.RequestCancel {
		return nil, err
	}
	if l.pooler.Draining() && !config.Reserved(l.startup.Database()) {
		return nil, errDraining()
	}
	if err := l.authenticate(); err != nil {
		return nil, err
	}
	l.pooler.lobby.leave(l.place)
	l.loggedIn()
	switch {
	case l.console && l.replication != notReplication:
		return nil, wire.Fatalf(wire.CodeFeatureNotSupported, "the console has nothing to replicate")
	case l.console:
		return nil, l.serveConsole()
	case l.replication != notReplication:
		return nil, l.serveReplication()
	}
	return l.admit()
}
