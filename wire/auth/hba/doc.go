// Package hba reads files of host-based access control, PostgreSQL's pg_hba.conf and PgBouncer's auth_hba_file, and files of user name maps, pg_ident.conf and auth_ident_file
// (PostgreSQL's documentation, "The pg_hba.conf File" and "User Name Maps"), and decides by them. It does no I/O but through the function that its caller gives for included files.
//
// The grammar is that of PostgreSQL 17, and what PgBouncer takes besides: blanks before the commas of a list, and cert on a host line. Files that both take mean the same to both, and here;
// where they differ, a file is refused with the reason rather than guessed at:
//
//   - an address with bits outside its mask: PgBouncer's rule never matches, PostgreSQL's does
//   - a comment that ends in a backslash: PostgreSQL takes the next line for a part of it
//
// Other than PgBouncer, which skips a line that it cannot read and goes on with the rest, a file with one bad line is refused as a whole, with all the reasons: a skipped reject would open a door.
//
// Refused with the reason as well is what a pooler cannot know: the members of roles (+role, samerole, samegroup), and who answers to a host name.
package hba
