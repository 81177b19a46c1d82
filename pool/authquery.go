package pool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/lex"
)

// auth_query: the secret of a user who is not in auth_file is asked of a database, by auth_user, on a server of the pool of that database and auth_user, so that the limits of both hold.
//
// Unless auth_query_cache says so (authcache) an answer is not kept for a later login: a password that was changed, or a user who may no longer log in, counts from the next login on, whatever
// the clock says. What keeps many logins of one user from becoming as many queries is that they share: one query a user is under way, and whoever comes meanwhile waits for the one after
// it, which is sent once for all of them. A query so never answers a login that came after it was sent. Memory is bounded by the logins under way.

// authQuestion is what one query asks.
type authQuestion struct {
	database string // the clients' name of the one that is asked
	asUser   string // auth_user
	query    string
	user     string // whose secret
}

// authAnswer is what it found.
type authAnswer struct {
	found  bool
	secret config.Secret // none: there is such a user, who has no password that is valid
	err    *wire.Error   // for the client: there is no answer
}

// authFlight is a query that is under way, or about to be.
type authFlight struct {
	answer  authAnswer
	done    chan struct{} // closed when answer is there
	waiting int           // logins; authQueries' lock guards it
	wanted  context.Context
	abandon context.CancelFunc // nobody waits any more
}

// authQueries are the queries of all logins. The zero value is ready, and safe for concurrent use.
type authQueries struct {
	mu   sync.Mutex
	next map[authQuestion]*authFlight // while one is under way: the one after it, nil when nobody wants that
}

// ask gives the answer of a query that is sent after ask was called. carryOut sends it, with start running it elsewhere; its context ends when all who wait for the answer have gone.
func (q *authQueries) ask(ctx context.Context, question authQuestion, start func(func()), carryOut func(context.Context, authQuestion) authAnswer) (authAnswer, error) {
	q.mu.Lock()
	f, busy := q.next[question]
	if f == nil {
		f = &authFlight{done: make(chan struct{})}
		f.wanted, f.abandon = context.WithCancel(context.WithoutCancel(ctx))
		if q.next == nil {
			q.next = map[authQuestion]*authFlight{}
		}
		if busy {
			q.next[question] = f
		} else {
			q.next[question] = nil
			start(func() { q.fly(question, f, carryOut) })
		}
	}
	f.waiting++
	q.mu.Unlock()
	select {
	case <-f.done:
		return f.answer, nil
	case <-ctx.Done():
		q.leave(question, f)
		return authAnswer{}, ctx.Err()
	}
}

// leave takes a login out that waits no longer. What nobody waits for is not asked, so that logins that were given up leave nothing behind in the queue for servers.
func (q *authQueries) leave(question authQuestion, f *authFlight) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if f.waiting--; f.waiting > 0 {
		return
	}
	f.abandon()
	if q.next[question] == f {
		q.next[question] = nil
	}
}

// fly carries out one flight after the other until nobody wants one.
func (q *authQueries) fly(question authQuestion, f *authFlight, carryOut func(context.Context, authQuestion) authAnswer) {
	for f != nil {
		f.answer = carryOut(f.wanted, question)
		close(f.done)
		f.abandon()
		q.mu.Lock()
		if f = q.next[question]; f == nil {
			delete(q.next, question)
		} else {
			q.next[question] = nil
		}
		q.mu.Unlock()
	}
}

// inquiry is what a login has asked auth_query.
type inquiry struct {
	question authQuestion
	asked    time.Time // zero: the answer is a kept one
	secret   config.Secret
}

// inquire finds out the secret of the client's user: by an answer that is kept, or by asking for it.
func (l *login) inquire() error {
	l.secret.queried = true
	if err := l.chooseQuestion(); err != nil {
		return err
	}
	if keep := l.conf.AuthQueryCache; keep > 0 {
		if secret, ok := l.pooler.authCache.find(l.inquiry.question, l.place.source, time.Now().Add(-keep)); ok {
			l.take(authAnswer{found: true, secret: secret})
			return nil
		}
	}
	return l.ask()
}

// take makes an answer the secret of the client's user.
func (l *login) take(answer authAnswer) {
	l.secret.text, l.secret.known = answer.secret.Reveal(), answer.found
	l.proved.Secret, l.inquiry.secret = answer.secret, answer.secret
}

// keepAnswer keeps the answer by which the login has proved its password.
func (l *login) keepAnswer() {
	if q := l.inquiry; l.conf.AuthQueryCache > 0 && !q.asked.IsZero() {
		l.pooler.authCache.keep(q.question, l.place.source, q.secret, q.asked)
	}
}

// chooseQuestion settles what is asked, and where.
func (l *login) chooseQuestion() error {
	database := l.pool.AuthDBName
	if database == "" {
		database = l.database
	}
	if config.Reserved(database) {
		return l.misconfigured(fmt.Sprintf("cannot use the reserved %q database as an auth_dbname", database))
	}
	if _, ok := l.conf.Database(database); !ok {
		return l.misconfigured(fmt.Sprintf("authentication database %q is not configured.", database))
	}
	if _, disabled := l.pooler.DatabaseState(database); disabled {
		return wire.Fatalf(wire.CodeCannotConnectNow, `authentication database "%s" is disabled`, database)
	}
	l.inquiry.question = authQuestion{database: database, asUser: l.pool.AuthUser, query: l.pool.AuthQuery, user: l.user}
	return nil
}

// ask asks the database.
func (l *login) ask() error {
	ctx, stop := l.context()
	defer stop()
	asked := time.Now()
	answer, err := l.pooler.authQueries.ask(ctx, l.inquiry.question, l.pooler.tasks.Go, l.pooler.lookUp)
	switch {
	case err != nil:
		return wire.Fatalf(wire.CodeUnableToEstablish, reasonLoginAbandoned)
	case answer.err != nil:
		return answer.err
	}
	l.inquiry.asked = asked
	l.pooler.authCache.heard(l.inquiry.question, answer, asked)
	l.take(answer)
	return nil
}

// authPatience is how long auth_query may take, the wait for a server excepted.
const authPatience = 10 * time.Second

// lookUp carries out auth_query. It waits for a server until ctx ends.
func (p *Pooler) lookUp(ctx context.Context, q authQuestion) authAnswer {
	pool, refused := p.authPool(q.database, q.asUser)
	if refused != nil {
		return authAnswer{err: refused}
	}
	defer pool.part()
	s, refused := pool.borrow(ctx)
	if refused != nil {
		return authAnswer{err: refused}
	}
	answer, err := s.lookUp(q)
	if err == nil {
		s.leaveAuthQuery(q.query)
		return answer
	}
	log := p.log.Error().Str("database", q.database).Str("user", q.asUser).Uint64("server", s.id).Stringer("server_addr", s.conn.RemoteAddr())
	if answered := (errRefused{}); errors.As(err, &answered) {
		log.Msgf("S: error in auth_query: %s %s", answered.answer.Severity, answered.answer.Message)
	} else {
		log.Msg("auth_query: " + err.Error())
	}
	s.leaveAuthQuery(q.query)
	return authAnswer{err: errMisconfigured()}
}

// leaveAuthQuery gives the server back. The clients of auth_user have it next: what a function that the query calls may have left there (a search_path, a lock) is reset first, as behind any client.
func (s *Server) leaveAuthQuery(query string) {
	if !s.pipe.Idle() {
		s.discard(reasonAuthQuery)
		return
	}
	sql := []byte(query)
	if (lex.Mark(sql)|s.pool.watched.functions.Load().Marks(sql))&leaving != 0 {
		s.pins |= pinUnknown
		if !s.reset() {
			s.discard(reasonReset)
			return
		}
	}
	s.pool.release(s, time.Now())
}

// authPool finds or makes the pool on whose servers auth_query runs: auth_user's, also where the database forces another user on its clients.
func (p *Pooler) authPool(database, user string) (*Pool, *wire.Error) {
	forced := false
	pool, err := p.poolFor(database, func(conf *config.Config) (config.Pool, bool) {
		settings, ok := conf.Pool(database, user)
		forced = settings.User != user
		return unforced(settings, user), ok
	})
	if err == nil && forced {
		pool.asks.Store(true)
	}
	return pool, err
}

// unforced gives a pool's settings with a user of its own in place of the database's.
func unforced(conf config.Pool, user string) config.Pool {
	if conf.User != user {
		conf.User, conf.Database.User, conf.Database.Password = user, user, config.Secret{}
	}
	return conf
}

// settingsIn gives the pool's settings in conf. One of auth_query's keeps its own user.
func (p *Pool) settingsIn(conf *config.Config) (config.Pool, bool) {
	now, ok := conf.Pool(p.key.Database, p.key.User)
	if p.asks.Load() {
		now = unforced(now, p.key.User)
	}
	return now, ok
}

// borrow takes a server for a statement of our own, in the queue like any client. It waits until ctx ends, and for query_wait_timeout at most.
func (p *Pool) borrow(ctx context.Context) (*Server, *wire.Error) {
	c := &Client{id: p.pooler.ids.Add(1), pooler: p.pooler, pool: p, waiter: newWaiter(), base: p.space.Empty(), vars: p.space.Empty()}
	limit := p.pooler.config().QueryWaitTimeout
	if limit == 0 {
		limit = time.Minute
	}
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	defer context.AfterFunc(p.pooler.life, stop)()
	defer context.AfterFunc(ctx, func() { c.end(reasonQueueWait, c.overload(limit)) })()
	return p.acquire(c)
}

// lookUp asks for a user's secret. An error other than errRefused leaves the server unsettled, or is a row that is none of a user.
func (s *Server) lookUp(q authQuestion) (answer authAnswer, _ error) {
	if err := s.adopt(s.pool.space.Empty(), authPatience); err != nil { // nothing that a client has set may change what the query says
		return answer, err
	}
	var bad error
	row := func(body []byte) {
		values, ok := wire.ParseDataRow(body)
		switch {
		case !ok || bad != nil:
		case len(values) != 2:
			bad = fmt.Errorf("expected 2 columns from auth_query, not %d", len(values))
		case values[0] == nil:
			bad = errors.New("auth_query response contained null user name")
		case answer.found && !answer.secret.Equal(config.NewSecret(string(values[1]))): // whose would count depends on their order
			bad = errors.New("auth_query gave several rows, with different passwords")
		default:
			answer = authAnswer{found: true, secret: config.NewSecret(string(values[1]))}
		}
	}
	if err := s.askFor(q.query, q.user, row); err != nil {
		return authAnswer{}, err
	}
	if bad != nil {
		return authAnswer{}, bad
	}
	return answer, nil
}

// askFor carries out a statement that has a parameter, $1.
func (s *Server) askFor(sql, parameter string, row func(body []byte)) error {
	if err := s.conn.SetDeadline(time.Now().Add(authPatience)); err != nil {
		return err
	}
	b := wire.AppendParse(nil, "", wire.ParseTail(sql))
	b = wire.AppendBindText(b, "", "", parameter)
	b = wire.AppendEmpty(wire.AppendExecute(b, ""), wire.ClientSync)
	for _, op := range [...]wire.Op{wire.OpParse, wire.OpBind, wire.OpExecute, wire.OpSync} {
		s.pipe.Sent(op, wire.ForPooler, nil)
	}
	s.unnamed = unnamed{doubt: true}
	if _, err := s.conn.Write(b); err != nil {
		return err
	}
	err := s.drain(row)
	if reset := s.conn.SetDeadline(noDeadline); reset != nil {
		return reset
	}
	return err
}
