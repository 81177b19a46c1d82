// Package admin is the console: the database pgbouncer, by its other name poolerd, where an operator asks with PgBouncer's commands.
//
// Rows, columns, their order, names and types are those of PgBouncer 1.25's console, so that what watches a PgBouncer can watch poolerd; columns of our
// own follow at the end for those who named the database poolerd. What poolerd does not have is shown as PgBouncer shows what it does not use: 0, or NULL.
//
// # Layers
//
//   - lex.go splits a text into commands and words, parse.go finds the command that they name. Both are pure.
//   - commands.go is the list of SHOWs, control.go of the commands that change something; each SHOW has a file. set.go is SET, parameter.go what drivers ask for.
//   - result.go and value.go turn rows into messages.
//   - session.go serves one connection, simple.go and extended.go the two ways of asking: PgBouncer's console knows only the first one, which keeps most
//     drivers out. incoming.go reads ahead, so that a command that waits (PAUSE, SUSPEND, WAIT_CLOSE) notices that its client has gone.
//
// Refusals have PgBouncer's words and its one SQLSTATE, that of a protocol violation, since scripts and its own tests look for them.
//
// The package asks a pool.Pooler for copies of what it has and never holds one of its locks. It refuses to run SQL, has no transactions, and takes no
// parameters.
package admin
