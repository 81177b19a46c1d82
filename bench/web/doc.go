// Package web puts a load on an HTTP server: a real PostgREST on the sample, with all that is behind it, or any other API by the user's own requests.
//
// A client has one connection that it keeps alive, and one request under way. It speaks HTTP/1.1, in clear or by TLS, and takes responses in with net/http's
// parser, but without net/http's Transport, which hands each request and each response from goroutine to goroutine: that takes 23 µs of processor time a request
// where this takes 15, both with a server of about 5 µs in it, and 49 allocations instead of 14 (BenchmarkRequest, BenchmarkNetHTTP). No proxy of the environment is
// used, no redirect followed, no cookie kept, and nothing is asked for compressed.
//
// Every status but 2xx is an error and counts under its number, as "http-503"; one that the mix provokes on purpose (409 of a duplicate key) is an
// expected one. A server may close a connection that it keeps alive at any moment: a request that reads and meets that is sent again
// on a new connection, as HTTP has it (RFC 9110, 9.2.2), and the latency counts both; one that writes is lost, and counted so.
//
//	options   what a client is asked to be       client    load.Client: one request at a time
//	conn      the connection                     response  taking a response in
//	mix       which request is next              sample    PostgREST's eight on the sample
//	requests  the user's own: ParseRequests      token     a JWT by HS256
//	prepare   what can be known before a run: notes for the report
//
// What it refuses to do: to follow links, to understand a body beyond the message of an error, and to tell a slow PostgREST from a slow database; the
// latter is what the same bench over PostgreSQL's protocol is for.
package web
