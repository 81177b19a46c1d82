package pool

import (
	"context"
	"errors"
	"os"

	"github.com/rs/zerolog"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/auth/hba"
	"poolerd/wire/sock"
)

// Who a client is, and whether it may come in. A client that cannot prove who it says it is must learn nothing: neither whether the user exists, nor the database, nor who is an administrator.
// So everybody is asked for the same proof, and all else is said afterwards. What must be looked up before, the secret, fails as a wrong password does.

// identity is who a client says it is, and what that means.
type identity struct {
	user     string // what it is served as: the startup packet's, but the database's own with auth_type = any
	database string
	console  bool        // the console's database
	owner    bool        // the pooler's own system user, on the console: it needs no password and may do everything
	missing  bool        // there is no such database
	pool     config.Pool // its settings; of the console and of a missing database only those of auth_query

	method   config.AuthType
	rule     hba.Rule // that gave the method, with auth_type = hba
	turn     *turn    // nil before the proof is to be judged
	secret   secret
	inquiry  inquiry     // where the secret comes from, with secret.queried
	unlisted bool        // there is no such user, as far as auth_file is all that is known; the log has yet to be told
	proved   Credentials // what the login has shown of the user's password
}

// secret is what is known of a user's password.
type secret struct {
	text    string
	known   bool // there is such a user
	queried bool // auth_query was asked
}

// Reveal makes it what package auth asks for.
func (s secret) Reveal(string) (string, bool) { return s.text, s.known }

// ownUser is how the pooler's own system user is called on the console.
const ownUser = "pgbouncer"

// authenticate makes the client prove who it is.
func (l *login) authenticate() error {
	l.identify()
	l.logAttempt()
	if l.owner {
		if l.conf.LogConnections {
			l.tag(l.pooler.log.Info()).Msg("pgbouncer access from unix socket")
		}
		return nil
	}
	if err := l.prove(); err != nil {
		return l.holdUp(err)
	}
	l.endTurn().passed()
	switch {
	case l.console && !l.conf.IsStats(l.user):
		err := wire.Fatalf(wire.CodeInvalidAuthorization, "not allowed")
		err.Detail = `User "` + l.user + `" is not in admin_users or stats_users.`
		return err
	case l.missing:
		return l.noDatabase()
	}
	return nil
}

// takeTurn waits until the client's proof may be judged.
func (l *login) takeTurn() error {
	ctx, stop := l.context()
	defer stop()
	var err error
	l.turn, err = l.pooler.slowdown.take(ctx, l.place.source, l.user, sock.New(l.socket).Gone)
	return loginOver(err)
}

// endTurn gives the login's turn, which the caller ends; nil: it has none.
func (l *login) endTurn() *turn {
	t := l.turn
	l.turn = nil
	return t
}

// holdUp makes a login that has failed wait before it is told why, and gives the reason.
func (l *login) holdUp(err error) error {
	turn := l.endTurn()
	switch {
	case !unproven(err):
		turn.leave()
	case turn == nil:
		l.pooler.slowdown.refused(l.place.stay, l.place.source)
	default:
		ctx, stop := l.context()
		defer stop()
		pause, over := turn.failed(ctx)
		if over != nil {
			return loginOver(over)
		}
		sleep(l.place.stay, pause)
	}
	return err
}

// loginOver gives the error of a login whose context has ended.
func loginOver(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return err
}

// unproven tells whether a login has failed for lack of a proof: not for settings, or since the client has gone.
func unproven(err error) bool {
	var told *refusal
	var answer *wire.Error
	switch {
	case errors.As(err, &told):
		answer = told.answer
	case !errors.As(err, &answer):
		return false
	}
	return answer != nil && (answer.Code == wire.CodeInvalidPassword || answer.Code == wire.CodeInvalidAuthorization)
}

func (l *login) noDatabase() error {
	err := errNoDatabase(l.database)
	if l.replication == physicalReplication {
		err.Hint = "a client that names no database for physical replication asks for one called replication: name one of [databases], or add an entry replication = host=..."
	}
	return err
}

// identify finds out what the names in the startup packet mean.
func (l *login) identify() {
	l.user, l.database = l.startup.User(), l.startup.Database()
	l.console = config.Reserved(l.database)
	if !l.console {
		var ok bool
		l.pool, ok = l.conf.Pool(l.database, l.user)
		l.missing = !ok
	}
	if l.console || l.missing {
		l.pool = config.Pool{AuthUser: l.conf.AuthUser, AuthQuery: l.conf.AuthQuery, AuthDBName: l.conf.AuthDBName}
	}
	l.owner = l.console && l.user == ownUser && l.sameUser()
}

// sameUser tells whether the process at the other end of a Unix socket belongs to our own system user.
func (l *login) sameUser() bool {
	if !l.local() {
		return false
	}
	uid, _, _, err := sock.PeerCredentials(l.socket)
	return err == nil && int(uid) == os.Getuid()
}

// prove asks for the proof that the settings want.
func (l *login) prove() error {
	if err := l.chooseMethod(); err != nil {
		return err
	}
	if err := l.checkCertificate(); err != nil {
		return err
	}
	switch l.method {
	case config.AuthReject:
		return l.rejected()
	case config.AuthAny:
		return l.proveNothing()
	case config.AuthLDAP:
		return l.proveByLDAP()
	}
	if err := l.findSecret(); err != nil {
		return err
	}
	switch l.method {
	case config.AuthTrust:
		if !l.known() {
			return wire.Fatalf(wire.CodeInvalidAuthorization, `"trust" authentication failed`)
		}
		return nil
	case config.AuthCert:
		return l.proveByCertificate()
	case config.AuthPeer:
		return l.proveByPeer()
	}
	return l.proveByPassword()
}

// chooseMethod settles how the client has to prove itself.
func (l *login) chooseMethod() error {
	l.method = l.conf.AuthType
	if l.method != config.AuthHBA {
		return nil
	}
	rule, ok := l.access.Rules.Match(hba.Conn{
		Addr: sourceOf(l.addr), TLS: l.secured.conn != nil, Database: l.database, User: l.user, Replication: l.replication == physicalReplication,
	})
	if !ok {
		return wire.Fatalf(wire.CodeInvalidAuthorization, "no authentication method is found")
	}
	l.rule = rule
	if l.method, ok = methodOf(rule); !ok {
		l.tag(l.pooler.log.Error()).Int("line", rule.Line).Msgf("hba method %s is not known", rule.Method)
		l.method = config.AuthReject
	}
	return nil
}

// methodOf gives the method that a line of auth_hba_file names.
func methodOf(rule hba.Rule) (m config.AuthType, ok bool) {
	m, ok = map[string]config.AuthType{
		hba.Trust: config.AuthTrust, hba.Reject: config.AuthReject, hba.MD5: config.AuthMD5, hba.Password: config.AuthPlain,
		hba.SCRAM: config.AuthSCRAM, hba.Cert: config.AuthCert, hba.Peer: config.AuthPeer, hba.LDAP: config.AuthLDAP,
	}[rule.Method]
	return m, ok
}

// known tells whether the client's user exists, as far as that can be known.
func (l *login) known() bool {
	return l.secret.known || !l.secret.queried && l.access.anyUser() && l.pool.AuthUser == ""
}

// findSecret finds what is known of the user's password: in auth_file, else by auth_query.
func (l *login) findSecret() error {
	if s, ok := l.access.users.Secret(l.user); ok {
		l.secret = secret{text: s.Reveal(), known: true}
		return nil
	}
	// On the console an auth_query without an auth_dbname is a fault of the settings, which PgBouncer tells by an error at once: so it shows who is in auth_file, until the auth_dbname is set.
	if l.pool.AuthUser == "" || l.missing && l.pool.AuthDBName == "" {
		l.unlisted = true
		return nil
	}
	if err := l.inquire(); err != nil {
		return err
	}
	if l.method == config.AuthTrust && !l.secret.known { // trust hides nothing
		return wire.Fatalf(wire.CodeInvalidAuthorization, "no such user")
	}
	return nil
}

// logAttempt writes PgBouncer's line of an attempt to log in.
func (l *login) logAttempt() {
	if l.conf.LogConnections {
		l.tag(l.pooler.log.Info()).Msgf("login attempt: db=%s user=%s tls=%s replication=%s", l.database, l.user, l.secured.text, l.replication.word())
	}
}

// tag names the client in a line of the log.
func (l *login) tag(e *zerolog.Event) *zerolog.Event {
	e = e.Uint64("client", l.id).Str("client_addr", l.addr.String())
	if l.startup != nil {
		e = e.Str("database", l.startup.Database()).Str("user", l.startup.User())
	}
	return e
}
