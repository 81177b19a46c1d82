package wire

import "encoding/binary"

// The Append functions add one whole message to dst and return the longer slice. They allocate only what dst lacks.

// begin appends a header whose length end fills in.
func begin(dst []byte, typ byte) ([]byte, int) {
	return append(dst, typ, 0, 0, 0, 0), len(dst)
}

func end(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start+1:], uint32(len(dst)-start-1))
	return dst
}

func appendString(dst []byte, s string) []byte { return append(append(dst, s...), 0) }

// AppendEmpty appends a message that has no body: Sync, Flush, ParseComplete, NoData and their like.
func AppendEmpty(dst []byte, typ byte) []byte { return append(dst, typ, 0, 0, 0, 4) }

// AppendQuery appends a simple Query.
func AppendQuery(dst []byte, sql string) []byte {
	dst, at := begin(dst, ClientQuery)
	return end(appendString(dst, sql), at)
}

// AppendParse appends a Parse. tail is the query text with its ending zero and the parameter types, as they stand in a Parse's body.
func AppendParse(dst []byte, name string, tail []byte) []byte {
	dst, at := begin(dst, ClientParse)
	return end(append(appendString(dst, name), tail...), at)
}

// ParseTail returns the part of a Parse's body behind the statement's name: text, zero, parameter types.
func ParseTail(sql string, oids ...uint32) []byte {
	tail := appendString(make([]byte, 0, len(sql)+3+4*len(oids)), sql)
	tail = binary.BigEndian.AppendUint16(tail, uint16(len(oids)))
	for _, oid := range oids {
		tail = binary.BigEndian.AppendUint32(tail, oid)
	}
	return tail
}

// AppendBind appends a Bind without parameters, all results in the text format.
func AppendBind(dst []byte, portal, statement string) []byte {
	dst, at := begin(dst, ClientBind)
	dst = appendString(appendString(dst, portal), statement)
	return end(append(dst, 0, 0, 0, 0, 0, 0), at)
}

// AppendBindText appends a Bind with parameters and results in the text format.
func AppendBindText(dst []byte, portal, statement string, parameters ...string) []byte {
	dst, at := begin(dst, ClientBind)
	dst = appendString(appendString(dst, portal), statement)
	dst = binary.BigEndian.AppendUint16(append(dst, 0, 0), uint16(len(parameters)))
	for _, p := range parameters {
		dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(p))), p...)
	}
	return end(append(dst, 0, 0), at)
}

// AppendExecute appends an Execute of all rows of a portal.
func AppendExecute(dst []byte, portal string) []byte {
	dst, at := begin(dst, ClientExecute)
	return end(append(appendString(dst, portal), 0, 0, 0, 0), at)
}

// AppendDescribe appends a Describe; kind is 'S' for a statement, 'P' for a portal.
func AppendDescribe(dst []byte, kind byte, name string) []byte {
	dst, at := begin(dst, ClientDescribe)
	return end(appendString(append(dst, kind), name), at)
}

// AppendClose appends a Close; kind is 'S' for a statement, 'P' for a portal.
func AppendClose(dst []byte, kind byte, name string) []byte {
	dst, at := begin(dst, ClientClose)
	return end(appendString(append(dst, kind), name), at)
}

// AppendParameterDescription appends a ParameterDescription. types is their number and their OIDs, as they stand at the end of a Parse.
func AppendParameterDescription(dst, types []byte) []byte {
	dst, at := begin(dst, ServerParameterDescription)
	return end(append(dst, types...), at)
}

// AppendCommandComplete appends a CommandComplete with its tag.
func AppendCommandComplete(dst []byte, tag string) []byte {
	dst, at := begin(dst, ServerCommandComplete)
	return end(appendString(dst, tag), at)
}

// AppendParameterStatus appends a ParameterStatus.
func AppendParameterStatus(dst []byte, name, value string) []byte {
	dst, at := begin(dst, ServerParameterStatus)
	return end(appendString(appendString(dst, name), value), at)
}

// AppendReadyForQuery appends a ReadyForQuery.
func AppendReadyForQuery(dst []byte, status TxStatus) []byte {
	return append(dst, ServerReadyForQuery, 0, 0, 0, 5, byte(status))
}

// AppendBackendKeyData appends the key with which a client cancels. secret has 4 bytes up to protocol 3.0, and 4 to 256 from 3.2 on.
func AppendBackendKeyData(dst []byte, pid uint32, secret []byte) []byte {
	dst, at := begin(dst, ServerBackendKeyData)
	return end(append(binary.BigEndian.AppendUint32(dst, pid), secret...), at)
}

// AppendAuthenticationOK appends the message that ends a login's authentication.
func AppendAuthenticationOK(dst []byte) []byte {
	return append(dst, ServerAuthentication, 0, 0, 0, 8, 0, 0, 0, 0)
}
