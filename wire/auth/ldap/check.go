package ldap

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// placeholder stands for the user's name in a search filter.
const placeholder = "$username"

// ErrRefused is in the error of a Check when the server said no: there is no such user, or more than one, or the password is wrong. Without it the servers could not be asked.
var ErrRefused = errors.New("LDAP login failed")

// Check asks whether password is user's. Nil is yes. It tries the servers in turn until one can be connected to, and waits for its turn when many ask at the same time.
// The error is for the log: it names the server and the user, and never the password.
func (o Options) Check(ctx context.Context, user, password string) error {
	if user == "" || password == "" { // servers take a bind without a password for one that wants no authentication, and say yes
		return fmt.Errorf("%w: empty user name or password", ErrRefused)
	}
	if strings.ContainsRune(user, 0) {
		return fmt.Errorf("%w: zero byte in user name", ErrRefused)
	}
	if o.slots == nil {
		return errors.New("no LDAP options")
	}
	select {
	case o.slots <- struct{}{}:
		defer func() { <-o.slots }()
	case <-ctx.Done():
		return fmt.Errorf("waiting for other LDAP logins: %w", context.Cause(ctx))
	}
	s, err := o.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	name := o.prefix + ldap.EscapeDN(user) + o.suffix
	var missing error
	if o.baseDN != "" {
		if name, missing, err = o.search(s.conn, user); err != nil {
			return s.wrap(err)
		}
	}
	err = s.conn.Bind(name, password)
	switch {
	case missing != nil:
		return s.wrap(missing) // was bound in vain, so that a user who does not exist takes as long
	case refusal(err):
		return s.wrap(fmt.Errorf("%w for user %q: %w", ErrRefused, name, err))
	case err != nil:
		return s.wrap(fmt.Errorf("bind of %q: %w", name, err))
	}
	return nil
}

// refusal tells whether a server has answered and said no, from not having been able to answer.
func refusal(err error) bool {
	return ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInvalidDNSyntax, ldap.LDAPResultInappropriateAuthentication,
		ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultConstraintViolation)
}

// search looks for the user's entry. When there is not exactly one, missing says so, and name is one that does not exist.
func (o Options) search(conn *ldap.Conn, user string) (name string, missing, err error) {
	if o.bindPassword == "" {
		err = conn.UnauthenticatedBind(o.bindDN)
	} else {
		err = conn.Bind(o.bindDN, o.bindPassword)
	}
	if err != nil {
		return "", nil, fmt.Errorf("could not perform initial LDAP bind for ldapbinddn %q: %w", o.bindDN, err)
	}
	filter := o.filterFor(user)
	const attributes = "1.1" // none (RFC 4511, 4.5.1.8): only the name is of use
	request := ldap.NewSearchRequest(o.baseDN, o.scope, ldap.NeverDerefAliases, 2, int(answerTimeout/time.Second), false, filter, []string{attributes}, nil)
	result, err := conn.Search(request)
	if err != nil && !ldap.IsErrorAnyOf(err, ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultNoSuchObject) {
		return "", nil, fmt.Errorf("could not search LDAP for filter %q: %w", filter, err)
	}
	switch {
	case err == nil && len(result.Entries) == 1 && result.Entries[0].DN != "":
		return result.Entries[0].DN, nil, nil
	case err == nil && len(result.Entries) == 0 || ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
		missing = fmt.Errorf("%w: LDAP user %q does not exist", ErrRefused, user)
	default:
		missing = fmt.Errorf("%w: LDAP user %q is not unique", ErrRefused, user)
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails, says crypto/rand
	return "cn=" + hex.EncodeToString(random[:]) + "," + o.baseDN, missing, nil
}

// filterFor puts the user's name, escaped, in the filter.
func (o Options) filterFor(user string) string {
	return strings.ReplaceAll(o.filter, placeholder, ldap.EscapeFilter(user))
}

// session is a connection to a server.
type session struct {
	conn *ldap.Conn
	addr string
	stop func() bool // the context's hold on the connection
}

func (s *session) close() {
	s.stop()
	_ = s.conn.Close()
}

func (s *session) wrap(err error) error { return fmt.Errorf("LDAP server %s: %w", s.addr, err) }

// connect gives a session with the first server that takes one.
func (o Options) connect(ctx context.Context) (*session, error) {
	addrs, err := o.addresses(ctx)
	if err != nil {
		return nil, err
	}
	var problems []error
	for _, addr := range addrs {
		s, err := o.dial(ctx, addr)
		if err == nil {
			return s, nil
		}
		problems = append(problems, fmt.Errorf("LDAP server %s: %w", addr, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(problems...)
}

// addresses gives host:port of the servers.
func (o Options) addresses(ctx context.Context) (list []string, _ error) {
	for _, host := range o.hosts {
		list = append(list, net.JoinHostPort(host, strconv.Itoa(o.port)))
	}
	if len(list) > 0 {
		return list, nil
	}
	domain := domainOf(o.baseDN)
	_, records, err := net.DefaultResolver.LookupSRV(ctx, "ldap", "tcp", domain)
	if err != nil || len(records) == 0 {
		return nil, fmt.Errorf("LDAP authentication could not find DNS SRV records for %q", domain)
	}
	for _, r := range records {
		list = append(list, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))))
	}
	return list, nil
}

// dial connects, with TLS when that is asked for. The session ends with the context.
func (o Options) dial(ctx context.Context, addr string) (*session, error) {
	host, _, _ := net.SplitHostPort(addr)
	within, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	nc, err := (&net.Dialer{}).DialContext(within, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if o.ldaps {
		tc := tls.Client(nc, o.trust.config(host))
		if err := tc.HandshakeContext(within); err != nil {
			_ = nc.Close()
			return nil, fmt.Errorf("TLS: %w", err)
		}
		nc = tc
	}
	conn := ldap.NewConn(nc, o.ldaps)
	conn.SetTimeout(answerTimeout)
	conn.Start()
	s := &session{conn: conn, addr: addr, stop: context.AfterFunc(ctx, func() { _ = nc.Close() })}
	if o.startTLS {
		conn.SetTimeout(connectTimeout)
		if err := conn.StartTLS(o.trust.config(host)); err != nil {
			s.close()
			return nil, fmt.Errorf("could not start LDAP TLS session: %w", err)
		}
		conn.SetTimeout(answerTimeout)
	}
	return s, nil
}
