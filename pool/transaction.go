package pool

import (
	"poolerd/pool/ledger"
	"poolerd/pool/listen"
	"poolerd/pool/vars"
	"poolerd/wire/lex"
)

// transaction is what the transaction under way has done to the session, and what it is suspected of. Outside a transaction all of it is zero. It belongs to the client's goroutine.
type transaction struct {
	ledger ledger.Ledger // SETs and LISTENs that are not committed

	// Suspicions: what the words of its texts reveal. The server is asked when it is over.
	marks     lex.Marks
	configs   []string // session parameters that functions may have set
	anyConfig bool     // and others, whose names are not known
	ddl       bool     // the schema may have changed
	defaults  bool     // and what sessions begin with
	listens   bool     // a LISTEN whose channel is not known
	joined    bool     // the hub already listens for what is not committed yet

	// What names mean in it.
	within  *vars.Set // the parameters that it runs with; nil: the client's
	path    string    // stands for a search_path that a function has set for it
	inDoubt bool      // search_path, role or channels depend on what was sent and is not carried out yet
	forgets bool      // so do the names of prepared statements

	// RESET, see reset.go.
	resets  bool            // the server has its own default where the client's startup packet has another value
	told    []vars.Reported // what the client believed before that
	adopted bool            // that was put right: the server has what the client has
}

// listening is what the client listens to in transaction mode, see hub.go.
type listening struct {
	member    *listen.Member   // of the database's hub, once it has listened
	listensTo []string         // the channels of its committed LISTENs
	channels  []ledger.Channel // LISTENs and UNLISTENs that are committed, and that the hub is not told of yet
}
