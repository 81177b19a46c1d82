package pool

import (
	"os/user"
	"strconv"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/auth"
	"poolerd/wire/auth/hba"
	"poolerd/wire/secure"
	"poolerd/wire/sock"
)

// proveNothing is auth_type = any: the client's name means nothing, and the database must say as whom it is served.
func (l *login) proveNothing() error {
	if l.console || l.missing {
		return nil
	}
	if l.pool.Database.User == "" {
		return l.misconfigured("auth_type=any requires forced user")
	}
	l.user = l.pool.Database.User
	return nil
}

// rejected is what a client is told whom a rule turns away: PgBouncer's words, and whether it came in plain text as PostgreSQL's end, by which a driver knows to try with TLS.
func (l *login) rejected() error {
	const reason = "login rejected"
	if l.secured.conn != nil {
		return wire.Fatalf(wire.CodeInvalidAuthorization, reason)
	}
	return &refusal{reason: reason, answer: wire.Fatalf(wire.CodeInvalidAuthorization, reason+": no encryption")}
}

// misconfigured refuses a login that the settings make impossible. The client is told no more than that; why is in the log.
func (l *login) misconfigured(why string) error {
	l.tag(l.pooler.log.Error()).Msg(why)
	return errMisconfigured()
}

func errMisconfigured() *wire.Error {
	return wire.Fatalf(wire.CodeInternalError, "bouncer config error")
}

// proveByPassword is the conversation of the methods that want a password, or what proves that one is known.
func (l *login) proveByPassword() error {
	method := map[config.AuthType]auth.Method{config.AuthSCRAM: auth.SCRAM, config.AuthMD5: auth.MD5, config.AuthPlain: auth.Plain}[l.method]
	x := l.pooler.auth.Begin(method, l.conf.SCRAMIterations, l.secret, l.user)
	defer x.Zero()
	if l.secured.conn != nil {
		x.Bind(l.access.tls.EndPoint())
	}
	most := mostProof
	if method == auth.Plain {
		most = mostPassword
	}
	if _, err := l.conn.Write(x.Start()); err != nil {
		return err
	}
	for {
		body, err := l.readPassword(most)
		if err != nil {
			return err
		}
		if x.Decides() {
			if err := l.takeTurn(); err != nil {
				return err
			}
		}
		reply, done, refused, err := l.judge(x, body)
		if refused != nil && l.secret.queried && l.inquiry.asked.IsZero() {
			reply, done, refused, err = l.judgeAfresh(x, body, refused)
		}
		clear(body)
		if err != nil {
			return err
		}
		if refused != nil {
			return l.wrongPassword(refused, x.SASL())
		}
		if len(reply) > 0 {
			if _, err := l.conn.Write(reply); err != nil {
				return err
			}
		}
		if done {
			l.learn(x)
			l.keepAnswer()
			return nil
		}
	}
}

// judge takes a message to an exchange once it is this login's turn: what a proof costs to check, a millisecond with some methods, is spent for few at a time, and not for one that was pushed out.
func (l *login) judge(x *auth.Exchange, body []byte) (reply []byte, done bool, refused *wire.Error, _ error) {
	ctx, stop := l.context()
	defer stop()
	end, err := l.pooler.effort.Begin(ctx)
	if err != nil {
		return nil, false, nil, loginOver(err)
	}
	defer end()
	reply, done, refused = x.Next(body)
	return reply, done, refused, nil
}

// judgeAfresh is for a proof that does not fit a kept answer of auth_query's: the database is asked, and where it says otherwise by now the proof is judged by that. By SCRAM it cannot be, where the
// client has been given the salt of a password that has been changed since: this one attempt fails, and the next one finds no answer kept. While the database does not answer the kept answer
// holds. The query is the one that an attempt without a kept answer costs, too.
func (l *login) judgeAfresh(x *auth.Exchange, body []byte, refused *wire.Error) (reply []byte, done bool, _ *wire.Error, _ error) {
	before := l.secret.text
	if refused.Code != wire.CodeInvalidPassword || l.ask() != nil || l.secret.text == before || !x.Renew(l.secret) {
		return nil, false, refused, nil
	}
	return l.judge(x, body)
}

// readPassword reads the body of a client's next message, which must be of a login, and of most bytes at most.
func (l *login) readPassword(most int) ([]byte, error) {
	typ, body, err := wire.ReadMessage(l.conn, most)
	if err != nil {
		return nil, err
	}
	if typ != wire.ClientPassword {
		return nil, wire.Fatalf(wire.CodeProtocolViolation, "expected a password message, got message type %d", typ)
	}
	return body, nil
}

// learn keeps what the exchange has shown of the password, for the servers of the client's pool.
func (l *login) learn(x *auth.Exchange) {
	if password, ok := x.Password(); ok {
		l.proved.Secret = config.NewSecret(password)
	}
	if keys, ok := x.Keys(); ok {
		kept := keys.Clone()
		l.proved.Keys = &kept
	}
}

// wrongPassword tells of a proof that is none. The message is PostgreSQL's, the log's words and the detail are PgBouncer's: fail2ban looks for a line that ends
// in them. Where auth_query is asked nobody is told whether it found the user; the log says it.
func (l *login) wrongPassword(err *wire.Error, sasl bool) error {
	if err.Code != wire.CodeInvalidPassword {
		return err
	}
	const failed = "password authentication failed"
	answer, reason := *err, failed
	if sasl {
		reason = "SASL authentication failed"
		answer.Detail = reason
		l.tag(l.pooler.log.Error()).Msg(failed)
	}
	if l.pool.AuthUser != "" {
		answer.Detail = reason + ": wrong password, or no such user"
	}
	r := &refusal{reason: reason, answer: &answer, logged: reason}
	if l.secret.queried && !l.secret.known {
		r.reason = "no such user"
	}
	return r
}

// proveByCertificate is the method cert: the certificate that TLS has verified names the user, or a name that a map lets be the user.
func (l *login) proveByCertificate() error {
	failed := errCertificate()
	if l.secured.conn == nil {
		l.tag(l.pooler.log.Error()).Msg("TLS connection required")
		return failed
	}
	name, ok := secure.CommonName(l.secured.conn.ConnectionState())
	switch {
	case !ok:
		l.tag(l.pooler.log.Error()).Msg("TLS client certificate required")
		return failed
	case !l.known():
		return failed
	case l.rule.Map != "" && !l.mapAllows(name):
		l.tag(l.pooler.log.Error()).Msgf("ident map: %s does not have a match", l.rule.Map)
		return failed
	case l.rule.Map == "" && name != l.user:
		l.tag(l.pooler.log.Error()).Msg("TLS certificate name mismatch")
		return failed
	}
	return nil
}

func errCertificate() *wire.Error {
	return wire.Fatalf(wire.CodeInvalidAuthorization, "certificate authentication failed")
}

// checkCertificate sees to the option clientcert of a rule, which wants a certificate beside the method's own proof.
func (l *login) checkCertificate() error {
	if l.rule.ClientCert == hba.AnyCert {
		return nil
	}
	if l.secured.conn == nil {
		return errCertificate()
	}
	state := l.secured.conn.ConnectionState()
	if len(state.VerifiedChains) == 0 {
		return errCertificate()
	}
	if name, ok := secure.CommonName(state); l.rule.ClientCert == hba.VerifyFull && (!ok || l.rule.Map == "" && name != l.user || l.rule.Map != "" && !l.mapAllows(name)) {
		return errCertificate()
	}
	return nil
}

// mapAllows tells whether auth_ident_file lets the one whom the system calls name be the client's user.
func (l *login) mapAllows(name string) bool {
	return name != "" && l.access.Idents != nil && l.access.Idents.Allows(l.rule.Map, name, l.user)
}

// proveByPeer is the method peer: the system says whose process is at the other end of the Unix socket.
func (l *login) proveByPeer() error {
	failed := wire.Fatalf(wire.CodeInvalidAuthorization, "unix socket login rejected")
	if !l.local() || !l.known() {
		return failed
	}
	uid, _, _, err := sock.PeerCredentials(l.socket)
	if err != nil {
		l.tag(l.pooler.log.Error()).Err(err).Msg("the system does not tell who is at the other end of the unix socket")
		return failed
	}
	account, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		l.tag(l.pooler.log.Error()).Err(err).Msg("the system user at the other end of the unix socket has no name")
		return failed
	}
	switch {
	case l.rule.Map != "" && !l.mapAllows(account.Username):
		l.tag(l.pooler.log.Error()).Msgf("ident map %s cannot be matched", l.rule.Map)
		return failed
	case l.rule.Map == "" && account.Username != l.user:
		return failed
	}
	return nil
}

// proveByLDAP asks for the password and lets an LDAP server judge it.
func (l *login) proveByLDAP() error {
	if _, err := l.conn.Write(auth.PasswordRequest()); err != nil {
		return err
	}
	body, err := l.readPassword(mostPassword)
	if err != nil {
		return err
	}
	password, refused := auth.ParsePassword(body)
	clear(body)
	if refused != nil { // an empty one, too, which an LDAP server takes for an anonymous login, and lets in
		return refused
	}
	if err := l.takeTurn(); err != nil {
		return err
	}
	ctx, stop := l.context()
	defer stop()
	if err := l.access.LDAP(l.rule).Check(ctx, l.user, password); err != nil {
		l.tag(l.pooler.log.Warn()).Err(err).Msg("LDAP server refused the login")
		return wire.Fatalf(wire.CodeInvalidPassword, "LDAP authentication failed")
	}
	l.secret.known = true
	l.proved.Secret = config.NewSecret(password)
	return nil
}
