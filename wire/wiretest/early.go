package wiretest

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"poolerd/wire"
)

// reportsLate is the first major version of PostgreSQL that reports parameters before ReadyForQuery, and only those whose value is another than before. Earlier
// ones report each change when it happens.
const reportsLate = 14

// reporting is what one connection was told of parameters.
type reporting struct {
	welcomed bool
	early    bool              // the server is one that reports too early
	told     map[string]string // what a server that reports late would have told
	held     map[string]string // what an early one has told since
}

// late gives the messages of a server as they come from one that reports parameters late: so that a pooler, which reports what its client was not told yet, can be
// compared with a server of any version.
func (r *reporting) late(message []byte) [][]byte {
	body := message[wire.HeaderLen:]
	switch typ := message[0]; {
	case typ == wire.ServerParameterStatus:
		name, rest, _ := wire.CString(body)
		value, _, _ := wire.CString(rest)
		if !r.welcomed {
			r.note(string(name), string(value))
			return [][]byte{message}
		}
		if r.early {
			r.held[string(name)] = string(value)
			return nil
		}
	case typ == wire.ServerReadyForQuery:
		r.welcomed = true
		var all [][]byte
		for _, name := range slices.Sorted(maps.Keys(r.held)) {
			if value := r.held[name]; r.told[name] != value {
				r.told[name] = value
				all = append(all, wire.AppendParameterStatus(nil, name, value))
			}
		}
		clear(r.held)
		return append(all, message)
	}
	return [][]byte{message}
}

func (r *reporting) note(name, value string) {
	if r.told == nil {
		r.told, r.held = map[string]string{}, map[string]string{}
	}
	r.told[name] = value
	if name == "server_version" {
		major, _, _ := strings.Cut(value, ".")
		number, err := strconv.Atoi(major)
		r.early = err == nil && number < reportsLate
	}
}
