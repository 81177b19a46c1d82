package record

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// The OIDs of the types whose binary form is known (PostgreSQL's pg_type).
const (
	oidBool        = 16
	oidBytea       = 17
	oidName        = 19
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidOID         = 26
	oidJSON        = 114
	oidXML         = 142
	oidFloat4      = 700
	oidFloat8      = 701
	oidUnknown     = 705
	oidBPChar      = 1042
	oidVarchar     = 1043
	oidDate        = 1082
	oidTime        = 1083
	oidTimestamp   = 1114
	oidTimestampTZ = 1184
	oidNumeric     = 1700
	oidUUID        = 2950
	oidJSONB       = 3802
)

// value gives a stand-in for a parameter's value of as many bytes. oid is 0 when its type is not known.
func (v *veil) value(value []byte, oid uint32, format uint16) []byte {
	if len(value) == 0 {
		return value
	}
	if format == 0 {
		return v.plain(value)
	}
	shown := bytes.Clone(value)
	switch oid {
	case oidBool:
		return value
	case oidName, oidText, oidJSON, oidXML, oidUnknown, oidBPChar, oidVarchar:
		return v.plain(value)
	case oidJSONB:
		copy(shown[1:], v.plain(value[1:]))
		return shown
	case oidBytea, oidUUID:
		v.fill(shown)
		return shown
	case oidInt2, oidInt4, oidInt8, oidOID:
		if v.binaryInteger(shown) {
			return shown
		}
	case oidFloat4, oidFloat8:
		if v.float(shown) {
			return shown
		}
	case oidDate, oidTime, oidTimestamp, oidTimestampTZ:
		if v.binaryClock(shown, oid) {
			return shown
		}
	case oidNumeric:
		if v.numeric(shown) {
			return shown
		}
	}
	return v.guess(value)
}

// guess gives a stand-in for a binary value of a type that is not known.
func (v *veil) guess(value []byte) []byte {
	shown := bytes.Clone(value)
	switch n := len(value); {
	case v.array(shown, 0):
	case n == 1:
		return value
	case printable(value):
		return v.plain(value)
	case value[0] == 1 && n > 2 && (value[1] == '{' || value[1] == '[') && utf8.Valid(value[1:]):
		copy(shown[1:], v.plain(value[1:]))
	case v.binaryInteger(shown):
	default:
		v.fill(shown)
	}
	return shown
}

func printable(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return utf8.Valid(value)
}

// fill replaces b by random bytes.
func (v *veil) fill(b []byte) {
	r := v.stream(tagBinary, b)
	_, _ = r.Read(b)
}

// binaryInteger replaces an integer of 2, 4 or 8 bytes; ok is false when b is none.
func (v *veil) binaryInteger(b []byte) bool {
	var n int64
	switch len(b) {
	case 2:
		n = int64(int16(binary.BigEndian.Uint16(b)))
	case 4:
		n = int64(int32(binary.BigEndian.Uint32(b)))
	case 8:
		n = int64(binary.BigEndian.Uint64(b))
	default:
		return false
	}
	if n == -n {
		return true // zero, and the smallest of all
	}
	if n > 0 {
		n = int64(v.integer(uint64(n)))
	} else {
		n = -int64(v.integer(uint64(-n)))
	}
	switch len(b) {
	case 2:
		binary.BigEndian.PutUint16(b, uint16(n))
	case 4:
		binary.BigEndian.PutUint32(b, uint32(n))
	case 8:
		binary.BigEndian.PutUint64(b, uint64(n))
	}
	return true
}

// float replaces the fraction of a floating-point number: sign and size stay.
func (v *veil) float(b []byte) bool {
	r := v.stream(tagBinary, b)
	switch len(b) {
	case 4:
		if n := binary.BigEndian.Uint32(b); n<<1 != 0 && n>>23&0xff != 0xff {
			binary.BigEndian.PutUint32(b, n&^(1<<23-1)|uint32(r.Uint64())&(1<<23-1))
		}
	case 8:
		if n := binary.BigEndian.Uint64(b); n<<1 != 0 && n>>52&0x7ff != 0x7ff {
			binary.BigEndian.PutUint64(b, n&^(1<<52-1)|r.Uint64()&(1<<52-1))
		}
	default:
		return false
	}
	return true
}

// binaryClock replaces a date, which counts days from 2000 on, or a time or timestamp, which count microseconds.
func (v *veil) binaryClock(b []byte, oid uint32) bool {
	const day, years = 24 * 60 * 60 * 1_000_000, 30 * 365
	r := v.stream(tagBinary, b)
	switch {
	case oid == oidDate && len(b) == 4:
		binary.BigEndian.PutUint32(b, uint32(below(r, years)))
	case oid == oidTime && len(b) == 8:
		binary.BigEndian.PutUint64(b, below(r, day))
	case oid != oidDate && len(b) == 8:
		binary.BigEndian.PutUint64(b, below(r, years*day))
	default:
		return false
	}
	return true
}

// numeric replaces the digits of a numeric, which count to 10000 each.
func (v *veil) numeric(b []byte) bool {
	if len(b) < 8 || len(b) != 8+2*int(binary.BigEndian.Uint16(b)) {
		return false
	}
	r := v.stream(tagBinary, b)
	for d := b[8:]; len(d) > 0; d = d[2:] {
		n, low, high := uint64(binary.BigEndian.Uint16(d)), uint64(1), uint64(9)
		for high < n {
			low, high = low*10, high*10+9
		}
		if n == 0 {
			continue
		}
		binary.BigEndian.PutUint16(d, uint16(low+below(r, min(high, 9999)-low+1)))
	}
	return true
}

// array replaces the elements of an array; ok is false, and nothing has changed, when b is none.
func (v *veil) array(b []byte, depth int) bool {
	const most = 6 // dimensions
	if depth > 0 || len(b) < 12 {
		return false
	}
	dimensions, flags, oid := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	if dimensions > most || flags > 1 || oid == 0 || dimensions == 0 && len(b) > 12 || len(b) < 12+8*int(dimensions) {
		return false
	}
	body := b[12+8*int(dimensions):]
	var elements [][]byte
	for rest := body; len(rest) > 0; {
		if len(rest) < 4 {
			return false
		}
		n := int32(binary.BigEndian.Uint32(rest))
		rest = rest[4:]
		if n == -1 {
			continue
		}
		if n < 0 || int(n) > len(rest) {
			return false
		}
		elements, rest = append(elements, rest[:n]), rest[n:]
	}
	for _, e := range elements {
		copy(e, v.value(e, oid, 1))
	}
	return true
}
