// Package wire is PostgreSQL's protocol, version 3.0 and 3.2, as far as a pooler needs it (PostgreSQL's documentation, "Frontend/Backend Protocol"). This is the tour for whoever
// carries the work on.
//
// It refuses to know about settings, logs and pools, does no I/O but where a reader is handed to it, and has no goroutine and no lock. It imports the standard library
// and pgproto3's types only.
//
// # Files
//
//	message   the type bytes, transaction statuses and limits
//	reader    Header and CString, by which the relay frames without decoding; ReadMessage for logins and consoles
//	writer    the Append functions: one message each, added to a slice
//	startup   initial packets: session, SSLRequest, GSSENCRequest, CancelRequest; the negotiation of version and options
//	options   the startup parameter "options"
//	error     Error: what a client sees, with its SQLSTATE
//	pipeline  Pipeline: the tracker of the replies that a server owes
//	trace     messages in the format of libpq's trace, for debugging and golden files
//
// Below it: auth (proofs of passwords, both sides of them), auth/hba (access rules), auth/ldap (directories), secure (TLS, made of PgBouncer's settings), sock (waiting for bytes without a
// buffer, TLS included), lex (how a statement begins), record (the format of recorded traffic), wiretest (conversations as text; tests only).
//
// # Framing
//
// A message is a type byte, four bytes of length that count themselves, and a body. Header gives the length of the whole. The relay looks at headers and leaves bodies where they are, since decoding
// every message would cost more than all else it does. Slices that the functions here return point into what they were given.
//
// # Pipeline
//
// A pooler must never give a server to a client while it owes another one a reply. Pipeline decides that, and is pure: Sent is told of each message on its way to the
// server, Receive of each one from it, both in the order of the wire. What it keeps is a queue of operations:
//
//	For     ForClient: forward the replies. ForPooler: we asked, drop them (but an error, which the client must see). ForNobody: nothing was sent, and the
//	        pooler answers when its turn comes (Turn), so that the client gets its answers in the order of its questions
//	Tag     the caller's: what was assumed when the message was sent, to be undone if it fails
//
// Its questions and their users:
//
//	Idle         nothing is owed, no transaction, no COPY, no doubt, nothing behind the last Sync: another client may have the server
//	Settled      nothing is owed, whatever the transaction's status
//	Expecting    the server will say more without another message from the client: wait for it, else read from the client
//	SkipsToSync  an error happened, and the server ignores everything up to a Sync that is not sent yet
//	NeedsSync    the same, and the client will not send one, since what was skipped would have ended with ReadyForQuery: send ours
//	Doubtful     a ReadyForQuery may or may not come: only to be discarded
//
// The hard parts, with the reasons:
//
//   - After an error in the extended protocol the server skips up to the next Sync. Receive pops what is skipped, gives it by Skipped, and the caller undoes its assumptions, newest first.
//   - An error inside a Query, a FunctionCall or at a Sync skips nothing: ReadyForQuery follows.
//   - COPY in the extended protocol reads Syncs and ignores them, unless it has failed before it reads: then one is answered. That is the doubt; such a server is closed rather than guessed about.
//   - Notices, notifications and ParameterStatus come at any time and answer nothing.
//   - An error that nothing asked for is a server's farewell.
//
// The transaction status is what ReadyForQuery said, never a guess from a statement's text.
//
// # Errors
//
// Error is for clients: lower case, no full stop, naming the limit. Errorf keeps the session, Fatalf ends it. What goes wrong in reading (io.EOF and its kin) stays a Go
// error; a malformed packet is an *Error, since the client is told.
package wire
