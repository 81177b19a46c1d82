// Package config reads what an operator writes: PgBouncer's ini file and userlist.txt, flags and variables on top of them, and gives the pooler one
// typed, checked Config. It opens files and nothing else: no socket, no log, no clock.
//
// # The dialect
//
// The file is PgBouncer's (its manual, "pgbouncer.ini", and where that is silent its loader): sections [databases], [pgbouncer], [users] and [peers], and [poolerd]
// for the keys that PgBouncer does not have. A line that starts with ; or # is a comment; those characters are ordinary later in a line, but a comment may follow a
// section's name. A value is the rest of its line. A key with other characters than letters, digits, _ . - * stands in 'single' or in "double" quotes, the latter with
// "" for one quote. "%include FILE" reads another file at that place, relative to the working directory, in the section of that place, ten files deep at most. The
// last of several equal keys wins. Names of sections and keys have their case, words as values have any. Numbers are C's: 0x in front makes one hexadecimal, 0 octal;
// any number but 0 turns a switch on, and on, off, yes, no, true, false do as well. Durations are seconds, as "120" or "0.5", or with a unit as "500ms" or "2m".
//
// A line of [databases], [users] or [peers] holds name=value pairs with blanks between them; a value with blanks stands in 'single quotes', with ” for one quote, and
// none is empty. There a size below 0, and a limit or a timeout of 0, count as not set: the global one is used. A database without a host is at the Unix socket in
// unix_socket_dir. Several hosts have commas between them and one port.
//
// PgBouncer starts [pgbouncer] from the defaults again where it comes a second time; here both parts count, and a Warning says so. A number with something behind it,
// and a quote with something behind it, are errors here, which PgBouncer cuts off; so are a pool_size of 0 and a line with a NUL byte.
//
// gopkg.in/ini.v1 was tried and does not bear this dialect: it takes quotes off values, in which they matter here (password='a b'), gives a meaning to
// backslashes, backquotes and """, has no %include, no quoted key with a doubled quote, and keeps no line numbers, without which a problem cannot be
// named by its place. The reader here is small for these reasons, and only for them.
//
// # Where it departs from PgBouncer
//
//   - pool_mode is transaction (PgBouncer: session): session state is kept per client here, so that it is safe.
//   - max_client_conn is 10000 (100): an idle client costs a few kilobytes.
//   - listen_addr is 127.0.0.1 (none).
//   - auth_query names the schema of pg_authid, so that no table of that name can stand in its way.
//   - server_login_retry is 0.5 s (15 s): here it is the longest pause of a growing backoff between attempts to reach a server.
//   - With auth_type=trust and no auth_file every user is known.
//   - A broken line of auth_file or of the access rules is an error, and the whole file with it: PgBouncer goes on without the rest.
//   - The console's database is called poolerd as well, so that no database can have that name.
//
// # Every key
//
// Keys is the one list of all keys: reading, defaults, SHOW CONFIG, the reference and the check of configs/poolerd.ini come from it. A key of PgBouncer
// that has no effect here gives a Warning with the reason when it is set. An unknown key is an error that names the nearest known one. All problems are reported
// together, as Errors.
//
// # From a file to a running pooler
//
// Load reads, Set and ApplyUpstream put flags on top, Check judges the settings together, CheckFiles the files that they name, and Warnings tells what works and is
// likely not meant. For a reload Diff tells what changes, and Keeping leaves what needs a restart as it was; for the console's SET there are Clone and CheckOnline.
package config
