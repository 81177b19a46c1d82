// Package wiretest holds conversations with a PostgreSQL server as text, a runner for them, and a server that plays a script. It is for tests only.
//
// # Scripts
//
// A script says what its clients send, byte for byte, and holds the replies that they get. Run sends it to a server and returns it with the replies
// that came: a script that agrees with its server is its own result. The same script runs against PostgreSQL itself and through a pooler, and must agree
// with both. The tests write the replies of a real PostgreSQL into testdata with the flag -rewrite.
//
//	# a comment
//	# replies before 18
//	let BEGIN = `BEGIN READ ONLY`
//	c1 connect application_name="a b" TimeZone=UTC
//	c1 > Parse "0" BEGIN | Sync
//	c1 B	4	ParseComplete
//	c1 B	5	ReadyForQuery	 I
//
// A comment "replies since N" or "replies before N" names the major versions of PostgreSQL whose replies these are, where that is not all of them.
//
// A line has one of these forms, c1 standing for any name of a connection:
//
//	let NAME = STRING       names a string; it may go on over lines between backquotes
//	c1 connect [ssl] [welcome] [NAME=STRING...]
//	                        opens a connection, asks for TLS where said (it must be refused), sends the startup message with these parameters behind
//	                        user and database, which they may change, and waits until the session is ready or over; the welcome shows only where said
//	c1 > MESSAGE | ...      sends messages in one write, and waits: see below
//	c1 wait TYPE [COUNT]    waits for COUNT (1) messages of a type, given as its byte
//	c1 wait eof             waits until the server has closed the connection
//	c1 wait answers         waits for all that the messages sent so far are answered with, or until the server reads COPY data
//	c1 wait nothing         does not wait, so that another connection can do something meanwhile
//	c1 await STRING         runs a query again and again until its only value is true; nothing of this shows
//	c1 pause DURATION       lets time pass: what a pooler does about a client that has stopped in the middle of something, it does meanwhile
//	c1 cancel [wrong]       cancels what c1 does, with its own key or a wrong one, and waits until the server has taken notice
//	c1 close                closes the connection without a word
//	c1 differs REASON       says that a pooler may answer the next command as the following lines say, and why; see Compare
//	c1 ~ B ...              a reply that may come through a pooler in place of PostgreSQL's
//	c1 B ..., c1 EOF        a reply: not read, but written
//
// A STRING is a Go string literal, the name of one, STRING*COUNT, or STRING+STRING; as a parameter's value also a bare word.
//
// # Messages
//
//	Bind PORTAL STATEMENT [params=CODES] [VALUE...] [results=CODES]
//	Close S|P NAME
//	CopyData STRING
//	CopyDone
//	CopyFail STRING
//	Describe S|P NAME
//	Execute PORTAL COUNT
//	Flush
//	FunctionCall OID [params=CODES] [VALUE...] [results=CODE]
//	Parse NAME STRING [OID...]
//	Query STRING
//	Sync
//	Terminate
//	repeat COUNT MESSAGE
//
// A VALUE is a STRING or null, CODES are format codes with commas between them. One code alone stands for all values, as in the protocol.
//
// # Waiting
//
// After a line the client waits for as many ReadyForQuery as it has sent Sync, Query and FunctionCall. It stops waiting when the server begins to read
// COPY data; a line with CopyDone or CopyFail then waits for what is still missing. A line that is followed by a wait of the same connection
// does not wait by itself: say so where messages will be skipped, after Flush, and before eof. Replies are read whenever they come, so no side can
// block the other, and are shown where the connection waits next.
//
// # Replies
//
// They are written in the format of libpq's trace (wire.AppendTrace) after Normalize. Neighbouring ParameterStatus are sorted, a row of many messages of
// one type is cut, and so is a long line; a hash stands for what was cut.
package wiretest
