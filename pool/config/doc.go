// Package config reads what an operator writes: PgBouncer's ini file and userlist.txt, flags and variables on top of them, and gives the pooler one
// typed, checked Config. It opens files and nothing else: no socket, no log, no clock.
//
// # The dialect
//
// The file is PgBouncer's (its manual, "pgbouncer.ini"): sections [databases], [pgbouncer], [users] and [peers], and [poolerd] for the keys that
// PgBouncer does not have. A line that starts with ; or # is a comment; those characters are ordinary later in a line. A value is the rest of its line. A key
// with other characters than letters, digits, _ . - * stands in 'single' or in "double" quotes, the latter with "" for one quote. "%include FILE" reads
// another file at that place, relative to the working directory, in the section of that place. The last of several equal keys wins. Durations are seconds,
// as "120" or "0.5", or with a unit as "500ms" or "2m".
//
// gopkg.in/ini.v1 was tried and does not bear this dialect: it takes quotes off values, in which they matter here (password='a b'), gives a meaning to
// backslashes, backquotes and """, has no %include, no quoted key with a doubled quote, and keeps no line numbers, without which a problem cannot be
// named by its place. The reader here is small for these reasons, and only for them.
//
// # Where the defaults differ from PgBouncer's
//
//   - pool_mode is transaction (PgBouncer: session): session state is kept per client here, so that it is safe.
//   - max_client_conn is 10000 (100): an idle client costs a few kilobytes.
//   - listen_addr is 127.0.0.1 (none).
//   - auth_query names the schema of pg_authid, so that no table of that name can stand in its way.
//   - server_login_retry is 0.5 s (15 s): here it is the longest pause of a growing backoff between attempts to reach a server.
//   - With auth_type=trust a user need not stand in auth_file.
//
// # Every key
//
// Keys is the one list of all keys: reading, defaults, SHOW CONFIG, the reference and the check of configs/poolerd.ini come from it. A key of PgBouncer
// that has no effect here gives a Warning with the reason when it is set. An unknown key is an error that names the
// nearest known one. All problems are reported together, as Errors.
package config
