package wire

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
)

// Header reads the header at the start of b, which holds at least HeaderLen bytes: the type, and the length of the whole message with its
// header. ok is false when the length is one that no message can have.
func Header(b []byte) (typ byte, size int, ok bool) {
	n := binary.BigEndian.Uint32(b[1:])
	return b[0], int(n) + 1, n >= 4 && n <= MaxMessageLen
}

// Empty tells whether messages of this type from a client have no body. PostgreSQL refuses them with one, and a Flush then makes it skip to the next Sync.
func Empty(typ byte) bool {
	switch typ {
	case ClientSync, ClientFlush, ClientCopyDone, ClientTerminate:
		return true
	}
	return false
}

// CString reads the zero-terminated string at the start of b, without its zero, and what follows it. ok is false when b has no zero.
func CString(b []byte) (s, rest []byte, ok bool) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return nil, nil, false
	}
	return b[:i], b[i+1:], true
}

// ReadMessage reads one whole message of at most max bytes of body, and not a byte more. It serves logins and consoles, where messages are few
// and small; the relay reads by itself.
func ReadMessage(r io.Reader, max int) (typ byte, body []byte, err error) {
	var h [HeaderLen]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	typ, size, ok := Header(h[:])
	if !ok || size-HeaderLen > max {
		return 0, nil, &Error{Severity: "FATAL", Code: CodeProtocolViolation, Message: "invalid message length"}
	}
	if body, err = readBody(r, size-HeaderLen); err != nil {
		return 0, nil, err
	}
	return typ, body, nil
}

// firstRead is how much is read of a body before more of it is believed to come, in bytes.
const firstRead = 4 << 10

// readBody takes as much memory as the other end has sent, twice at most: what a header promises costs its sender nothing.
func readBody(r io.Reader, size int) ([]byte, error) {
	body := make([]byte, min(size, firstRead))
	for have := 0; ; {
		n, err := io.ReadFull(r, body[have:])
		if err != nil {
			return nil, err
		}
		if have += n; have == size {
			return body, nil
		}
		body = slices.Grow(body, min(size-have, have))
		body = body[:min(size, 2*have)]
	}
}
