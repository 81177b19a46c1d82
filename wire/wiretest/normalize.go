package wiretest

import (
	"bytes"
	"encoding/binary"

	"poolerd/wire"
)

// firstUserOID is the lowest OID of what users make (PostgreSQL's FirstNormalObjectId): from there on an OID depends on what was made before.
const firstUserOID = 16384

// Normalize returns a server's message without what differs from one run to the next: process ids and keys are zero, OIDs of tables and types that users
// made are the lowest of these, the version of the server is "any", and an error has no file, line or routine of the server's source.
func Normalize(message []byte) []byte {
	typ, body := message[0], message[wire.HeaderLen:]
	switch typ {
	case wire.ServerBackendKeyData:
		return envelope(typ, make([]byte, 8))
	case wire.ServerNotificationResponse:
		if len(body) >= 4 {
			return envelope(typ, append(make([]byte, 4), body[4:]...))
		}
	case wire.ServerErrorResponse, wire.ServerNoticeResponse:
		return envelope(typ, normalFields(body))
	case wire.ServerParameterStatus:
		if bytes.HasPrefix(body, []byte("server_version\x00")) {
			return wire.AppendParameterStatus(nil, "server_version", "any")
		}
	case wire.ServerRowDescription:
		return envelope(typ, normalColumns(body))
	case wire.ServerParameterDescription:
		body = bytes.Clone(body)
		for at := 2; at+4 <= len(body); at += 4 {
			normalOID(body[at:])
		}
		return envelope(typ, body)
	}
	return message
}

func normalOID(b []byte) {
	if binary.BigEndian.Uint32(b) > firstUserOID {
		binary.BigEndian.PutUint32(b, firstUserOID)
	}
}

func normalFields(body []byte) []byte {
	var kept []byte
	for len(body) > 0 && body[0] != 0 {
		value, rest, ok := wire.CString(body[1:])
		if !ok {
			break
		}
		if name := body[0]; name != 'F' && name != 'L' && name != 'R' {
			kept = append(append(append(kept, name), value...), 0)
		}
		body = rest
	}
	return append(kept, body...)
}

func normalColumns(body []byte) []byte {
	body = bytes.Clone(body)
	for rest := body[min(2, len(body)):]; ; {
		_, after, ok := wire.CString(rest)
		if !ok || len(after) < 18 {
			return body
		}
		normalOID(after)
		normalOID(after[6:])
		rest = after[18:]
	}
}

// newParameters are reported by some versions of PostgreSQL only (since 14 and 18).
func newParameter(name string) bool {
	return name == "default_transaction_read_only" || name == "in_hot_standby" || name == "search_path" || name == "scram_iterations"
}
