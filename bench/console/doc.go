// Package console asks a pooler how its clients fare, through the console that PgBouncer has and that others imitate: the database named pgbouncer.
//
// It reads columns by their names, so that PgBouncer 1.18 and 1.25 and poolerd are read by the same code, whatever columns stand between.
// All is asked by the simple protocol, which is all that PgBouncer's console speaks.
//
// Where there is no console, or the user may not see it, the error says so and errors.Is tells which it was; the caller then does without.
//
// What it refuses to do: to change anything (RELOAD, PAUSE and the like), and to guess a figure that the console does not give.
package console
