package wire_test

import (
	"bytes"
	"strings"
	"testing"

	"poolerd/wire"
)

func message(typ byte, body string) []byte {
	n := len(body) + 4
	return append([]byte{typ, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

func TestTrace(t *testing.T) {
	const F, B = wire.FromClient, wire.FromServer
	for _, c := range []struct {
		from    wire.Side
		message []byte
		want    string
	}{
		// As in the expected traces of libpq's own tests for pipeline mode.
		{F, wire.AppendParse(nil, "", wire.ParseTail("SELECT $1", 23)), "F\t21\tParse\t \"\" \"SELECT $1\" 1 23"},
		{F, message('B', "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x011\x00\x01\x00\x00"), "F\t19\tBind\t \"\" \"\" 0 1 1 '1' 1 0"},
		{F, wire.AppendDescribe(nil, 'P', ""), "F\t6\tDescribe\t P \"\""},
		{F, wire.AppendExecute(nil, ""), "F\t9\tExecute\t \"\" 0"},
		{F, wire.AppendEmpty(nil, 'S'), "F\t4\tSync"},
		{F, wire.AppendEmpty(nil, 'H'), "F\t4\tFlush"},
		{F, wire.AppendEmpty(nil, 'X'), "F\t4\tTerminate"},
		{F, wire.AppendQuery(nil, "BEGIN"), "F\t10\tQuery\t \"BEGIN\""},
		{F, wire.AppendClose(nil, 'S', "a"), "F\t7\tClose\t S \"a\""},
		{F, message('F', "\x00\x00\x00\x07\x00\x01\x00\x01\x00\x02\x00\x00\x00\x01\x05\xff\xff\xff\xff\x00\x01"), "F\t25\tFunctionCall\t 7 1 1 2 1 '\\x05' -1 1"},
		{F, message('d', "1\tx\n"), "F\t8\tCopyData\t '1\\x09x\\x0a'"},
		{F, message('f', "no\x00"), "F\t7\tCopyFail\t \"no\""},
		{F, message('p', "secret\x00"), "F\t11\tPasswordMessage\t 'secret\\x00'"},
		{F, message('B', "p\x00s\x00\x00\x00\x00\x01\xff\xff\xff\xff\x00\x00"), "F\t18\tBind\t \"p\" \"s\" 0 1 -1 0"},

		{B, wire.AppendEmpty(nil, '1'), "B\t4\tParseComplete"},
		{B, wire.AppendReadyForQuery(nil, wire.TxIdle), "B\t5\tReadyForQuery\t I"},
		{B, wire.AppendParameterDescription(nil, []byte{0, 1, 0, 0, 0, 23}), "B\t10\tParameterDescription\t 1 23"},
		{B, wire.AppendCommandComplete(nil, "SELECT 1"), "B\t13\tCommandComplete\t \"SELECT 1\""},
		{B, message('T', "\x00\x01a\x00\x00\x00\x00\x02\x00\x01\x00\x00\x00\x17\x00\x04\xff\xff\xff\xff\x00\x01"), "B\t26\tRowDescription\t 1 \"a\" 2 1 23 4 -1 1"},
		{B, message('D', "\x00\x02\x00\x00\x00\x02a\x01\xff\xff\xff\xff"), "B\t16\tDataRow\t 2 2 'a\\x01' -1"},
		{B, message('D', "\x00\x01\x00\x00\x00\x00"), "B\t10\tDataRow\t 1 0 ''"},
		{B, wire.Errorf("22012", "division by zero").Append(nil), `B` + "\t44\tErrorResponse\t" + ` S "ERROR" V "ERROR" C "22012" M "division by zero" \x00`},
		{B, wire.AppendParameterStatus(nil, "TimeZone", "UTC"), "B\t17\tParameterStatus\t \"TimeZone\" \"UTC\""},
		{B, wire.AppendBackendKeyData(nil, 7, []byte{0, 0, 1, 0}), "B\t12\tBackendKeyData\t 7 256"},
		{B, wire.AppendBackendKeyData(nil, 7, []byte("a longer key")), "B\t20\tBackendKeyData\t 7 'a longer key'"},
		{B, wire.AppendCommandComplete(nil, "a\nb\xc3\xa9"), "B\t10\tCommandComplete\t \"a\\x0ab\xc3\xa9\""},
		{B, wire.AppendAuthenticationOK(nil), "B\t8\tAuthentication\t 0"},
		{B, message('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"), "B\t23\tAuthentication\t 10 'SCRAM-SHA-256\\x00\\x00'"},
		{B, message('t', "\x00\x01\x00\x00\x00\x17"), "B\t10\tParameterDescription\t 1 23"},
		{B, message('G', "\x00\x00\x02\x00\x00\x00\x00"), "B\t11\tCopyInResponse\t \\x00 2 0 0"},
		{B, message('A', "\x00\x00\x00\x07c\x00p\x00"), "B\t12\tNotificationResponse\t 7 \"c\" \"p\""},
		{B, message('v', "\x00\x03\x00\x02\x00\x00\x00\x01_pq_.x\x00"), "B\t19\tNegotiateProtocolVersion\t 196610 1 \"_pq_.x\""},
		{B, message('V', "\xff\xff\xff\xff"), "B\t8\tFunctionCallResponse\t -1"},

		// Malformed.
		{B, message('Z', ""), "B\t4\tReadyForQuery"},
		{B, message('Z', "IT"), "B\t6\tReadyForQuery\t I ? 'T'"},
		{B, message('1', "x"), "B\t5\tParseComplete\t ? 'x'"},
		{B, message('C', "SELECT"), "B\t10\tCommandComplete\t ? 'SELECT'"},
		{B, message('D', "\x00\x02\x00\x00\x00\x09a"), "B\t11\tDataRow\t 2 9 ? 'a'"},
		{B, message('D', "\x00\x01\xff\xff\xff\xfe"), "B\t10\tDataRow\t 1 -2 ? ''"},
		{B, message('E', "Mx"), "B\t6\tErrorResponse\t M ? 'x'"},
		{B, message('?', "x"), "B\t5\tUnknown message: 3f\t ? 'x'"},
		{F, message('1', ""), "F\t4\tUnknown message: 31"},
		{B, []byte("Z\x00"), "B\t? 'Z\\x00'"},
	} {
		if got := string(wire.AppendTrace([]byte(">"), c.from, c.message)); got != ">"+c.want {
			t.Errorf("%q\n got %s\nwant >%s", c.message, got, c.want)
		}
	}
}

func FuzzTrace(f *testing.F) {
	f.Add(false, wire.AppendExecute(nil, "p"))
	f.Add(true, wire.AppendParse(nil, "s", wire.ParseTail("SELECT 1", 23)))
	f.Add(false, wire.Fatalf(wire.CodeAdminShutdown, "gone").Append(nil))
	f.Add(false, message('v', "\x00\x03\x00\x02\x7f\xff\xff\xff"))
	f.Add(true, message('B', "\x00\x00\x7f\xff"))
	f.Fuzz(func(t *testing.T, client bool, message []byte) {
		side := wire.FromServer
		if client {
			side = wire.FromClient
		}
		before := bytes.Clone(message)
		line := string(wire.AppendTrace(nil, side, message))
		if !bytes.Equal(before, message) {
			t.Errorf("%q became %q", before, message)
		}
		if len(line) > 100+8*len(message) {
			t.Errorf("%d bytes make a line of %d", len(message), len(line))
		}
		if strings.ContainsAny(line, "\r\n") {
			t.Errorf("%q makes more than one line", message)
		}
		if line[0] != byte(side) {
			t.Errorf("%q does not begin with %q", line, side)
		}
	})
}
