package workload

import "time"

// Protocol says how statements travel.
type Protocol uint8

const (
	// Prepared parses each statement once a connection, under a name (Parse and Sync, then Bind, Describe, Execute and Sync), and later only
	// binds it. It is PostgREST's default.
	Prepared Protocol = iota
	// Unprepared sends Parse, Bind, Describe, Execute and Sync in one flight, each time.
	Unprepared
	// Simple sends Query messages with the parameters written into the text as literals.
	Simple
)

// Workload is what clients say: transactions, each with its share.
type Workload struct {
	Name         string // as on the command line: "postgrest", "select-only", or the name of the user's file
	Doc          string // one line: what it stands for
	Transactions []Transaction

	// Setup is SQL that a superuser of the target runs once, before the first measurement, and that may be run again: tables that the workload
	// wants. Empty for the workloads of the sample, which is loaded already.
	Setup string
	// Restore are statements that a superuser of a server that is the bench's own runs between two runs, each by itself, so that every run meets
	// the data that the first one met. They take away what the workload has added.
	Restore []string
	// Role is the role that the clients should log in as on a private PostgreSQL: "authenticator" for PostgREST's workloads, "postgres" for others.
	Role string
	// Listeners is, for the fan-out of notifications, how many connections of each client listen; else 0. See Fanout in the package client.
	Listeners int
}

// Transaction is one thing that a client does, and that latency is measured of. It is read only once made.
type Transaction struct {
	Name   string   // "get-by-pk"
	Share  float64  // its weight among the workload's transactions, above 0; shares need not add up to 1 or 100
	Expect []string // SQLSTATEs that are part of the load, not failures: "23505" of post's duplicate keys

	// Connect makes each run open a connection first and close it at the end, all of it counted in the latency.
	Connect bool

	steps   []step
	program // what the steps refer to
}

// Flight is what a client sends in one go, and what it then waits for.
type Flight struct {
	Pause time.Duration // before it is sent: a script's \sleep; beside the think time of the load
	Data  []byte        // whole messages, in the buffer that the caller gave; empty when there is only a pause
	// Ready is how many ReadyForQuery end the replies; 0 with Data only where CopyIn is set.
	Ready int
	// CopyIn makes the client wait for CopyInResponse instead. An error with ReadyForQuery may come in its place.
	CopyIn bool
	// Rows tells that the session wants to see the rows (\gset): the last row of the flight goes to Outcome.
	Rows bool
}

// Outcome is how a flight ended.
type Outcome struct {
	Code   string // SQLSTATE of its first ErrorResponse, "" when there was none
	Status byte   // of the last ReadyForQuery: 'I', 'T' or 'E'; 0 after CopyInResponse
	// Columns and Row are the names and the text values (nil: NULL) of the last row, where the flight asked for Rows and there was one.
	Columns []string
	Row     []*string
}
