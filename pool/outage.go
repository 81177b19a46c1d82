package pool

import (
	"math/rand/v2"
	"strings"
	"time"

	"poolerd/wire"
)

const (
	// graceOfOutage is how long clients wait for a PostgreSQL that has gone: a restart shorter than this is not seen by them.
	graceOfOutage = time.Second
	firstPause    = 50 * time.Millisecond
)

// outage is the time from the first attempt to open a server that failed to the next that succeeds. The zero value is: there is none.
type outage struct {
	began    time.Time
	next     time.Time // the next attempt
	failures int
	err      *wire.Error // of the last attempt
}

func (o *outage) on() bool { return o.failures > 0 }

// due tells whether an attempt may be made now.
func (o *outage) due(now time.Time) bool { return !o.on() || !now.Before(o.next) }

// failed records an attempt, and gives the pause until the next: doubled each time up to longest, and up to a quarter less by chance, so that pools
// do not knock in step.
func (o *outage) failed(err *wire.Error, now time.Time, longest time.Duration) time.Duration {
	if o.failures == 0 {
		o.began = now
	}
	o.failures++
	o.err = err
	pause := min(firstPause<<min(o.failures-1, 20), max(longest, firstPause))
	pause -= time.Duration(rand.Int64N(int64(pause)/4 + 1))
	o.next = now.Add(pause)
	return pause
}

// hopeless tells whether waiting is of no use: PostgreSQL has refused for a reason that stays, or has been out of reach for longer than the grace.
func (o *outage) hopeless(now time.Time) bool {
	if !o.on() {
		return false
	}
	return o.final() || now.Sub(o.began) >= graceOfOutage
}

// final tells whether PostgreSQL has refused for a reason that stays.
func (o *outage) final() bool {
	if !o.on() {
		return false
	}
	switch o.err.Code {
	case wire.CodeUnableToEstablish, wire.CodeConnectionFailure, wire.CodeCannotConnectNow, wire.CodeAdminShutdown, wire.CodeTooManyConnections:
		return false
	}
	return true
}

// absent tells whether PostgreSQL has no such database.
func (o *outage) absent() bool { return o.on() && o.err.Code == wire.CodeUndefinedDatabase }

// down tells whether PostgreSQL itself is away, so that the servers which clients still have are of no use to those who wait.
func (o *outage) down() bool {
	return o.on() && (o.err.Code == wire.CodeUnableToEstablish || o.err.Code == wire.CodeCannotConnectNow)
}

// cached is what those are told who come while no attempt is made: in PgBouncer's words, the error of the last attempt. The code is that error's.
func (o *outage) cached() *wire.Error {
	e := *o.err
	e.Message = "server login has been failing, cached error: " + strings.TrimPrefix(e.Message, "server login failed: ") + " (server_login_retry)"
	return &e
}

func (o *outage) over() { *o = outage{} }
