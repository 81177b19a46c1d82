// Package bench is the roof over what measures. There is no code in it; this is the tour.
//
// `poolerd bench` tells an operator how large a pool should be and what it will carry. It measures over the wire only, and imports neither pool nor cmd: poolerd, PgBouncer,
// bare PostgreSQL and a PostgREST are measured by the same code.
//
//	workload   what clients say: PostgREST's requests as messages, pgbench's scripts, mixes of both; pure
//	load       who says it when: closed and open loops, windows, histograms, errors by code, the search for a rate
//	client     a client of PostgreSQL or of a pooler, which plays a workload's session
//	web        a client of a PostgREST or of any HTTP server
//	delay      a proxy that puts a distance between two servers of one machine
//	console    what a pooler's console tells: waits, queries
//	proc       starting poolers; processor time and memory by /proc
//	postgres   the private PostgreSQL with the sample
//	advice     the database's side: statements, waits, plans
//	model      what a pool of a size carries, and which size to choose; pure
//	report     records in, table, CSV, HTML and comparison out
//	sweep      the order of all that: subjects, cells, rounds, judgement
//	replay     recorded traffic played again (package wire/record is the format)
//	peers      a program of its own: poolerd beside PgBouncer under pgbench, for README.md's table
//
// A run goes: sweep brings up subjects, and puts each cell's load on its subject (load with client or web); the meters of sweep read proc and console; each run becomes a
// report.Run, written at once; at the end advice and model add what they have to say, and report makes files of it all. What any of them learns is in the records, so that
// `bench report` and `bench compare` need no server.
package bench
