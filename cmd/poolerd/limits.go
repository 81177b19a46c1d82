package main

import (
	"syscall"

	"github.com/rs/zerolog"

	"poolerd/pool/config"
)

// spareDescriptors are those that are neither clients' nor servers'.
const spareDescriptors = 50

// checkDescriptors says how many descriptors the process may have (Go has raised the limit to the hard one already), and warns where clients alone may use them up.
func checkDescriptors(log zerolog.Logger, conf *config.Config) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		log.Warn().Err(err).Msg("could not get RLIMIT_NOFILE")
		return
	}
	servers := 0
	for _, db := range conf.Databases {
		if db.PoolSize != nil {
			servers += *db.PoolSize
		} else {
			servers += conf.DefaultPoolSize
		}
	}
	expected := conf.MaxClientConn + servers + spareDescriptors
	e := log.Info()
	if uint64(expected) > limit.Cur {
		e = log.Warn()
	}
	e.Msgf("kernel file descriptor limit: %d (hard: %d); max_client_conn: %d, max expected fd use: %d", limit.Cur, limit.Max, conf.MaxClientConn, expected)
}
