// Package listen lets many clients LISTEN through one server. A Hub has at most one connection to one database, which listens to every channel that any of its Members listens to, and
// puts each notification into the mailboxes of those that do (PostgreSQL's documentation, "NOTIFY", "LISTEN", "Asynchronous Operation" in the protocol).
//
// It refuses to know about clients' sockets, transactions and SQL: whoever asks decides when a LISTEN counts, and takes what waits to its client when that client may hear it.
//
// # Files
//
//	hub        Hub, its options and what it tells of itself       member   Member: what one client asks for
//	roster     who listens to what; pure                          mailbox  what waits for one Member
//	run        the Hub's goroutine: connecting, batches, the end  batch    what is sent in one round trip, and settling it
//	session    one connection: reading                            note     one notification, encoded once
//
// # Two goroutines
//
// The Hub's own goroutine (run) lives from New to Close. When something is asked for it connects, and then sends one batch after the other: what is asked for while
// a batch is under way makes up the next one. A batch is a simple Query for each LISTEN and UNLISTEN, so that each fails by itself, and a Sync, in one write. The
// second goroutine (session.read) lives as long as the connection and is the only one that reads it, so that neither notifications nor the end of the
// connection wait for anybody. The connection is pgconn's up to the login, and then ours by Hijack: pgconn has no way to wait for notifications that another goroutine may
// interrupt without a round of deadlines.
//
// # What holds, and why
//
// Barrier. PostgreSQL signals the listening servers before COMMIT is answered, and a server that has been signalled sends what is pending before its next ReadyForQuery. So the
// ReadyForQuery of a batch that was written after the call comes behind every notification that was committed before it, and the reader has put them into the mailboxes by then. A batch that is
// under way already would prove nothing.
//
// Listen. The same ReadyForQuery lets a Member begin to hear a channel. So it hears what is committed after Listen returned, and nothing that was committed before Listen was called, as
// with a session of its own; that is why Listen takes a round trip also where the server listens already. What is committed between the call and the return may or may not be heard.
//
// Unlisten. It is carried out under the lock under which notifications are delivered, and takes what waits of that channel out of the mailbox: nothing of it is heard afterwards. A session
// of its own would have been sent what was committed before it asked to stop: Keep, called at that time, saves that.
//
// Order. One reader, one order: each mailbox holds the server's order over all channels.
//
// Loss. When the connection ends, however it ends, nobody knows what was missed. Each Member that listens is told (ErrLost), and is dead; its client is to be closed, as
// a session would have been. A Member without a channel lives on. The next Listen connects again.
//
// Backlog. A mailbox over its limit is emptied, and its Member told (ErrSlow) and dead. Others do not wait for it, ever.
//
// The connection never is in a transaction, in which it would keep PostgreSQL's queue of notifications from being cleared.
//
// # Locks
//
// Hub.mu (roster, requests, who is dead), then mailbox.mu. None is held across I/O, nor while wake or lost is called. A Member's requests have a channel of capacity one each, so that nobody
// blocks who settles them.
package listen
