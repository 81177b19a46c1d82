package admin

import (
	"math"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// TestBinaryNumbers reads what is written with pgx's reader.
func TestBinaryNumbers(t *testing.T) {
	m := pgtype.NewMap()
	for _, n := range []uint64{0, 1, 9, 9999, 10000, 10001, 99990000, 100000000, 123456789012, math.MaxInt64, math.MaxUint64} {
		var got pgtype.Numeric
		if err := m.Scan(pgtype.NumericOID, pgtype.BinaryFormatCode, encodeNumber(column{name: "n", kind: numeric}, binaryFormat, n), &got); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		b, err := m.Encode(pgtype.NumericOID, pgtype.TextFormatCode, got, nil)
		if err != nil || string(b) != strconv.FormatUint(n, 10) {
			t.Errorf("%d reads as %s, %v", n, b, err)
		}
	}
	for n, want := range map[uint64]int32{0: 0, 7: 7, math.MaxInt32: math.MaxInt32, math.MaxInt32 + 1: math.MaxInt32, math.MaxUint64: math.MaxInt32} {
		var got int32
		if err := m.Scan(pgtype.Int4OID, pgtype.BinaryFormatCode, encodeNumber(column{name: "n", kind: int4}, binaryFormat, n), &got); err != nil || got != want {
			t.Errorf("%d reads as %d, %v", n, got, err)
		}
	}
}

func TestBadRowsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"count":          func() { appendRow(nil, columnsOf(text, "a"), nil, []any{"x", "y"}) },
		"text in int4":   func() { appendRow(nil, columnsOf(int4, "a"), nil, []any{"x"}) },
		"number in text": func() { appendRow(nil, columnsOf(text, "a"), nil, []any{1}) },
		"other type":     func() { appendRow(nil, columnsOf(text, "a"), nil, []any{true}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

type otherAddr string

func (otherAddr) Network() string  { return "other" }
func (a otherAddr) String() string { return string(a) }

func TestAddress(t *testing.T) {
	for _, test := range []struct {
		addr net.Addr
		host string
		port int
	}{
		{nil, "", 0},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 5}, "fe80::1", 5},
		{&net.UnixAddr{Name: "/tmp/x"}, "unix", 0},
		{otherAddr("host:7"), "host", 7},
		{otherAddr("pipe"), "pipe", 0},
	} {
		if host, port := address(test.addr); host != test.host || port != test.port {
			t.Errorf("%v is %q %d", test.addr, host, port)
		}
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration][2]int64{0: {}, -time.Second: {}, 999 * time.Nanosecond: {}, 3*time.Second + 2*time.Microsecond: {3, 2}} {
		if s, us := seconds(d); s != want[0] || us != want[1] {
			t.Errorf("%v is %d s %d us", d, s, us)
		}
	}
}
