package admin

import (
	"encoding/binary"
	"net"
	"slices"
	"strconv"
	"time"
)

// Drivers ask for the binary format of the types that they know, so that the console must write it too.

func binaryInt4(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func binaryInt8(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// binaryNumeric writes a whole number as PostgreSQL's numeric_send does: count of digits, weight of the first one, sign, digits behind the point, and the
// digits themselves, to the base of 10000, without zeros at the end.
func binaryNumeric(n uint64) []byte {
	const base = 10000
	var digits []uint16
	for ; n > 0; n /= base {
		digits = append(digits, uint16(n%base))
	}
	weight := max(len(digits)-1, 0)
	for len(digits) > 0 && digits[0] == 0 {
		digits = digits[1:]
	}
	slices.Reverse(digits)
	b := binary.BigEndian.AppendUint16(nil, uint16(len(digits)))
	b = binary.BigEndian.AppendUint16(b, uint16(weight))
	b = append(b, 0, 0, 0, 0) // sign: positive; no digits behind the point
	for _, d := range digits {
		b = binary.BigEndian.AppendUint16(b, d)
	}
	return b
}

// when shows a time as PgBouncer does, by the clock of this machine; NULL for the zero time.
func when(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}

// seconds splits a duration into whole seconds and the microseconds beyond them.
func seconds(d time.Duration) (s, us int64) {
	d = max(d, 0)
	return int64(d / time.Second), (d % time.Second).Microseconds()
}

// address splits an address into what is shown as host and port: "unix" and 0 for a Unix socket.
func address(a net.Addr) (host string, port int) {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP.String(), a.Port
	case *net.UnixAddr:
		return "unix", 0
	case nil:
		return "", 0
	}
	host, p, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String(), 0
	}
	port, _ = strconv.Atoi(p)
	return host, port
}

// orNull gives NULL for the empty text.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// optional gives the value that a pointer has, or NULL.
func optional[T any](p *T, show func(T) any) any {
	if p == nil {
		return nil
	}
	return show(*p)
}

// either gives the value that a pointer has, or another one.
func either[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// number shows a switch as PgBouncer does.
func number(on bool) int {
	if on {
		return 1
	}
	return 0
}
