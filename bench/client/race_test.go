//go:build race

package client

// raceDetector slows this package's code tenfold, but neither PostgreSQL nor pgbench.
const raceDetector = true
