package pool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"poolerd/pool/vars"
	"poolerd/wire"
	"poolerd/wire/sock"
)

// What follows once a client has proved who it is.

// client makes the Client of a login. What depends on the kind of session is the caller's to fill in.
func (l *login) client(pool *Pool) *Client {
	l.polled = sock.New(l.conn)
	return &Client{
		id: l.id, pooler: l.pooler, pool: pool, conn: l.polled, socket: l.socket, addr: l.addr, local: l.socket.LocalAddr(),
		user: l.user, database: l.database, version: l.version, began: l.began, waiter: newWaiter(),
	}
}

// admit makes a client of the pool of its database and user, and welcomes it.
func (l *login) admit() (admitted *Client, _ error) {
	p := l.pooler
	pool, refused := l.choosePool()
	if refused != nil {
		return nil, refused
	}
	c := l.client(pool)
	defer func() {
		if admitted == nil {
			c.depart()
		}
	}()
	c.names, c.mode = p.statements.NewClient(), pool.settings().Mode
	if c.base, refused = l.parameters(pool); refused != nil {
		return nil, refused
	}
	c.become(c.base)
	c.key = p.keys.issue(c, c.version, l.conf.PeerID)
	if refused := p.enter(c); refused != nil {
		return nil, refused
	}
	l.entered = true
	if err := l.welcome(c); err != nil {
		c.leave(l.refusal(err).reason)
		return nil, err
	}
	l.logLogin()
	_ = l.conn.SetDeadline(noDeadline)
	return c, nil
}

// choosePool finds the pool that serves the client, and gives it what the login has shown of the user's password.
func (l *login) choosePool() (*Pool, *wire.Error) {
	pool, err := l.pooler.pool(l.database, l.user)
	if err == nil && pool.key.User == l.user {
		pool.offer(l.proved)
	}
	l.proved = Credentials{}
	return pool, err
}

func (l *login) logLogin() {
	l.tag(l.pooler.log.Debug()).Msg("logged in")
}

// parameters makes the Set of the startup packet.
func (l *login) parameters(pool *Pool) (*vars.Set, *wire.Error) {
	set := pool.space.Empty()
	add := func(name, value string) {
		name = strings.ToLower(name)
		if !slices.Contains(l.conf.IgnoreStartupParameters, name) {
			set = set.With(vars.Item{Name: name, Value: value})
		}
	}
	for _, param := range l.startup.Params {
		switch {
		case param.Name == "user", param.Name == "database", param.Name == "replication", strings.HasPrefix(param.Name, "_pq_."):
		case param.Name == "options":
			if slices.Contains(l.conf.IgnoreStartupParameters, "options") {
				continue
			}
			options, err := wire.ParseOptions(param.Value)
			if err != nil {
				return nil, wire.Fatalf(wire.CodeInvalidParameterValue, "%s", messageOf(err))
			}
			for _, o := range options {
				add(o.Name, o.Value)
			}
		case param.Name == "application_name" && l.conf.ApplicationNameAddHost:
			add(param.Name, param.Value+" - "+l.addr.String())
		default:
			add(param.Name, param.Value)
		}
	}
	return set, nil
}

// messageOf is what an error says to a client, without the severity that its text begins with.
func messageOf(err error) string {
	if told, ok := errors.AsType[*wire.Error](err); ok {
		return told.Message
	}
	return err.Error()
}

// welcome greets the client as its server would. What a server with its parameters reports is known, or is asked of one now; that one also tells whether they
// are valid.
func (l *login) welcome(c *Client) error {
	reported, ok := c.vars.Reported()
	if !ok {
		var refused *wire.Error
		if reported, refused = c.meet(); refused != nil {
			// The login was right, as PostgreSQL would say first. Its time may be over.
			_ = l.socket.SetDeadline(time.Now().Add(farewellLimit))
			if _, err := l.conn.Write(wire.AppendAuthenticationOK(nil)); err != nil {
				return err
			}
			return refused
		}
	}
	_, err := l.conn.Write(appendWelcome(appendCut(wire.AppendAuthenticationOK(nil), c.base), reported, c.key))
	return err
}

// appendCut appends what PostgreSQL says of an application_name that it cuts off, as an identifier.
func appendCut(b []byte, base *vars.Set) []byte {
	const longest = 63 // NAMEDATALEN - 1
	name, _ := base.Get("application_name")
	if len(name.Value) <= longest {
		return b
	}
	end := longest
	for end > 0 && !utf8.RuneStart(name.Value[end]) {
		end--
	}
	return (&wire.Error{
		Severity: "NOTICE", Code: wire.CodeNameTooLong, Message: fmt.Sprintf(`identifier "%s" will be truncated to "%s"`, name.Value, name.Value[:end]),
	}).AppendNotice(b)
}

// appendWelcome appends what a server says between the authentication and the first statement.
func appendWelcome(b []byte, reported []vars.Reported, key cancelKey) []byte {
	for _, v := range reported {
		b = wire.AppendParameterStatus(b, v.Name, v.Value)
	}
	return wire.AppendReadyForQuery(wire.AppendBackendKeyData(b, key.pid, key.secret), wire.TxIdle)
}
