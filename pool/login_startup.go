package pool

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"poolerd/wire"
	"poolerd/wire/secure"
	"poolerd/wire/sock"
)

// How a connection comes to its startup packet (PostgreSQL's documentation, "Message Flow", "SSL Session Encryption").
//
// Nothing that came in plain text may be taken for part of a session that is encrypted. So the packets before TLS are read without a buffer, exactly to their last byte: what an
// attacker has put behind an SSLRequest stays in the kernel, where only the handshake finds it, which it breaks. A client never speaks before it has its answer; where bytes are there all
// the same it is refused at once, and told why.

// longestName bounds the names of users and databases, in bytes. PostgreSQL's end after 63; PgBouncer takes users of this length.
const longestName = 127

// securedConn is the TLS side of a login.
type securedConn struct {
	conn *tls.Conn // nil: plain text
	text string    // version and cipher as the log and the console show them; "no" without TLS
}

// readStartup reads packets up to one that begins a session, or a cancel request, which is carried out.
func (l *login) readStartup() error {
	l.secured.text = "no"
	if err := l.directTLS(); err != nil {
		return err
	}
	answered := [...]bool{wire.RequestSSL: false, wire.RequestGSSENC: false}
	for {
		s, err := wire.ReadStartup(l.conn)
		if err != nil {
			return err
		}
		switch s.Kind {
		case wire.RequestSSL, wire.RequestGSSENC:
			if answered[s.Kind] {
				return wire.Fatalf(wire.CodeProtocolViolation, "%s was answered before", s.Kind)
			}
			answered[s.Kind] = true
			if err := l.answerRequest(s.Kind); err != nil {
				return err
			}
		case wire.RequestCancel:
			l.startup = s
			l.cancel(cancelKey{s.CancelPID, s.CancelSecret})
			return nil
		default:
			return l.negotiate(s)
		}
	}
}

// directTLS lets a client begin with its handshake at once (sslnegotiation=direct): no startup packet is as long as one that began with this byte.
func (l *login) directTLS() error {
	if l.access.tls == nil || l.local() {
		return nil
	}
	switch first, err := sock.Peek(l.socket); {
	case errors.Is(err, errors.ErrUnsupported):
		return nil
	case err != nil:
		return err
	case first == tlsHandshake:
		return l.handshake(true)
	}
	return nil
}

// tlsHandshake is the first byte of a TLS handshake (RFC 8446, 5.1).
const tlsHandshake = 0x16

// answerRequest answers an SSLRequest, by a handshake where TLS is on, or a GSSENCRequest, always by no.
func (l *login) answerRequest(kind wire.RequestKind) error {
	if l.secured.conn != nil && kind == wire.RequestSSL {
		return wire.Fatalf(wire.CodeProtocolViolation, "SSL req inside SSL")
	}
	if l.secured.conn == nil && sock.Pending(l.socket) {
		err := wire.Fatalf(wire.CodeProtocolViolation, "received unencrypted data after %s request", map[wire.RequestKind]string{wire.RequestSSL: "SSL", wire.RequestGSSENC: "GSSAPI encryption"}[kind])
		err.Detail = "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack."
		return err
	}
	if kind == wire.RequestGSSENC || l.access.tls == nil || l.local() {
		_, err := l.conn.Write([]byte{'N'})
		return err
	}
	if _, err := l.conn.Write([]byte{'S'}); err != nil {
		return err
	}
	return l.handshake(false)
}

// handshake makes the connection a TLS one. A client that fails has its answer in TLS's alert: nothing could be said to it in plain text.
func (l *login) handshake(direct bool) error {
	ctx, stop := l.context()
	defer stop()
	c, err := l.access.tls.Handshake(ctx, l.socket, direct, &l.pooler.effort)
	switch {
	case errors.Is(err, io.EOF):
		return err
	case err != nil && ctx.Err() == nil:
		l.tag(l.pooler.log.Warn()).Err(err).Msg("TLS handshake failed")
		return &refusal{reason: reasonTLSFailed}
	case err != nil:
		return &refusal{reason: reasonLoginTimeout}
	}
	l.conn, l.secured = c, securedConn{conn: c, text: secure.Describe(c.ConnectionState())}
	return nil
}

// negotiate settles the session that a startup packet asks for.
func (l *login) negotiate(s *wire.Startup) error {
	l.startup = s
	version, reply, refused := s.Negotiate()
	if refused != nil {
		return refused
	}
	if l.secured.conn == nil && !l.local() && l.access.tls != nil && l.access.tls.Settings().Mode >= secure.Require {
		return wire.Fatalf(wire.CodeInvalidAuthorization, "SSL required")
	}
	switch {
	case len(s.User()) > longestName:
		return tooLong(s, "username")
	case len(s.Database()) > longestName:
		return tooLong(s, "database name")
	}
	l.version = version
	if len(reply) > 0 {
		if _, err := l.conn.Write(reply); err != nil {
			return err
		}
	}
	if l.replication, refused = replicationOf(s); refused != nil {
		return refused
	}
	return nil
}

// tooLong refuses a name, and takes care that it is in no line of the log.
func tooLong(s *wire.Startup, what string) error {
	for i := range s.Params {
		if p := &s.Params[i]; len(p.Value) > longestName {
			p.Value = fmt.Sprintf("(%d bytes)", len(p.Value))
		}
	}
	return wire.Fatalf(wire.CodeInvalidAuthorization, "%s too long", what)
}

// local tells whether the client came over a Unix socket, where TLS is neither offered nor required, as in PgBouncer and PostgreSQL.
func (l *login) local() bool { return isLocal(l.addr) }

// peerAddr is how a client is called in the log and on the console: its address, and over a Unix socket, where it has none, its process and the socket's port, as PgBouncer writes it.
func peerAddr(nc net.Conn) net.Addr {
	addr := nc.RemoteAddr()
	if !isLocal(addr) {
		return addr
	}
	_, _, pid, err := sock.PeerCredentials(nc)
	if err != nil {
		return addr
	}
	path := nc.LocalAddr().String()
	return &net.UnixAddr{Net: addr.Network(), Name: fmt.Sprintf("unix(%d):%s", pid, path[strings.LastIndexByte(path, '.')+1:])}
}

func isLocal(addr net.Addr) bool { return addr.Network() == "unix" }
