package workload

import (
	"math"
	"strconv"
	"strings"
)

// kind is a value's type, as pgbench has them (PostgreSQL's documentation, pgbench, "Custom Scripts").
type kind uint8

const (
	null kind = iota
	boolean
	integer
	double
)

func (k kind) String() string { return [...]string{"null", "boolean", "int", "double"}[k] }

// value is what an expression gives.
type value struct {
	kind kind
	bool bool
	int  int64
	dbl  float64
}

func intValue(i int64) value      { return value{kind: integer, int: i} }
func doubleValue(d float64) value { return value{kind: double, dbl: d} }
func boolValue(b bool) value      { return value{kind: boolean, bool: b} }

// truth is the value as a condition: NULL is false, and so is 0.
func (v value) truth() bool {
	switch v.kind {
	case boolean:
		return v.bool
	case integer:
		return v.int != 0
	case double:
		return v.dbl != 0
	}
	return false
}

// appendTo appends the value as pgbench puts it into a statement: doubles with 15 digits, NULL as that word.
func (v value) appendTo(dst []byte) []byte {
	switch v.kind {
	case boolean:
		return strconv.AppendBool(dst, v.bool)
	case integer:
		return strconv.AppendInt(dst, v.int, 10)
	case double:
		return appendDouble(dst, v.dbl)
	}
	return append(dst, "NULL"...)
}

// appendDouble writes as "%.15g" does in PostgreSQL's programs.
func appendDouble(dst []byte, d float64) []byte {
	switch {
	case math.IsInf(d, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(d, -1):
		return append(dst, "-Infinity"...)
	case math.IsNaN(d):
		return append(dst, "NaN"...)
	}
	return strconv.AppendFloat(dst, d, 'g', 15, 64)
}

// variable is a session's variable: not set, a typed value from \set, or a text from \gset or --define. A text that reads as a value has that
// value too, so that an expression need not read it again and again.
type variable struct {
	state variableState
	value value
	text  string
}

type variableState uint8

const (
	unset variableState = iota
	typed               // value
	text                // text, which reads as value
	words               // text, which is no value: an expression cannot use it
)

func (v *variable) appendTo(dst []byte) []byte {
	if v.state == typed {
		return v.value.appendTo(dst)
	}
	return append(dst, v.text...)
}

// textVariable reads a text as pgbench does: null, booleans and beginnings of their names, integers, doubles.
func textVariable(s string) variable {
	v := variable{state: text, text: s}
	lower := strings.ToLower(s)
	begins := func(of string) bool { return s != "" && strings.HasPrefix(of, lower) }
	switch {
	case s == "":
		v.state = words
	case lower == "null":
	case begins("true"), begins("yes"), lower == "on":
		v.value = boolValue(true)
	case begins("false"), begins("no"), lower == "off", lower == "of":
		v.value = boolValue(false)
	case isInt(s):
		i, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			v.state = words
		}
		v.value = intValue(i)
	default:
		d, err := strconv.ParseFloat(s, 64)
		if err != nil {
			v.state = words
		}
		v.value = doubleValue(d)
	}
	return v
}

func isInt(s string) bool {
	s = strings.TrimPrefix(s, "-")
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
