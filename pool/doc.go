// Package pool is the pooler: it accepts clients, lends each one a server for the length of a transaction, and passes the bytes between them. This is the tour
// for whoever carries the work on.
//
// It refuses to know about the console's commands, the command line and HTTP: those import it. It never decodes rows.
//
// # Layers
//
//	wire     messages, the startup packet, and Pipeline, the pure tracker of what a server owes (see its own tour)
//	sock     (below wire) waits for bytes without a buffer, with TLS too; the only package that reads and writes by system calls of its own
//	secure   (below wire) TLS, made of the settings
//	auth     (below wire) proofs of passwords, towards clients and towards servers; hba: which proof is asked for; ldap: who else judges it
//	lex      (below wire) how a statement begins
//	record   (below wire) the format of recorded traffic, and what it leaves out
//	stmt     prepared statements: texts known once, names by client, least recently used by server; pure
//	vars     session parameters as Sets; pure
//	ledger   what a transaction did to its session until it is known whether that holds; pure
//	listen   one listening connection for all listeners of a database
//	watch    which functions of a database leave state behind; pure
//	config   the settings
//	metrics  sums
//	pool     this package: the shell around the pure parts
//
// Its files, in the order in which a client meets them. Coming in:
//
//	pooler              Pooler: accepting, who is there, the clock
//	pools               which pools there are
//	lobby               how many may be on their way in
//	effort              what they may take of the processors
//	slow, lane          pauses after failures; the turns in which proofs are judged
//	login               one connection up to its welcome
//	login_startup       TLS, and the startup packet
//	login_access        what rules, users and certificates there are
//	login_authenticate  who it is, and whether it may come in
//	login_methods       how that is proved
//	authquery           asking a database for a user's secret
//	authcache           what it has said, kept for a time
//	credentials         what a login has shown, for the pool's servers
//	login_session       what follows, up to the welcome
//	seats               how many clients there may be
//
// At work:
//
//	client           Client: its states, and its loop
//	doom             how it is ended from outside
//	buffer           where its bytes are read to
//	dispatch         what it sends while it has no server: one flight
//	answer           flights that need no server
//	checkout         taking a server, and giving it back
//	relay            the client's messages on their way to the server
//	names, sqlnames  those of them that name prepared statements; such names in SQL
//	meaning          what a text means where it is parsed
//	exchange         writing a request and reading its replies, in one stay in the poller
//	replies          the server's messages on their way back
//	session          what they say about the client's session
//	settings, reset  session parameters: SET, what servers report; RESET, and the startup packet's values
//	transaction      what the transaction under way has done, and is suspected of
//	stock            what a request leaves to be asked or told when it is answered
//	inspect          asking a server what is left on it
//	pin              why a client keeps its server, policies and limits
//	sequences        currval and lastval
//	hub              LISTEN in transaction mode
//	ddl, shape       what a DDL means for servers; what a client was told of a prepared statement
//	undo, heal       what was assumed and has not happened; a request that is sent a second time
//	attend, idle     a server that speaks while its client waits, or while nobody has it
//	lost, refuse     a server that goes while a client has it; a client whose transaction was lost
//	settle           cleaning up behind a client
//	watched          asking a database for what package watch looks for
//	cancel, peers    cancel keys and cancel requests, and those that belong to another process
//
// Pools, and what bounds them:
//
//	pool                  Pool: free servers, who gets one
//	queue, notify         who waits, and is told so
//	open, age             when a pool opens servers, and when it closes them
//	shares, evict         how many servers a database and a user may have over all pools; an idle one that goes for another pool's client
//	gates                 what the console has said about databases, and what that holds
//	pause, suspend, kill  its commands
//	reconnect, disable    more of them
//	reload                new settings
//	shutdown              the ways to end
//	tend                  limits of time of clients
//	bell                  waiting for a change
//
// Servers:
//
//	connect         pgxpool: how servers come into being
//	connect_launch  the dialling, and TLS
//	connect_error   what clients are told when that fails
//	hosts, resolve  where a server may be reached, and in which order; addresses of hosts, and what is remembered of them
//	serverlogin     the login on a new server; _auth: answering; _secret: what with
//	server          Server: one connection
//	servercheck     whether one that has rested still serves
//	outage          the time without PostgreSQL
//	replication     a server of a client's own; _place: how it gets one under the limits; _relay: what passes
//
// To be seen: snapshot* and stats (the console), reason (the log), console (its sessions, as clients), tap and record (what is copied of the traffic).
//
// # A login
//
// Pooler.listen gives each connection a goroutine, which is the client's until it ends. A login has client_login_timeout for all of it; its messages are short,
// or refused by their length. Which settings, users, rules and certificates count is one snapshot (access), taken at the first byte.
//
// Connections that have not logged in are bounded by max_client_conn, too: one more pushes out an old one (lobby), of the address that has the most of them,
// whatever it waits for: its client, auth_query, an LDAP server. While those that had to go are many, nobody is accepted. Proofs are checked, and handshakes
// computed, few at a time, so that half of the processors are left to those who are in (effort). What comes before TLS is read without a buffer, to its last
// byte, so that nothing that came in plain text counts as encrypted.
//
// Nothing is said of users, databases and administrators before the proof: an unknown user is asked like any other, an unknown database is named afterwards,
// and the errors are alike; the log tells what it was. A failure costs the address that it comes from a pause, from 50 ms to a second, before it is told, and
// once there have been some, few proofs of an address are judged at a time (slow). A user who has logged in from it before has turns of his own (lane), so that
// whoever shares an address with a guesser does not notice him.
//
// auth_query is asked once for all logins of a user that wait, on the pool of auth_user, whose size bounds what a flood can ask of the database; its answers
// are not kept, so that a changed password counts at once (authquery), unless auth_query_cache says so: then those by which a login has proved its password
// are, for its address, and one that a proof does not fit is asked for again (authcache). Package ldap bounds the questions that are under way to a directory.
//
// A client with a proof takes a seat (seats), and finds the Pool of its database and user. The welcome needs to know what a server with the client's parameters
// reports: that is known after the first such login, and else a server is taken for a moment, which also tells whether PostgreSQL accepts the parameters.
//
// # The life of a client
//
// The whole session runs inside one RawConn.Read (sock.Conn.Serve): Client.onReadable is called when there may be something to read. It reads into a buffer of
// the common stock, lets process deal with what is whole, and calls rest before it waits again: then the buffer goes back if it is empty, and an idle client
// holds a goroutine and no buffer.
//
// The states (Client.setState) are for others to see: the clock, the console, a cancel request. StateIdle holds no server. StateWaiting is in the queue.
// StateActive has sent something and waits for the server. StateInTx waits for the client, with a server, or with a deferred BEGIN. What the client's goroutine
// itself decides by is busy (the server it has, or nil), block (a transaction that no server knows of) and skipping.
//
// # One transaction, file by file
//
//  1. dispatch finds the flight at the start of the buffer: messages up to the Sync, Query, FunctionCall or Flush that makes the client wait. Waiting for
//     the whole flight keeps a slow sender from holding a server; one that has stopped for haltLimit may wait for an error, and gets a server for its part.
//  2. answer tries to answer it here: a Parse alone, BEGIN, COMMIT of a BEGIN that no server has seen, SET of values that servers are known to accept,
//     DEALLOCATE, Close. A plan is made on a copy, and made true as a whole or not at all.
//  3. checkout: Pool.acquire gives a free server, one that has the client's parameters by preference, or the client queues. resume puts the parameters that
//     differ ahead, sendBegin the deferred BEGIN. Both only append to what will be written.
//  4. relay walks over the client's messages and tells wire.Pipeline of each. What needs no change is sent from where it was read (span); once a name has to
//     be exchanged or a Parse put ahead, the rest is gathered in out.
//  5. exchange writes from inside the server's Serve callback, after the runtime has armed the descriptor, so that the reply cannot be missed and costs no
//     failed read.
//  6. replies.walk looks at each header. Pipeline.Receive says whether the message is the client's or ours; session takes the few that say something:
//     CommandComplete, ParameterStatus, ErrorResponse, ReadyForQuery.
//  7. afterExchange: if Pipeline.Idle holds, the server goes back to the pool, BEFORE the last replies are written. Whoever waits gets it at once while this
//     client's kernel still takes bytes.
//  8. Whatever else is the case ends in Server.discard with a reason.
//
// # Who owns which bytes, until when
//
// The client's buffer (Client.in) is the client's. span points into it, and so it is not read into before the exchange that sends span has ended; process and
// onReadable keep to that by running one exchange at a time. out is the client's and is used again. A statement's Tail is never changed and may be kept.
//
// The replies' buffer belongs to the server while it is read into, and changes hands once: replies.last takes the memory with what is left to be sent, and
// leaves the server without a buffer. The next client may be reading other replies from that server while the last ones of this client are written. The memory
// goes back to the stock after the write. Between headroom's start and what was read there is room for short answers of our own, which so go out in the same
// write.
//
// # Locks
//
// In this order, and never across I/O but for the first; a deadline may be set under one, since that only tells the runtime:
//
//	Pooler.reloading  one reload or SET at a time, the reading of files included
//	Pooler.ending     one end from outside at a time
//	Pooler.mu         pools, gates, clients, connections, listeners
//	Pool.mu           free servers, counts, queue, hold, sums, settings of the pool
//
// and, each taken last, with no other inside: Client.mu (what other goroutines see of a client), keys.mu (cancel keys), seats.mu, shares.mu (servers of
// databases and users), bell.mu, slowdown.mu, lobby.mu, authQueries.mu, authCache.mu, resolver.mu, consoles.mu and consoleTotals.mu, period.mu, recorder.mu,
// peers.mu, stmt.Table's (references to texts), vars.Space's and vars.Set's, and those inside package listen, which calls back (wakeForNotification, hubLost) without
// holding any.
//
// All else of a Client belongs to its goroutine, all of a Server to whoever has it. A waiter is granted by whoever took it out of the queue, once: its channel
// holds one grant, so that nobody ever blocks on it. Client.doom ends a client from outside: it is set once, then the client is woken by a deadline that has
// passed, out of the queue, or by a cancel of its query, according to its state.
//
// A goroutine that serves a connection is counted in Pooler.accepted, any other that outlives the call that started it in Pooler.tasks; Serve waits for both.
// The recorder, the hubs and a session of the console each have one more, and whoever ends them waits for it.
//
// # Cancel
//
// A client's key is of our own making. cancelOn checks under Client.mu that the server is still the client's and counts itself in (Server.pending); giveBack,
// which takes the server from the client under the same lock, then knows of every request under way, and the server is given to nobody before PostgreSQL has
// closed the request's connection. If that fails, the request might hit anyone later: the server is closed.
//
// # What holds clients
//
// What PAUSE, SUSPEND and KILL do is one word on each Pool (hold): acquire queues, release closes or keeps, open opens nothing. Whoever waits for the effect of
// a command waits for the bell, which rings whenever a server or a client has gone, and looks again; nothing is counted down. A database whose entry is gone,
// and DrainServers, are the other way round (ending): clients are refused.
//
// # What bounds them
//
// Sizes of pools are the Pool's own to keep (open, age). max_db_connections and max_user_connections count servers over all pools (shares): a pool that has
// reached one waits until a server goes, and an idle one of another pool is closed for it (evict). max_client_conn and its like count clients (seats). A client
// that replicates has a place in its pool like a server (replication_place).
//
// Limits of time cost the data path no timer: the clock looks at every client five times a second.
//
// # Reaching PostgreSQL
//
// pgxpool asks pgconn for a connection, and pgconn asks us for all of it but the startup messages (launch): which hosts, in which order, which of their
// addresses, TLS or none. Each combination is a way; pgconn goes them in turn until one lets us in, and takes no other after a refusal that holds for all. What
// it is given to speak on (loginConn) answers PostgreSQL's requests for authentication itself, since it may have no password to give pgconn but a secret, or
// the keys of a client's login; pgconn hears that it was let in. The same way leads to the LISTEN hub's and to replication's servers. A cancel request goes to
// the very address of its server, and over TLS if the server's connection does.
//
// # TLS
//
// package secure makes it of the settings, for both sides. The handshake blocks, as everything in a login does, and has its part of a login's effort only
// while it computes (secure.Pace); from then on the connection waits in the poller as a plain one does.
//
// sock.Conn reads record after record, so that a short read means that nothing is left (sock.Conn.Drained), and a write may have been taken as a whole and
// still be on its way (ErrWait with all bytes counted), which startWriter sends on.
//
// # Replication
//
// A replication client (PostgreSQL's documentation, "Streaming Replication Protocol") has a server of its own, opened with its own startup parameters, and
// every byte is passed on as it is. It waits for a place in its pool with all others, first come first served; a server that is idle, or comes free before
// anyone's turn who has waited longer, is closed for it. Two goroutines pass bytes, one each way; the client's own waits for the other.
//
// # Outages
//
// A server that goes while it owes replies (serverLost): the client is answered in the server's place, an error and as many ReadyForQuery as are owed, and
// stays. If it was in a transaction, block becomes blockFailed, and refuse plays PostgreSQL's failed transaction until the client ends it. A COMMIT that was
// lost is 08007, since nobody knows. A client that keeps its server has lost its session, and is closed.
//
// While PostgreSQL is out of reach a pool makes one attempt at a time, with pauses that grow from 50 ms to server_login_retry; whoever asks waits for a second
// (graceOfOutage), and is then told at once. The success of an attempt ends the outage, and up to openAtOnce connections are opened at a time for those who
// wait: no login storm. A login that already waited when the outage began goes on waiting, for query_wait_timeout at most, as with PgBouncer: nothing is lost
// by that, and whoever connects while PostgreSQL restarts does not notice. A refusal that stays, a wrong password or a database that is not there, is told to
// everyone at once.
//
// # Decisions
//
// The deferred BEGIN is sent without a Sync, as Parse (where the server lacks it), Bind and Execute ahead of the client's own messages. If it fails, PostgreSQL
// skips everything up to the next Sync: nothing of the client's flight is carried out outside a transaction, and the error answers the client's statement.
// PostgreSQL ends BEGIN's own command before it reads on, so a simple Query may follow too; where that Query was skipped with the rest no Sync would come, and
// Pipeline.NeedsSync asks for one of ours.
//
// Session parameters are interned Sets: one pointer for equal contents, so that whether a server has the client's is one comparison on the data path. A Set is
// learned from the statement and its CommandComplete; the ledger follows savepoints, and at COMMIT what stands in it is the client's. Only where PostgreSQL is
// certain to accept the difference (vars.Sure) does it go ahead in the same write, as a simple Query whose replies are dropped; else it is carried out first. A
// prelude that fails nevertheless costs the server, since what followed ran without it.
//
// Session state that cannot be carried is never guessed from a parse. lex.Mark looks for words in each text, in one pass that costs a few tens of nanoseconds,
// and for named statements once. A transaction whose texts had such words is looked at when it is over, on the server that is about to be given back: one
// question for temporary objects, advisory locks, cursors and SQL's PREPARE, another for parameters that functions have set. What is found pins the client
// (pin.go); when a later text may have taken it away, the server is asked again. Whoever has none of these words pays nothing. What a text does through
// functions of other names is package watch's affair.
//
// A LISTEN is carried out by the transaction's server like any statement, which so judges it; the hub listens before its COMMIT is sent, so that nothing is
// missed that can be noticed by whoever sees the transaction. Notifications come from the hub alone. Those that a listener's transaction may know of, its own
// and others', come before its ReadyForQuery, as PostgreSQL has them: a round trip on the hub's connection (Member.Barrier) that begins after COMMIT was
// answered brings all that was notified before, since PostgreSQL signals listeners before it answers.
//
// Prepared statements are virtual. A client's name stands for a text; each server has prepared some texts under names of ours; what lacks is put ahead at Bind,
// inside the transaction, since names resolve under the search_path and the role that it has set. Texts under another search_path or role are other statements
// (stmt.Statement.Meaning). What was assumed when a message was sent is undone when Pipeline says that the server has failed at it or skipped it (Client.undo).
// After a DDL every server's statements are prepared anew; a client that was told another shape before is told so by 0A000, which drivers understand
// (shape.go).
//
// Reads are armed: nobody reads to find nothing. The price is that the poller announces a thing once (edge triggered): after a read that filled less than the
// buffer nothing is left, but an end that came together with the last bytes must be found by reading on (replies) or by asking the kernel (sock.Conn.Gone, from
// the clock).
//
// pgxpool lends each connection once: free servers are the Pool's own, since min_pool_size, server_lifetime, eviction and the log's reasons need to see them
// all. The Pool bounds them as well, so that a RELOAD changes sizes without a new pgxpool. A new one is what RECONNECT and another address come to: servers of
// an older generation are closed when they are released.
//
// # Debugging
//
// SHOW CLIENTS and SHOW SERVERS tell who has whom, and why a client keeps its server. The log names a reason (reason.go) for every end. A wrong order of
// replies shows best in a conversation (wire/wiretest) run direct and through the pooler; wire.AppendTrace writes messages as libpq does. A server that "broke
// the protocol" means that Pipeline and PostgreSQL disagree: find the message in the trace and make it a row of Pipeline's table test. SIGABRT ends the process
// and shows where every goroutine waits: a client in onReadable under RawRead is idle, one in exchange waits for its server, one in acquire for the queue.
package pool
