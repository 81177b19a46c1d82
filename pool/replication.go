package pool

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/pool/config"
	"poolerd/pool/vars"
	"poolerd/wire"
)

// Replication connections (PostgreSQL's documentation, "Streaming Replication Protocol") are not pooled: each client gets a server of its own, opened with its own startup
// parameters, and from the welcome on every byte is passed on as it is (replication_relay.go). The server counts against all limits of servers (replication_place.go).

// replicationKind says what a client wants to replicate.
type replicationKind uint8

const (
	notReplication replicationKind = iota
	physicalReplication
	logicalReplication
)

func (k replicationKind) String() string { return [...]string{"none", "physical", "logical"}[k] }

// word is what PgBouncer's log calls it.
func (k replicationKind) word() string { return [...]string{"no", "yes", "database"}[k] }

// parameter is the value of the startup parameter.
func (k replicationKind) parameter() string { return [...]string{"false", "true", "database"}[k] }

// replicationOf reads the startup parameter "replication" as PostgreSQL does.
func replicationOf(s *wire.Startup) (replicationKind, *wire.Error) {
	value, ok := s.Get("replication")
	if !ok {
		return notReplication, nil
	}
	if value == "database" {
		return logicalReplication, nil
	}
	on, ok := parseBool(value)
	switch {
	case !ok:
		err := wire.Fatalf(wire.CodeInvalidParameterValue, `invalid value for parameter "replication": "%s"`, value)
		err.Hint = `Valid values are: "false", 0, "true", 1, "database".`
		return notReplication, err
	case on:
		return physicalReplication, nil
	}
	return notReplication, nil
}

// parseBool reads a switch as PostgreSQL's parse_bool does: a word or the beginning of one, in either case, as long as it is no other's.
func parseBool(s string) (on, ok bool) {
	s = strings.ToLower(s)
	switch s {
	case "":
		return false, false
	case "on", "1":
		return true, true
	case "of", "off", "0":
		return false, true
	}
	if strings.HasPrefix("true", s) || strings.HasPrefix("yes", s) {
		return true, true
	}
	return false, strings.HasPrefix("false", s) || strings.HasPrefix("no", s)
}

// replication is a client and its server.
type replication struct {
	client *Client
	server net.Conn
	key    cancelKey // the server's

	at      endpoint
	secured *tls.Config // nil: the server's connection is plain
}

// serveReplication gives the client a server of its own, and passes everything between the two until one of them ends.
func (l *login) serveReplication() error {
	p := l.pooler
	pool, err := l.choosePool()
	if err != nil {
		return err
	}
	defer pool.part()
	c := l.client(pool)
	c.base, c.mode, c.replication = l.applicationName(pool), config.ModeSession, l.replication
	if err := p.enter(c); err != nil {
		return err
	}
	defer p.exit(c)
	l.entered = true
	r := &replication{client: c}
	c.key = p.keys.issue(r, c.version, l.conf.PeerID)
	defer p.keys.revoke(c.key)
	if _, err := l.conn.Write(wire.AppendAuthenticationOK(nil)); err != nil { // as PostgreSQL: it, too, looks at the rest after the authentication
		c.leave(reasonLoginFailed)
		return err
	}
	if err := pool.awaitPlace(c); err != nil {
		c.leave(reasonLoginFailed)
		return err
	}
	defer pool.leavePlace(c)
	reported, refused := r.open(l)
	if refused != nil {
		c.leave(reasonLoginFailed)
		return refused
	}
	defer func() { _ = r.server.Close() }()
	if _, err := l.conn.Write(appendWelcome(nil, reported, c.key)); err != nil {
		c.leave(reasonLoginFailed)
		return err
	}
	l.logLogin()
	_ = l.conn.SetDeadline(noDeadline)
	r.relay(c.conn)
	return nil
}

// applicationName is the Set by which the console knows the client.
func (l *login) applicationName(pool *Pool) *vars.Set {
	set := pool.space.Empty()
	if name, ok := l.startup.Get("application_name"); ok {
		set = set.With(vars.Item{Name: "application_name", Value: name})
	}
	return set
}

// open opens the server with the client's startup parameters, and gives what it reports.
func (r *replication) open(l *login) ([]vars.Reported, *wire.Error) {
	pool := r.client.pool
	cc, err := pgconn.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, wire.Fatalf(wire.CodeInternalError, "the settings of a server connection could not be made")
	}
	if err := pool.aim(cc, pool.settings(), r.client.replication); err != nil {
		return nil, replicationError(err)
	}
	cc.RuntimeParams = maps.Clone(cc.RuntimeParams)
	if cc.RuntimeParams == nil {
		cc.RuntimeParams = map[string]string{}
	}
	maps.Copy(cc.RuntimeParams, l.passedOn())
	ctx := r.client.pooler.life
	pg, err := pgconn.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, replicationError(err)
	}
	reported, err := r.take(ctx, pg)
	if err != nil {
		_ = pg.Conn().Close()
		return nil, replicationError(err)
	}
	return reported, nil
}

// take takes the connection from pgconn.
func (r *replication) take(ctx context.Context, pg *pgconn.PgConn) ([]vars.Reported, error) {
	nc, err := takeOver(ctx, pg)
	if err != nil {
		return nil, err
	}
	hijacked, err := pg.Hijack()
	if err != nil {
		return nil, fmt.Errorf("take over a replication connection: %w", err)
	}
	r.server, r.at, r.secured, r.key = nc.Conn, nc.at, nc.secured, cancelKey{hijacked.PID, hijacked.SecretKey}
	_ = r.server.SetDeadline(noDeadline)
	return nc.reported, nil
}

// passedOn gives the startup parameters that the server gets from the client. options go as they are: no statement could set them on a connection for physical replication.
func (l *login) passedOn() map[string]string {
	params := map[string]string{"replication": l.replication.parameter()}
	for _, param := range l.startup.Params {
		switch name := strings.ToLower(param.Name); {
		case name == "user", name == "database", name == "replication", strings.HasPrefix(param.Name, "_pq_."), slices.Contains(l.conf.IgnoreStartupParameters, name):
		case name == "application_name" && l.conf.ApplicationNameAddHost:
			params[name] = param.Value + " - " + l.addr.String()
		default:
			params[param.Name] = param.Value
		}
	}
	return params
}

// replicationError is what the client is told when its server cannot be had: with the detail where PostgreSQL has refused it, for it was the client's own startup packet.
func replicationError(err error) *wire.Error {
	e := connectError(err)
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && e.Code != wire.CodeInvalidPassword {
		e.Detail, e.Hint = refused.Detail, refused.Hint
	}
	return e
}

// cancelRunning cancels what the server runs.
func (r *replication) cancelRunning() {
	r.client.mu.Lock()
	serving := r.client.state == StateInTx
	r.client.mu.Unlock()
	if !serving {
		return
	}
	ctx, stop := r.client.pooler.cancelContext(r.client.pooler.life)
	defer stop()
	began := time.Now()
	if err := r.client.pooler.sendCancel(ctx, r.at, r.secured, r.key); err != nil {
		r.client.pooler.logCancelFailed(err, r.key.pid, began)
	}
}
