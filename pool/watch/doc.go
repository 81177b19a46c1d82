// Package watch finds out which functions, tables and views of a database do more than their names say: a function whose body takes a session's
// advisory lock, a table whose trigger makes a temporary one, a view that calls either. It then finds their names in a client's text. Package lex knows
// the words of PostgreSQL itself; this package knows those that a database adds to them.
//
//	s := watch.NewSearch()
//	for sql := s.Query(); sql != ""; sql = s.Query() {
//		rows := ... // what the database answers to sql
//		s.Add(rows)
//	}
//	f := s.Functions()
//	marks := lex.Mark(text) | f.Marks(text)
//
// It is pure: no connection, no clock, no lock. A Functions never changes.
//
// # How the search goes
//
// The first query lets the server look for the words of interest in all bodies, with regular expressions, and sends only what has one: nothing, in
// nearly every database. Package lex decides, here, which of those do anything. The following queries ask for what leads to what was found: bodies that
// hold its name, and everything that depends on it in pg_depend. That goes on until nothing new is found. So the bodies of a large database do not travel
// (10,000 of them are some 10 MB, again after every change), and a search costs one scan of pg_proc and one more for each level of calls: with 10,000
// functions 100 to 200 ms of the server's time, and 70 ms a level. Fingerprint is what to ask in between: 2 ms.
//
// No query takes a lock on a user's table, with one exception: the few functions and views whose stored tree calls a function of interest by itself are
// shown as SQL by the server, which locks what they mention in ACCESS SHARE mode.
//
// # What it does not see
//
//   - EXECUTE of a text that is put together elsewhere, or whose words are. A plain EXECUTE is no reason for suspicion, or every database would be full
//     of it.
//   - What functions written in C do, beyond those of PostgreSQL that package lex knows by name.
//   - Functions that an operator, a cast, an event trigger or a domain without a table calls, and those that are called as if they were a column
//     (SELECT t.f FROM t).
//   - Sequences that a function moves: nextval in a body is no reason to watch it, since the server then answers a later currval with an error, never
//     with another client's value.
//
// Names are compared by their last part: a function of the same name in another schema, or with other arguments, is watched as well. In doubt a text is
// marked, which costs a question to the server.
package watch
