package admin

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/wire"
)

// kind is the type of a column. Numbers are never negative.
type kind uint8

const (
	text kind = iota
	int4
	int8
	numeric
)

// oid gives the type as it stands in PostgreSQL's pg_type, with its length, -1 for a varying one.
func (k kind) oid() (oid uint32, size int16) {
	switch k {
	case int4:
		return 23, 4
	case int8:
		return 20, 8
	case numeric:
		return 1700, -1
	}
	return 25, -1
}

// column is one column of a result.
type column struct {
	name string
	kind kind
	own  bool // PgBouncer does not have it: it stands behind those that PgBouncer has
}

// columnsOf gives columns of one kind.
func columnsOf(k kind, names ...string) []column {
	all := make([]column, 0, len(names))
	for _, n := range names {
		all = append(all, column{name: n, kind: k})
	}
	return all
}

// own marks columns as ours.
func own(columns []column) []column {
	for i := range columns {
		columns[i].own = true
	}
	return columns
}

// shared gives the columns that PgBouncer has. Programs that count them, as some exporters and dblink do, would read nothing from a result with more.
func shared(columns []column) []column {
	if i := slices.IndexFunc(columns, func(c column) bool { return c.own }); i >= 0 {
		return columns[:i]
	}
	return columns
}

// The format codes of the protocol.
const (
	textFormat   int16 = 0
	binaryFormat int16 = 1
)

// format gives the format of column i. Codes are those of a Bind: none for text, one for all columns, or one for each.
func format(codes []int16, i int) int16 {
	switch len(codes) {
	case 0:
		return textFormat
	case 1:
		return codes[0]
	}
	return codes[i]
}

// appendDescription appends the RowDescription of columns, or a NoData when there are none.
func appendDescription(dst []byte, columns []column, formats []int16) []byte {
	if len(columns) == 0 {
		return wire.AppendEmpty(dst, wire.ServerNoData)
	}
	var d pgproto3.RowDescription
	for i, c := range columns {
		oid, size := c.kind.oid()
		d.Fields = append(d.Fields, pgproto3.FieldDescription{
			Name: []byte(c.name), DataTypeOID: oid, DataTypeSize: size, TypeModifier: -1, Format: format(formats, i),
		})
	}
	return encode(dst, &d)
}

// appendRow appends one DataRow. A row that does not fit its columns is a bug, and panics.
func appendRow(dst []byte, columns []column, formats []int16, row []any) []byte {
	if len(row) != len(columns) {
		panic(fmt.Sprintf("admin: a row of %d values for %d columns", len(row), len(columns)))
	}
	d := pgproto3.DataRow{Values: make([][]byte, len(row))}
	for i, v := range row {
		d.Values[i] = encodeValue(columns[i], format(formats, i), v)
	}
	return encode(dst, &d)
}

func encodeValue(c column, format int16, v any) []byte {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		if c.kind == text {
			return append([]byte{}, v...)
		}
	case int:
		return encodeNumber(c, format, uint64(max(v, 0)))
	case int64:
		return encodeNumber(c, format, uint64(max(v, 0)))
	case uint64:
		return encodeNumber(c, format, v)
	}
	panic(fmt.Sprintf("admin: column %s cannot hold a %T", c.name, v))
}

// encodeNumber shows a number as text whatever its size: an int4 that is too large for its type is shown as the largest one in the binary format only.
func encodeNumber(c column, format int16, n uint64) []byte {
	switch {
	case format == textFormat && c.kind != text:
		return strconv.AppendUint(nil, n, 10)
	case c.kind == int4:
		return binaryInt4(uint32(min(n, math.MaxInt32)))
	case c.kind == int8:
		return binaryInt8(min(n, math.MaxInt64))
	case c.kind == numeric:
		return binaryNumeric(n)
	}
	panic(fmt.Sprintf("admin: column %s cannot hold a number", c.name))
}

// encode appends a message that is well formed by its making: the encoder's only errors are about its size.
func encode(dst []byte, m pgproto3.BackendMessage) []byte {
	b, err := m.Encode(dst)
	if err != nil {
		panic(fmt.Sprintf("admin: %v", err))
	}
	return b
}
