package wire

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// Side is one end of a connection.
type Side byte

// The two ends, as libpq's trace writes them: frontend and backend.
const (
	FromClient Side = 'F'
	FromServer Side = 'B'
)

// AppendTrace appends one line, without a line feed, that tells one whole message in the format of libpq's PQtrace (PostgreSQL's documentation, "libpq:
// Control Functions") without its time: side, length, name, then the fields in the order of "Message Formats". Unlike libpq it shows what CopyData
// carries, the mechanisms of SASL, the size -1 of a type as that and not as 65535, a control character in a string as \xNN, and in place of a complaint
// about a malformed message the bytes that it could not read, behind "?".
//
// The line holds everything that the message holds, passwords included: it is for tests and debugging, never for a log.
func AppendTrace(dst []byte, from Side, message []byte) []byte {
	if len(message) < HeaderLen {
		return appendBytes(append(dst, byte(from), '\t', '?'), message)
	}
	typ, body := message[0], message[HeaderLen:]
	dst = strconv.AppendUint(append(dst, byte(from), '\t'), uint64(binary.BigEndian.Uint32(message[1:])), 10)
	dst = append(append(dst, '\t'), MessageName(from, typ)...)
	t := tracer{out: dst, rest: body}
	if len(body) > 0 {
		t.out = append(t.out, '\t')
		t.body(from, typ)
	}
	if len(t.rest) > 0 || t.short {
		t.out = appendBytes(append(t.out, " ?"...), t.rest)
	}
	return t.out
}

// MessageName is the name of a message that one side sends, as PostgreSQL's documentation writes it in "Message Formats".
func MessageName(from Side, typ byte) string {
	var name string
	if from == FromClient {
		name = clientMessageName(typ)
	} else {
		name = serverMessageName(typ)
	}
	if name == "" {
		return fmt.Sprintf("Unknown message: %02x", typ)
	}
	return name
}

func clientMessageName(typ byte) string {
	switch typ {
	case ClientBind:
		return "Bind"
	case ClientClose:
		return "Close"
	case ClientCopyData:
		return "CopyData"
	case ClientCopyDone:
		return "CopyDone"
	case ClientCopyFail:
		return "CopyFail"
	case ClientDescribe:
		return "Describe"
	case ClientExecute:
		return "Execute"
	case ClientFlush:
		return "Flush"
	case ClientFunctionCall:
		return "FunctionCall"
	case ClientParse:
		return "Parse"
	case ClientPassword:
		return "PasswordMessage"
	case ClientQuery:
		return "Query"
	case ClientSync:
		return "Sync"
	case ClientTerminate:
		return "Terminate"
	}
	return ""
}

func serverMessageName(typ byte) string {
	switch typ {
	case ServerAuthentication:
		return "Authentication"
	case ServerBackendKeyData:
		return "BackendKeyData"
	case ServerBindComplete:
		return "BindComplete"
	case ServerCloseComplete:
		return "CloseComplete"
	case ServerCommandComplete:
		return "CommandComplete"
	case ServerCopyBothResponse:
		return "CopyBothResponse"
	case ServerCopyData:
		return "CopyData"
	case ServerCopyDone:
		return "CopyDone"
	case ServerCopyInResponse:
		return "CopyInResponse"
	case ServerCopyOutResponse:
		return "CopyOutResponse"
	case ServerDataRow:
		return "DataRow"
	case ServerEmptyQueryResponse:
		return "EmptyQueryResponse"
	case ServerErrorResponse:
		return "ErrorResponse"
	case ServerFunctionCallResponse:
		return "FunctionCallResponse"
	case ServerNegotiateProtocol:
		return "NegotiateProtocolVersion"
	case ServerNoData:
		return "NoData"
	case ServerNoticeResponse:
		return "NoticeResponse"
	case ServerNotificationResponse:
		return "NotificationResponse"
	case ServerParameterDescription:
		return "ParameterDescription"
	case ServerParameterStatus:
		return "ParameterStatus"
	case ServerParseComplete:
		return "ParseComplete"
	case ServerPortalSuspended:
		return "PortalSuspended"
	case ServerReadyForQuery:
		return "ReadyForQuery"
	case ServerRowDescription:
		return "RowDescription"
	}
	return ""
}

// tracer writes the fields of one body. After a field that is not there whole it is short, and writes nothing more.
type tracer struct {
	out   []byte
	rest  []byte // not written yet
	short bool
}

func (t *tracer) body(from Side, typ byte) {
	if from == FromClient {
		t.clientBody(typ)
	} else {
		t.serverBody(typ)
	}
}

func (t *tracer) clientBody(typ byte) {
	switch typ {
	case ClientBind:
		t.strings(2)
		t.list(t.int16)
		t.list(t.value)
		t.list(t.int16)
	case ClientClose, ClientDescribe:
		t.char()
		t.string()
	case ClientCopyData:
		t.bytes(len(t.rest))
	case ClientCopyFail, ClientQuery:
		t.string()
	case ClientPassword:
		t.bytes(len(t.rest))
	case ClientExecute:
		t.string()
		t.int32()
	case ClientFunctionCall:
		t.int32()
		t.list(t.int16)
		t.list(t.value)
		t.int16()
	case ClientParse:
		t.strings(2)
		t.list(func() { t.int32() })
	}
}

func (t *tracer) serverBody(typ byte) {
	switch typ {
	case ServerAuthentication:
		t.int32()
		if len(t.rest) > 0 {
			t.bytes(len(t.rest))
		}
	case ServerBackendKeyData:
		t.int32()
		if len(t.rest) == minSecret {
			t.int32()
		} else {
			t.bytes(len(t.rest))
		}
	case ServerCommandComplete:
		t.string()
	case ServerCopyInResponse, ServerCopyOutResponse, ServerCopyBothResponse:
		t.char()
		t.list(t.int16)
	case ServerCopyData:
		t.bytes(len(t.rest))
	case ServerDataRow:
		t.list(t.value)
	case ServerErrorResponse, ServerNoticeResponse:
		for !t.short && t.char() != 0 {
			t.string()
		}
	case ServerFunctionCallResponse:
		t.value()
	case ServerNegotiateProtocol:
		t.int32()
		for n := t.int32(); n > 0 && !t.short; n-- {
			t.string()
		}
	case ServerNotificationResponse:
		t.int32()
		t.strings(2)
	case ServerParameterDescription:
		t.list(func() { t.int32() })
	case ServerParameterStatus:
		t.strings(2)
	case ServerReadyForQuery:
		t.char()
	case ServerRowDescription:
		t.list(t.column)
	}
}

// column: name, table and its column, type with its size and modifier, format.
func (t *tracer) column() {
	t.string()
	t.int32()
	t.int16()
	t.int32()
	t.int16()
	t.int32()
	t.int16()
}

// take takes n bytes, or none.
func (t *tracer) take(n int) []byte {
	if t.short || n < 0 || n > len(t.rest) {
		t.short = true
		return nil
	}
	b := t.rest[:n]
	t.rest = t.rest[n:]
	return b
}

func (t *tracer) char() byte {
	b := t.take(1)
	if b == nil {
		return 0
	}
	t.out = append(t.out, ' ')
	t.out = appendPrintable(t.out, b)
	return b[0]
}

func (t *tracer) int16() {
	if b := t.take(2); b != nil {
		t.out = strconv.AppendInt(append(t.out, ' '), int64(int16(binary.BigEndian.Uint16(b))), 10)
	}
}

func (t *tracer) int32() int {
	b := t.take(4)
	if b == nil {
		return 0
	}
	n := int32(binary.BigEndian.Uint32(b))
	t.out = strconv.AppendInt(append(t.out, ' '), int64(n), 10)
	return int(n)
}

// list is a count of two bytes and as many fields.
func (t *tracer) list(field func()) {
	if len(t.rest) < 2 {
		t.short = true
		return
	}
	n := int16(binary.BigEndian.Uint16(t.rest))
	t.int16()
	for ; n > 0 && !t.short; n-- {
		field()
	}
}

// value is a length of four bytes, -1 for NULL, and as many bytes.
func (t *tracer) value() {
	if n := t.int32(); n != -1 && !t.short {
		t.bytes(n)
	}
}

func (t *tracer) bytes(n int) {
	if b := t.take(n); !t.short {
		t.out = appendBytes(t.out, b)
	}
}

func (t *tracer) strings(n int) {
	for range n {
		t.string()
	}
}

func (t *tracer) string() {
	if t.short {
		return
	}
	s, rest, ok := CString(t.rest)
	if !ok {
		t.short = true
		return
	}
	t.rest = rest
	t.out = append(t.out, ` "`...)
	for _, c := range s {
		if c < ' ' || c == 0x7f {
			t.out = fmt.Appendf(t.out, `\x%02x`, c)
		} else {
			t.out = append(t.out, c)
		}
	}
	t.out = append(t.out, '"')
}

// appendBytes appends bytes between apostrophes.
func appendBytes(dst, b []byte) []byte {
	return append(appendPrintable(append(dst, " '"...), b), '\'')
}

// appendPrintable appends bytes, each that is not printable ASCII as \xNN.
func appendPrintable(dst, b []byte) []byte {
	for _, c := range b {
		if c < ' ' || c > '~' {
			dst = fmt.Appendf(dst, `\x%02x`, c)
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
