package listen

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"poolerd/wire"
)

// note is one notification. It is shared by every mailbox that holds it, and never changed.
type note struct {
	channel string
	message []byte // NotificationResponse as it came: header, process id, channel, payload
}

// payloadless is the smallest body: a process id, and two empty strings.
const payloadless = 4 + 1 + 1

// noteChannel finds the channel's name in a NotificationResponse, and makes sure that the message is whole.
func noteChannel(message []byte) ([]byte, error) {
	body := message[wire.HeaderLen:]
	if len(body) < payloadless {
		return nil, fmt.Errorf("a notification of %d bytes: at least %d", len(body), payloadless)
	}
	name, payload, found := bytes.Cut(body[4:], []byte{0})
	if !found || len(payload) == 0 || bytes.IndexByte(payload, 0) != len(payload)-1 {
		return nil, fmt.Errorf("a notification of %d bytes whose strings do not end with it", len(body))
	}
	return name, nil
}

// append adds the message to dst with the process id `as` in the place of `from`.
func (n *note) append(dst []byte, from, as uint32) []byte {
	at := len(dst) + wire.HeaderLen
	dst = append(dst, n.message...)
	if pid := dst[at : at+4]; from != 0 && binary.BigEndian.Uint32(pid) == from {
		binary.BigEndian.PutUint32(pid, as)
	}
	return dst
}
