package pool

import (
	"context"
	"errors"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/wire"
)

// connectError says why a server cannot be had. It names no address, but where PostgreSQL's own words do, and no password.
//
// The words of an error are PgBouncer's where PgBouncer has some. PostgreSQL's stand behind "server login failed: ": PostgREST ends itself at a message that begins as
// PostgreSQL's own about a wrong password does, since it takes it for one about its own.
func connectError(err error) *wire.Error {
	var refused *pgconn.PgError
	var login *errLogin
	var lookup *errLookup
	var netErr net.Error
	switch {
	case errors.As(err, &refused):
		e := wire.Errorf(wire.Code(refused.Code), "server login failed: %s", refused.Message)
		if e.Code == wire.CodeInvalidPassword {
			e.Hint = "this is the pooler's own login: PostgreSQL does not accept the password that the pooler has"
		}
		return e
	case errors.As(err, &login):
		return wire.Errorf(wire.CodeInvalidAuthorization, "%s", login.told)
	case errors.Is(err, context.Canceled):
		return wire.Errorf(wire.CodeAdminShutdown, "the pooler is shutting down")
	case errors.As(err, &lookup):
		return wire.Errorf(wire.CodeUnableToEstablish, "server is not available: server DNS lookup failed")
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return wire.Errorf(wire.CodeUnableToEstablish, "server is not available: connection refused")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return wire.Errorf(wire.CodeUnableToEstablish, "server is not available: server_connect_timeout passed")
	case errors.Is(err, errNoTLS):
		return wire.Errorf(wire.CodeUnableToEstablish, "server is not available: it has no TLS (server_tls_sslmode)")
	}
	return wire.Errorf(wire.CodeUnableToEstablish, "server is not available: the connection failed during the login")
}
