// Package model says what a pool of a given size will carry, and which size to choose.
//
// It is pure: no file, no socket, no clock. What was measured comes in as Points; what follows from it goes out as figures and as sentences. It refuses to
// know anything about a database that was not measured: there are no built-in parameters, and a prediction that the measurements do not bear is marked as not
// to be trusted, with the reason.
//
// # How a transaction is seen
//
// N clients each think for Z (not holding, not wanting a server), then want a server. The pool has K. While a transaction holds a server, it spends D waiting
// for round trips (nobody computes), and it needs the database itself. Two textbook steps:
//
//  1. The inner network: k transactions that hold servers, going between a delay D and the database, a station whose rate depends on how many are in it. Its
//     throughput is X_in(k). (Closed network with one delay and one load-dependent station, solved exactly by its balance equations, which give the same as
//     exact Mean Value Analysis: Reiser and Lavenberg 1980.)
//  2. The outer network: N clients going between thinking (Z) and a station whose rate is X_in(min(n, K)): the whole inside is replaced by one
//     flow-equivalent station (Norton's theorem for queueing networks: Chandy, Herzog and Woo 1975; as the model of a limited number of
//     memory partitions in Lazowska, Zahorjan, Graham and Sevcik, Quantitative System Performance, 1984, chapter 9).
//
// The database's station has one of two shapes, and the measurements choose which: c processors shared by n statements (min(n, c)/S, the multi-server station
// with processor sharing) with a penalty for contention, or Gunther's Universal Scalability Law. A round trip that gets longer changes D and
// nothing else, which is what makes `bench plan --rtt` possible.
//
// The open variant replaces the N clients by a Poisson stream: the wait for a server is then exponential with rate X_in(K) - rate, given that there
// is one (the M/M/c result, Erlang C, for a load-dependent station), shortened by how regularly servers come free (Allen and Cunneen's approximation).
//
// Latency quantiles are approximations: the wait is Erlang distributed over the departures ahead, the time with a server is Gamma distributed with a
// coefficient of variation that is fitted to the measured quantiles, and what is left between that and a measured cell is carried over to cells near it.
//
// A transaction's parameters are found by weighted non-linear least squares with Huber's loss. Whether a prediction is to be trusted is decided by trial: each pool size
// is left out of the fit and predicted (cross-validation), and the fits that the points only just allow (profile likelihood) say how far the prediction could move.
//
//	point      what was measured              usl        Gunther's law over any n
//	closed     N clients, one station         open       Poisson arrivals, one station
//	station    the database, the inner network            parameters what a fit found, as JSON
//	least      least squares                  fit, descend   from points to parameters
//	profile    what else the points allow     nearby     what the model misses near a cell
//	latency    quantiles                      predict    a cell
//	trust      whether to believe it          check      leaving sizes out
//	recommend, limits   which size, why       slo        a limit of latency
//	plan, plantrust     a load not measured   whatif     before and after a change
//	lines, words        figures in sentences
package model
