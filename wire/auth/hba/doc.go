// Package hba reads files of host-based access control, PostgreSQL's pg_hba.conf and PgBouncer's auth_hba_file, and files of user name maps, pg_ident.conf and auth_ident_file
// (PostgreSQL's documentation, "The pg_hba.conf File" and "User Name Maps"), and decides by them. It does no I/O but through the function that its caller gives for included files.
//
// The grammar is that of PostgreSQL 17, and what PgBouncer takes besides: blanks before the commas of a list, and cert on a host line. Where the two differ:
//
//   - an address with bits outside its mask, such as 10.0.0.1/8, fits nobody, as in PgBouncer, and there is a warning; PostgreSQL ignores the bits
//   - a comment that ends in a backslash is refused: to PostgreSQL the next line is a part of it, and to PgBouncer it is not
//   - sameuser and replication mean something in the list of databases only, as in PostgreSQL; PgBouncer knows them in that of the users too
//   - a name that starts with a slash is a regular expression, as in PostgreSQL; PgBouncer has none
//
// Other than PgBouncer, which skips a line that it cannot read and goes on with the rest, a file with one bad line is refused as a whole, with all the reasons: a skipped reject would open a door.
//
// Refused with the reason as well is what a pooler cannot know: the members of roles (+role, samerole, samegroup), and who answers to a host name.
package hba
