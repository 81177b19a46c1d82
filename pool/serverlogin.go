package pool

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"poolerd/pool/vars"
	"poolerd/wire"
)

// mostInLogin bounds a message of a server that has not let us in yet, in bytes.
const mostInLogin = 1 << 20

// errBehindLogin: nothing may be sent to a client of a server that says more than it was asked.
var errBehindLogin = errors.New("the server said something behind its login")

// loginConn is a connection to PostgreSQL while pgconn logs in on it. It answers requests for authentication itself (serverlogin_auth.go), of which pgconn learns only that it is let in, since
// pgconn knows passwords and nothing else; and it listens in, since pgconn keeps the ParameterStatus messages to itself. Once the login is done it passes everything on.
type loginConn struct {
	net.Conn         // beneath: TCP, a Unix socket, or TLS over a sock.Gate
	id       uint64  // of the Server that it becomes
	launch   *launch // nil after the login
	at       endpoint
	use      tlsUse      // what was to be done about TLS
	secured  *tls.Config // nil: plain
	tls      string      // what was agreed on
	began    time.Time
	auth     conversation // the authentication, until the login is done

	in       []byte     // read, and not looked at yet
	out      []byte     // looked at, and for pgconn
	mu       sync.Mutex // while a message is dealt with, and while it is closed: what is below, and auth
	done     bool       // the server is ready for a query
	closed   bool
	reason   string // why it will be closed
	reported []vars.Reported
}

func (c *loginConn) Read(p []byte) (int, error) {
	for len(c.out) == 0 && !c.done {
		if err := c.hear(); err != nil {
			return 0, err
		}
	}
	from := &c.out
	if len(c.out) == 0 {
		from = &c.in
	}
	if len(*from) > 0 {
		n := copy(p, *from)
		*from = (*from)[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// hear reads what the server says, and deals with the messages that are whole.
func (c *loginConn) hear() error {
	c.in = slices.Grow(c.in, 4096)
	n, err := c.Conn.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed { // pgconn reads on where it has given a login up
		return net.ErrClosed
	}
	for len(c.in) >= wire.HeaderLen && !c.done {
		typ, size, ok := wire.Header(c.in)
		switch {
		case !ok || size > mostInLogin:
			return c.fail(reasonBadHeader, fmt.Errorf("the server sent a message of type %q with an impossible length in its login", typ))
		case len(c.in) < size:
			return c.failedRead(n, err)
		}
		message := c.in[:size]
		c.in = c.in[size:]
		if err := c.take(typ, message); err != nil {
			return err
		}
	}
	return c.failedRead(n, err)
}

// failedRead is the end of a login at an error of the connection. What came with the error is dealt with first.
func (c *loginConn) failedRead(n int, err error) error {
	switch {
	case err == nil || n > 0 && len(c.out) > 0:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return c.fail(reasonConnectTimeout, err)
	case c.reason == "":
		c.reason = reasonServerGone
	}
	return err
}

// take deals with one message.
func (c *loginConn) take(typ byte, message []byte) error {
	body := message[wire.HeaderLen:]
	switch typ {
	case wire.ServerAuthentication:
		pass, err := c.authenticate(body)
		if err != nil || !pass {
			return err
		}
	case wire.ServerParameterStatus:
		if name, value, ok := parameterStatus(body); ok {
			c.reported = append(c.reported, vars.Reported{Name: string(name), Value: string(value)})
		}
	case wire.ServerErrorResponse:
		c.refused(body)
	case wire.ServerReadyForQuery:
		if !c.auth.over {
			return c.cannot(&errLogin{toldBrokenAuth, "protocol error: the server is ready without an authentication"})
		}
		c.done = true
		c.auth.end()
		c.launch.reached(c)
		c.launch = nil
	}
	c.out = append(c.out, message...)
	return nil
}

// refused notes why the server lets nobody in.
func (c *loginConn) refused(body []byte) {
	e, err := wire.ParseError(body)
	if err != nil {
		c.reason = reasonBadError
		return
	}
	c.reason = e.Message
	if c.launch.replication != notReplication {
		c.reason = reasonLoginFailed // PgBouncer's word where only replication may be refused
	}
	c.launch.refused(c, e)
	c.launch.log(c.id, c.at).Warn().Msgf("server login failed: %s %s", e.Severity, e.Message)
}

// fail notes why the connection will be closed.
func (c *loginConn) fail(reason string, err error) error {
	c.reason = reason
	return err
}

// Close closes the connection, and logs why when the login was not done: pgconn closes whatever it cannot use, from two goroutines when a login breaks off.
func (c *loginConn) Close() error {
	c.mu.Lock()
	if !c.done && !c.closed {
		c.closed = true
		if c.reason == "" {
			c.reason = reasonLoginFailed
		}
		c.auth.end()
		c.launch.logClosed(c.id, c.at, c.began, c.reason)
	}
	c.mu.Unlock()
	return c.Conn.Close()
}

// taken tells whether the connection may become a Server: the login was heard to its end, and nothing came behind it.
func (c *loginConn) taken() error {
	switch {
	case !c.done:
		return errors.New("its login was not heard")
	case len(c.in) > 0 || len(c.out) > 0:
		return errBehindLogin
	}
	c.in, c.out = nil, nil
	return nil
}
