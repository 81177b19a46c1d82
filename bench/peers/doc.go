// Peers measures poolerd beside PgBouncer and beside PostgreSQL without a
// pooler, and prints a table in Markdown: processor time of the pooler for one
// transaction, transactions a second, added latency at one client, failed
// transactions, memory, and on request system calls a transaction and bytes an
// idle client.
//
//	go run ./bench/peers                    the full matrix (about an hour; the estimate is printed first)
//	go run ./bench/peers --quick            16 and 64 clients, 3 rounds of 3 s
//	go run ./bench/peers --noise            PgBouncer against itself: the spread this machine gives by itself
//	go run ./bench/peers --versus OLD       this poolerd against another poolerd binary
//	go run ./bench/peers --rounds 0 --idle 5000
//
// # What is measured, and why so
//
// Each cell (a load and a number of clients) starts both poolers before the
// same private PostgreSQL, then loads them in turn, in an order shuffled anew
// each round. A ratio is taken inside one round and the median over the rounds
// is reported with its extremes: what the machine does slowly to all (clock,
// neighbours, a growing table) then falls out.
//
// pgbench opens all its connections before it starts its clock, so its first
// progress line, one second later, is after the last login. The window runs
// from one progress line to another: the pooler's utime+stime is read from
// /proc when the line arrives, and the transactions between the two lines are
// the lines' own counts (rate times the time between their timestamps). Both
// ends of the window are thus the same instants for the processor time and for
// the transactions. The kernel gives utime+stime in ticks of 10 ms: a window of
// 5 s at half a core is 250 ticks, an error below 1%; windows short of 50 ticks
// are marked in the table.
//
// Transactions a second are bound by pgbench and PostgreSQL, which share the
// cores with the pooler: the figure to trust is the processor time.
//
// The program imports nothing of the pooler: it speaks to all peers over the
// wire. It refuses to measure anything but servers that it has started itself
// on the loopback interface.
package main
