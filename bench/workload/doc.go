// Package workload is what the clients of a bench say: which statements, with which values, in which messages, and what follows an error.
//
// A Workload is a set of transactions, each with its share. It is built in (Builtin), read from a script in pgbench's language (FromScript), or a
// mix of both (Mix). A Session is one client's side of it:
//
//	s := w.NewSession(client, seed, workload.Prepared, nil)
//	for s.Begin(); ; {
//		flight, more := s.Next(buf[:0], outcome)
//		if !more {
//			break // s.Err() tells whether the script was wrong
//		}
//		... send flight.Data, read what flight says, note the outcome ...
//	}
//
// The package is pure: it opens no connection, reads no clock and no file, and starts no goroutine. It does not measure, and it does not know what
// it is measured against: a server, or a pooler before one. Flights are encoded ahead as far as can be, and Next allocates nothing.
//
// # The protocols
//
// Prepared is what PostgREST does by default, and pgbench with --protocol=prepared: each statement is parsed once a connection, in a flight of
// its own, under the next decimal number as its name, and from then on only bound. Unprepared is pgbench's "extended". Equal statements of
// different transactions are one statement.
//
// # Scripts
//
// The language is pgbench's. It differs where pgbench leaves a trap:
//   - a variable inside quotes is replaced in simple queries, as by pgbench; Check refuses it in the other protocols, where pgbench sends a
//     text with a parameter that the server does not see. A variable that only --define sets stays as it is written there;
//   - variables in comments are never replaced;
//   - a pipeline ends in the part of an \if in which it began, and is sent as a whole, statements that are not known yet parsed inside it;
//   - \gset takes the last of several rows, and column names that the script never refers to are not kept;
//   - numbers are drawn from another generator than pgbench's, so the same random_seed gives others. hash and permute give the same;
//   - \shell, \setshell and \aset are refused, and so is COPY FROM STDIN, which pgbench refuses too.
//
// # What grows
//
// The writes of PostgREST's workloads go to the scenes of the sample's last tenth, and the reads to the others, so that what is read stays as
// large as it was. The scenes that are written to grow: with post by one line an insert, under random numbers, and with rpc by one line a cue, for
// which the sample's add_cue counts on from the highest number. tpcb's history grows, and Setup empties it.
package workload
