package pool

import (
	"context"
	"sync"
	"time"

	"poolerd/pool/metrics"
	"poolerd/wire"
)

// seats counts clients: the sessions of each database and of each user over all pools, those of the console too. max_client_conn, max_db_client_connections and
// max_user_client_connections bound them. Its lock is taken last.
type seats struct {
	mu       sync.Mutex
	clients  int // without the console's
	database map[string]int
	user     map[string]int
}

func newSeats() seats { return seats{database: map[string]int{}, user: map[string]int{}} }

// bounds are the limits of one client; 0 is no limit.
type bounds struct{ all, database, user int }

// take counts one more session, unless a limit is reached.
func (s *seats) take(database, user string, most bounds, console bool) *wire.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case atLimit(s.clients, most.all):
		return wire.Fatalf(wire.CodeTooManyConnections, "no more connections allowed (max_client_conn)")
	case atLimit(s.database[database], most.database):
		return wire.Fatalf(wire.CodeTooManyConnections, "client connections exceeded (max_db_client_connections)")
	case atLimit(s.user[user], most.user):
		return wire.Fatalf(wire.CodeTooManyConnections, "client connections exceeded (max_user_client_connections)")
	}
	if !console {
		s.clients++
	}
	s.database[database]++
	s.user[user]++
	return nil
}

func (s *seats) give(database, user string, console bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !console {
		s.clients--
	}
	if s.database[database]--; s.database[database] == 0 {
		delete(s.database, database)
	}
	if s.user[user]--; s.user[user] == 0 {
		delete(s.user, user)
	}
}

func (s *seats) of(database, user string) (ofDatabase, ofUser int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.database[database], s.user[user]
}

// enter counts a client in, whose login is right, if its database takes it and there is room for it.
func (p *Pooler) enter(c *Client) error {
	if p.Draining() {
		return errDraining()
	}
	if _, disabled := p.DatabaseState(c.database); disabled {
		return wire.Fatalf(wire.CodeCannotConnectNow, `database "%s" is disabled`, c.database)
	}
	conf := p.config()
	most := bounds{all: conf.MaxClientConn}
	if settings, ok := conf.Pool(c.database, c.user); ok {
		most.database, most.user = settings.MaxDBClientConnections, settings.MaxUserClientConnections
	}
	if most.all == 0 { // nobody may come in
		return wire.Fatalf(wire.CodeTooManyConnections, "no more connections allowed (max_client_conn)")
	}
	if err := p.awaitSeat(c, most); err != nil {
		return err
	}
	p.mu.Lock()
	p.clients[c] = struct{}{}
	p.mu.Unlock()
	c.pool.count(func(t *metrics.Totals) { t.Clients++ })
	c.seated = true
	return nil
}

// seatGrace is how long a client that finds no room waits for those to be gone that have closed their connections already: whoever closes one and opens the next is not one too many.
const seatGrace = 100 * time.Millisecond

func (p *Pooler) awaitSeat(c *Client, most bounds) error {
	refused := p.seats.take(c.database, c.user, most, false)
	if refused == nil {
		return nil
	}
	ctx, stop := context.WithTimeout(p.life, seatGrace)
	defer stop()
	if !p.await(ctx, func() bool { refused = p.seats.take(c.database, c.user, most, false); return refused == nil }) {
		return refused
	}
	return nil
}

// exit takes the client out again, and says why it went.
func (p *Pooler) exit(c *Client) {
	p.mu.Lock()
	delete(p.clients, c)
	p.mu.Unlock()
	p.seats.give(c.database, c.user, false)
	c.pool.count(func(t *metrics.Totals) {
		t.Clients--
		c.tally.began = time.Time{} // it has no server any more
		c.tally.addTo(t, time.Time{})
	})
	p.changed.ring()
}

// seatConsole counts a session of the console in; leave takes it out again. Administrators, and the system user that the pooler runs as, are counted and never refused.
func (p *Pooler) seatConsole(database, user string, owner bool) (leave func(), _ *wire.Error) {
	conf := p.config()
	var most bounds
	if !owner && !conf.IsAdmin(user) {
		most.database, most.user = conf.MaxDBClientConnections, conf.MaxUserClientConnections
		if u, ok := conf.Users[user]; ok && u.MaxUserClientConnections != nil {
			most.user = *u.MaxUserClientConnections
		}
	}
	if err := p.seats.take(database, user, most, true); err != nil {
		return nil, err
	}
	return func() { p.seats.give(database, user, true) }, nil
}

// DatabaseConnections gives how many servers a database has, replication's among them, and how many clients.
func (p *Pooler) DatabaseConnections(name string) (servers, clients int) {
	servers, _ = p.shares.of(name, "")
	clients, _ = p.seats.of(name, "")
	return servers, clients
}

// UserConnections gives how many servers are logged in as a user, and how many clients, the console's sessions among them.
func (p *Pooler) UserConnections(name string) (servers, clients int) {
	_, servers = p.shares.of("", name)
	_, clients = p.seats.of("", name)
	return servers, clients
}
