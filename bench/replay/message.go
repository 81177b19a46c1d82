package replay

import (
	"encoding/binary"
	"fmt"

	"poolerd/wire"
	"poolerd/wire/record"
)

// message is a recorded message, ready to be sent.
type message struct {
	typ      byte
	op       wire.Op // what it asks of the server
	asks     bool    // it asks something by itself
	raw      string  // the whole message; empty for data of COPY
	bytes    int64   // of data of COPY
	params   int32
	standIns int32
}

func newMessage(m record.Message, statements []record.Statement) message {
	made := message{typ: m.Type, raw: string(appendMessage(nil, m, statements)), bytes: m.Bytes, params: int32(len(m.Params))}
	made.op, made.asks = asks(m)
	for _, p := range m.Params {
		if p.StandIn {
			made.standIns++
		}
	}
	return made
}

// key gives what tells a message from others.
func (m *message) key() string {
	if m.raw == "" || m.standIns > 0 {
		return fmt.Sprintf("%c%d %d %s", m.typ, m.bytes, m.standIns, m.raw)
	}
	return m.raw
}

// ownMessage makes a message that is not in the recording.
func ownMessage(typ byte) message { return newMessage(record.Message{Type: typ}, nil) }

// appendMessage appends a recorded message as it was sent, but for data of COPY, which are not recorded: nothing is appended for them.
func appendMessage(dst []byte, m record.Message, statements []record.Statement) []byte {
	switch m.Type {
	case wire.ClientParse:
		s := statements[m.Statement]
		return wire.AppendParse(dst, m.Name, wire.ParseTail(s.Text, s.Types...))
	case wire.ClientQuery:
		return wire.AppendQuery(dst, statements[m.Statement].Text)
	case wire.ClientBind:
		return appendBind(dst, m)
	case wire.ClientDescribe:
		return wire.AppendDescribe(dst, m.Kind, m.Name+m.Portal)
	case wire.ClientClose:
		return wire.AppendClose(dst, m.Kind, m.Name+m.Portal)
	case wire.ClientExecute:
		dst = wire.AppendExecute(dst, m.Portal)
		binary.BigEndian.PutUint32(dst[len(dst)-4:], m.Rows)
		return dst
	case wire.ClientCopyFail:
		dst = append(dst, wire.ClientCopyFail, 0, 0, 0, byte(4+len(copyFailed)))
		return append(dst, copyFailed...)
	case wire.ClientSync, wire.ClientFlush, wire.ClientCopyDone:
		return wire.AppendEmpty(dst, m.Type)
	}
	return dst
}

// copyFailed is the reason that CopyFail gives, with its zero.
const copyFailed = "as recorded\x00"

func appendBind(dst []byte, m record.Message) []byte {
	at := len(dst)
	dst = append(dst, wire.ClientBind, 0, 0, 0, 0)
	dst = append(append(append(append(dst, m.Portal...), 0), m.Name...), 0)
	dst = appendFormats(dst, m.Formats)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Params)))
	for _, p := range m.Params {
		if p.Value == nil {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(p.Value))), p.Value...)
	}
	dst = appendFormats(dst, m.Results)
	binary.BigEndian.PutUint32(dst[at+1:], uint32(len(dst)-at-1))
	return dst
}

func appendFormats(dst []byte, list []uint16) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(list)))
	for _, f := range list {
		dst = binary.BigEndian.AppendUint16(dst, f)
	}
	return dst
}

// asks gives what a message asks of the server; ok is false for those that ask nothing by themselves.
func asks(m record.Message) (op wire.Op, ok bool) {
	switch m.Type {
	case wire.ClientParse:
		return wire.OpParse, true
	case wire.ClientBind:
		return wire.OpBind, true
	case wire.ClientDescribe:
		if m.Kind == 'S' {
			return wire.OpDescribeStatement, true
		}
		return wire.OpDescribePortal, true
	case wire.ClientExecute:
		return wire.OpExecute, true
	case wire.ClientClose:
		return wire.OpClose, true
	case wire.ClientSync:
		return wire.OpSync, true
	case wire.ClientQuery:
		return wire.OpQuery, true
	}
	return 0, false
}
