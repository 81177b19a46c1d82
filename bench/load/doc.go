// Package load puts clients under a clock: it runs their transactions, in a closed or an open loop, and counts what a window of time saw of them.
//
//	load        what a run is asked for, and what it found
//	client      what a client is
//	run         connect, warm up, measure, cut off
//	connect     making the clients, a few at a time, with descriptors enough
//	worker      a client's goroutine, and what it does with each end of a transaction
//	closed      the next transaction when the last has ended
//	open        transactions when the schedule says
//	schedule    when it says so
//	recorder    counting latencies without locks or allocations
//	slo, search the largest rate that keeps a promise
//	alarm       (a package of its own) sleeping to the microsecond
//
// In an open loop a latency is counted from the scheduled start, whether or not a client was free then: a server that stalls makes all those wait that
// would have come meanwhile, while a closed loop just stops asking ("coordinated omission"). What the loop itself loses is in Result.Lag.
//
// It refuses to know what a transaction is, or that there is PostgreSQL: clients of any protocol can be run.
package load
