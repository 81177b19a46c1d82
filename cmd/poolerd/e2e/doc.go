// Package e2e holds the tests that drive a built `poolerd serve` with real
// clients: libpq through psycopg's pq layer, psql, pgbench, pgx, and with
// POOLERD_E2E_ALL=1 (what `make e2e` sets) node-postgres and pgjdbc.
//
//	go test ./cmd/poolerd/e2e/
//
// The PostgreSQL behind it is a private cluster of package bench/postgres. What
// a client is written in is installed where it is missing: psycopg into a
// virtual environment in the user's cache directory, Python itself by apt when
// root on Debian. A client that cannot be had fails its test.
//
// # Variables
//
//	POOLERD_E2E_TARGET    what is under test: poolerd (what "" means), direct
//	                      (PostgreSQL alone: do the tests hold there?), or the
//	                      path of a PgBouncer (what does the peer do?)
//	POOLERD_E2E_BINARY    a poolerd that is built already
//	POOLERD_E2E_RACE=1    build poolerd with the race detector
//	POOLERD_E2E_ALL=1     node-postgres and pgjdbc too
//	POOLERD_E2E_LONG=1    two minutes of clients coming and going, not 20 s
//	POOLERD_E2E_STORM=1   two minutes of chaos, not 20 s, and half a minute of failing logins
//	POOLERD_E2E_SEED=n    what TestChaos's dice are made from, to see a failure again
//	POOLERD_E2E_BEHAVIOURS=x  of TestDrivers only the behaviours whose names fit the regular expression
//	POOLERD_E2E_TABLE=file    write TestDrivers' table there
//	POOLERD_E2E_TLS=1     TestDrivers with TLS on both sides of the pooler
//	POOLERD_E2E_OPTIONAL=1  skip, not fail, where a client cannot be had
//
// # Order
//
// What loads the machine runs alone and first. What mostly waits (timeouts,
// cancels, outages) calls t.Parallel and runs together after that.
//
// The package has no code outside its tests.
package e2e
