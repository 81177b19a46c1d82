package postgres

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Free ports are looked for below the range from which systems give out ports
// to outgoing connections (from 32768 on Linux, 49152 elsewhere). Otherwise a
// busy client could sit on the port of a cluster between Halt and Resume.
const (
	lowestPort  = 20000
	highestPort = 32000
)

// freePort finds a port of 127.0.0.1 that nobody listens on at this moment.
func freePort() (int, error) {
	const tries = 200
	for range tries {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if !portTaken(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port on %s in %d tries between %d and %d", host, tries, lowestPort, highestPort)
}

// portTaken tells whether nobody can listen on the port now.
func portTaken(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return true
	}
	_ = l.Close()
	return false
}
