// Package metrics counts. A Totals belongs to whoever guards it; sums only grow, so that a reader takes differences.
package metrics

import "time"

// Totals are the sums of one pool since its start, as SHOW STATS shows them.
type Totals struct {
	Transactions  uint64        // those that no server was needed for too
	Queries       uint64        // requests up to the ReadyForQuery that answers them, those answered here too
	Received      uint64        // bytes from clients
	Sent          uint64        // bytes to clients
	TxTime        time.Duration // that clients had a server
	QueryTime     time.Duration // from sending a request to its last reply
	WaitTime      time.Duration // that clients waited for a server
	Parses        uint64        // of named statements, by clients
	ServerParses  uint64        // of those, sent to servers
	Binds         uint64        // of those, by clients
	Opened        uint64        // servers
	Closed        uint64        // servers
	Errors        uint64        // of the pooler's own, sent to clients
	Waits         uint64        // that took time
	Clients       int           // logged in now
	CopiedIn      uint64
	ServerAssigns uint64 // a server given to a client
	Pinned        int    // clients that keep their server between transactions now, or may after this one
	Pins          uint64 // how often one began to
}

// Minus gives the sums of the time since an earlier reading.
func (t Totals) Minus(u Totals) Totals {
	t.Transactions -= u.Transactions
	t.Queries -= u.Queries
	t.Received -= u.Received
	t.Sent -= u.Sent
	t.TxTime -= u.TxTime
	t.QueryTime -= u.QueryTime
	t.WaitTime -= u.WaitTime
	t.Parses -= u.Parses
	t.ServerParses -= u.ServerParses
	t.Binds -= u.Binds
	t.ServerAssigns -= u.ServerAssigns
	t.Pins -= u.Pins
	return t
}

// Plus gives the sums of two pools.
func (t Totals) Plus(u Totals) Totals {
	t.Transactions += u.Transactions
	t.Queries += u.Queries
	t.Received += u.Received
	t.Sent += u.Sent
	t.TxTime += u.TxTime
	t.QueryTime += u.QueryTime
	t.WaitTime += u.WaitTime
	t.Parses += u.Parses
	t.ServerParses += u.ServerParses
	t.Binds += u.Binds
	t.ServerAssigns += u.ServerAssigns
	t.Pins += u.Pins
	return t
}
