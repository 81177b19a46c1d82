package wiretest

import (
	"bytes"
	"encoding/binary"
	"regexp"

	"poolerd/wire"
)

// firstUserOID is the lowest OID of what users make (PostgreSQL's FirstNormalObjectId): from there on an OID depends on what was made before.
const firstUserOID = 16384

// Normalize returns a server's message without what differs from one run to the next: process ids and keys are zero, OIDs of tables and types that users
// made are the lowest of these, the version of the server is "any", and an error has no file, line or routine of the server's source. A server's own
// errors may name a prepared statement otherwise than the client did, when a pooler stands between them: such a name is "any" as well. Those that say that
// it exists already (42P05) or not at all (26000) must use the client's name.
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

// statementName is how PostgreSQL's errors name a prepared statement.
var statementName = regexp.MustCompile(`prepared statement ".*"`)

// temporarySchema is the schema of a session's temporary tables.
var temporarySchema = regexp.MustCompile(`^pg_temp_\d+$`)

func normalFields(body []byte) []byte {
	code := wire.Code(wire.ErrorCode(body))
	ownName := code == wire.CodeDuplicatePreparedStatement || code == wire.CodeUndefinedPreparedStatement
	return mapFields(body, func(name byte, value []byte) ([]byte, bool) {
		if name == 'M' && !ownName {
			value = statementName.ReplaceAll(value, []byte(`prepared statement "any"`))
		}
		value = temporarySchema.ReplaceAll(value, []byte("pg_temp"))
		return value, name != 'F' && name != 'L' && name != 'R'
	})
}

// mapFields replaces the values of an error's fields, and leaves out those that are not kept.
func mapFields(body []byte, change func(name byte, value []byte) (_ []byte, keep bool)) []byte {
	var out []byte
	for len(body) > 0 && body[0] != 0 {
		value, rest, ok := wire.CString(body[1:])
		if !ok {
			break
		}
		if value, keep := change(body[0], value); keep {
			out = append(append(append(out, body[0]), value...), 0)
		}
		body = rest
	}
	return append(out, body...)
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

// portable returns a normal message without what depends on the server's major version, nil if nothing is left: parameters that are reported since
// PostgreSQL 14, 16 and 18, where in the server's work an error came up, and the quotes that names of parameters have in hints since 17.
func portable(message []byte) []byte {
	typ, body := message[0], message[wire.HeaderLen:]
	switch typ {
	case wire.ServerParameterStatus:
		name, _, _ := wire.CString(body)
		switch string(name) {
		case "default_transaction_read_only", "in_hot_standby", "scram_iterations", "search_path":
			return nil
		}
	case wire.ServerErrorResponse, wire.ServerNoticeResponse:
		return envelope(typ, mapFields(body, func(name byte, value []byte) ([]byte, bool) {
			if name == 'H' {
				value = bytes.ReplaceAll(value, []byte(`"`), nil)
			}
			return value, name != 'W'
		}))
	}
	return message
}
