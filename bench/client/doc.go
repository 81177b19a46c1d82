// Package client is a PostgreSQL client that plays a workload's session, as cheaply as it can, so that a load generator takes little from the machine that it
// measures on. pgconn logs in (so every kind of authentication, TLS and address works); then the connection is taken from it and driven bare: a flight is one write,
// replies are read by their headers only, and nothing is allocated.
//
//	client    a transaction from its begin to its end
//	conn      one connection: a flight and its replies
//	replies   what the replies say, as far as anybody wants to know
//	dial      logging in, and why it failed
//	fanout    the connections that listen, and whether they heard
//
// It refuses to decode what nobody asked for, and to know which transactions there are: the session says what to send.
//
// # Waiting
//
// A client waits for replies inside the poller of the runtime (wire/sock), without a buffer; buffers come from a pool. The end of the context cuts this short by a deadline in
// the past. The time limit of a flight is a read deadline of a quarter of it, again and again, so that a flight costs no timer: it strikes between 1 and 1.25 times the limit.
package client
