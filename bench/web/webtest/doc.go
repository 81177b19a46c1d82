// Package webtest is a stand-in for PostgREST in tests. It is not PostgREST.
//
// It answers the eight kinds of requests that the bench sends to the sample, with PostgREST's statuses, by PostgREST's transactions: BEGIN, set_config,
// the statement, COMMIT or ABORT, each a round trip of its own over named prepared statements, on a pool of connections of its own. So a pooler behind
// it sees what it would see behind the real one, and a client before it gets real rows and real errors of a real database.
//
// What it refuses to do: anything else. It reads no schema, knows no other table's columns than those of the sample, and does not answer most of what PostgREST
// answers; nothing may be concluded from its speed.
package webtest
