// Package postgres makes private, throwaway PostgreSQL clusters: for
// `poolerd serve --demo`, for the bench, and for every test that needs the
// truth.
//
// A cluster is one temporary folder and one postmaster on a free port of
// 127.0.0.1. Start finds the server's binaries (or installs them, see
// Install), runs initdb, starts the postmaster in a session of its own, and
// loads the Fountain Array sample where asked. Stop shuts it down and removes
// the folder.
//
//	c, err := postgres.Start(ctx, postgres.Options{Sample: true})
//	...
//	defer c.Stop(context.WithoutCancel(ctx))
//	conn, err := pgx.Connect(ctx, c.URL("authenticator", "fountain"))
//
// # Who owns what
//
// The postmaster belongs to the process that called Start, in two ways. Its
// Cluster waits for it, so that nothing is left as a zombie. And a watcher, a
// small shell outside the caller's session, holds the read end of a pipe
// whose write end only the caller has: when the caller dies, however it dies,
// the watcher reads the end of the file, ends the postmaster and removes the
// folder. See watcher.go.
//
// A terminal's Ctrl-C reaches neither of the two, so a caller that drains on
// SIGINT still has its database while it drains.
//
// # Not for data
//
// fsync is off, passwords are the names of their roles, and everything is
// removed at the end. Nothing here is a way to keep a database. The package
// needs a Unix system with /bin/sh; it knows nothing of the pooler.
package postgres
