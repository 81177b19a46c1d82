// Package record is the file format of recorded traffic: what clients sent to a pooler, when, and how each transaction ended. A Writer makes such a file, a Reader reads one.
//
// It refuses to keep secrets. Logins are not in a recording at all; what messages carry goes through the Writer, which alone decides what is kept, so that no caller can
// write down more:
//
//   - Parameters are replaced by stand-ins of the same length and kind (Hashed, the default), or kept (Kept). A stand-in depends on the value and on a random salt, which is never
//     stored: equal values have equal stand-ins within a file, and nobody can try values out. Numbers stay numbers of as many digits, dates dates, UUIDs UUIDs, JSON JSON with its keys.
//     NULL, the empty string and truth values stay what they are.
//   - In either mode the value that set_config gives to a parameter is a stand-in unless the parameter is one of a short list that says nothing about anybody (role, search_path, timezone,
//     statement_timeout, ...). So claims, headers and cookies of PostgREST never are in a file. A stand-in of what is a JSON object is {} and blanks.
//   - In either mode the parameters and the constants of a statement that speaks of passwords, tokens, cookies or the like are stand-ins, and a CREATE or ALTER with
//     the word PASSWORD in it is withheld: of it only the length is known.
//   - With Hashed the constants in the texts of simple queries and of statements without parameters are stand-ins too, numbers from five digits on included, and comments are
//     blanked. What is recognizably a part of the language stays: names of parameters and sequences, units of intervals. A text that cannot be split into its tokens for certain is withheld.
//   - Data of COPY, arguments of function calls and the reasons of CopyFail are never there, nor is anything that a server answered but a transaction's status and an error's SQLSTATE.
//
// What stays is the statements' texts, the names of users, databases, prepared statements and portals, and with Kept the other parameters: a recording is still to be kept like the data
// of the database.
//
// # The file
//
// A gzip stream (RFC 1952). It is flushed at least once a second while traffic is recorded, so that a file which was cut is readable up to shortly before the cut. In it, with numbers that
// are varints of package encoding/binary ("u": unsigned, "z": signed) and strings that are their length (u) and their bytes:
//
//	file      = "poolerd recording\n" version(1 byte: 1) mode(1 byte: 0 hashed, 1 kept) start(u: microseconds since 1970) record*
//	record    = kind(1 byte) length(u) body
//
// Records of an unknown kind are skipped. The bodies are:
//
//	'T' statement  flags(1 byte: 1 withheld) size(u) text(string) count(u) type OIDs(u each)
//	               statements are numbered from 0 in the order of the file; size is the text's length in bytes, which text has too unless it is withheld and empty
//	'O' opened     session(u) time(z) user(string) database(string)
//	'M' message    session(u) time(z) type(1 byte) and, by type,
//	               'P' Parse      name(string) statement(u)
//	               'B' Bind       size(u) withheld(1 byte) portal(string) name(string), and unless withheld count(u) formats(u each) count(u) parameters count(u) result formats(u each);
//	                              a parameter is u: 0 for NULL, else 2*(length+1), plus 1 for a stand-in, then its bytes
//	               'D' Describe   kind(1 byte: 'S' or 'P') name(string)
//	               'C' Close      kind(1 byte: 'S' or 'P') name(string)
//	               'E' Execute    portal(string) rows(u)
//	               'Q' Query      statement(u)
//	               'F' call       size(u)
//	               'd' CopyData   messages(u) bytes(u), of all that came together
//	               'f' CopyFail   size(u)
//	               'S' Sync, 'H' Flush, 'c' CopyDone: nothing
//	'R' ready      session(u) time(z) status(1 byte) code(string): a ReadyForQuery was sent to the client; code is the SQLSTATE of the first error since the one before, or empty
//	'G' copy in    session(u) time(z): CopyInResponse was sent to the client
//	'L' left out   session(u) time(z) messages(u): so many messages are missing here, because the disk was too slow
//	'X' closed     session(u) time(z) code(string): the client has gone; code is the SQLSTATE of an error that ended its session, or empty
//	'Z' end        messages left out in all(u): the recording ended in good order
//
// time is the difference in microseconds to the record before that has a time, of any session, from 0 at the start. The records of one session are in their true order, those of different ones nearly.
package record
