package wire

import "encoding/binary"

// ParseDataRow reads the values of a DataRow's body; nil is NULL. They are parts of body. ok is false when the body is not whole.
func ParseDataRow(body []byte) (values [][]byte, ok bool) {
	if len(body) < 2 {
		return nil, false
	}
	n := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	values = make([][]byte, 0, n)
	for range n {
		if len(body) < 4 {
			return nil, false
		}
		size := int32(binary.BigEndian.Uint32(body))
		body = body[4:]
		if size < 0 {
			values = append(values, nil)
			continue
		}
		if int(size) > len(body) {
			return nil, false
		}
		values = append(values, body[:size:size])
		body = body[size:]
	}
	return values, len(body) == 0
}
