// Package admin is the console: the database pgbouncer, by its other name poolerd, where an operator asks with PgBouncer's commands.
package admin
