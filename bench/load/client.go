package load

import "context"

// Client is one client's side of a load: it runs one transaction at a time, on connections of its own. One goroutine uses it.
type Client interface {
	// Run runs one transaction to its end. A client whose connection was lost opens another in its next Run, whose latency that counts in.
	// It returns soon after ctx has ended.
	Run(ctx context.Context) Done
	// Close ends the client's connections as a well-behaved client does.
	Close() error
}

// Done is how a transaction ended.
type Done struct {
	Name string // of the transaction: a string that lives on, taken from the workload
	// Code is empty for success, else the SQLSTATE of its first error. What is no SQLSTATE stands in lower case: "lost" for a connection that
	// broke, "connect" for one that could not be made, "timeout", "undelivered" for a notification that never came, "script" for one that is wrong itself, "http-503" for a status.
	Code     string
	Text     string // the error's own words, for the first few of each code; never parameters
	Expected bool   // the error is part of the load (Transaction.Expect): counted under its code, and as a transaction that succeeded
}
