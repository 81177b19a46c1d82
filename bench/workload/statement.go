package workload

import (
	"encoding/binary"

	"poolerd/wire"
)

// statement is one SQL statement in all three protocols, encoded as far as that can be done ahead. It is read only once made.
type statement struct {
	tail   []byte // of its Parse, behind the name: the text with $1 and so on, the types of the parameters
	fixed  via    // how it travels whatever the protocol
	format []byte // of a Bind: the count of the parameters' formats, the formats, the count of the parameters
	params []piece
	result []byte // of a Bind: the formats of the results
	query  []piece
	// quoted is the place of a variable inside a string, in a script: it can only be replaced in the text; 0 when there is none.
	quoted position
	name   string // of that variable
	// several: the text holds more than one statement (\;), which the extended protocol refuses.
	several position
}

// via says how a statement travels.
type via uint8

const (
	asAsked    via = iota // as the session's protocol says
	viaQuery              // always as a simple Query
	viaUnnamed            // never under a name
)

// piece is a part of a message: bytes that are always the same, then, where slot is not -1, a variable.
type piece struct {
	bytes []byte
	slot  int
	how   putting
}

// putting says how a variable is put into a message.
type putting uint8

const (
	asText    putting = iota // its text; when it is not set, name stays where it stood
	asLength                 // a parameter's length starts here: four bytes that asEnd fills in
	asEnd                    // the parameter ends here
	asValue                  // a whole parameter: length and text, or NULL when the variable is not set
	asLiteral                // the text inside a string literal, its quotes doubled
)

// key is what makes two statements the same one for a server.
func (s *statement) key() string { return string(s.tail) }

// The formats of values on the wire.
const (
	formatText   = 0
	formatBinary = 1
)

// describeExecute is what follows each Bind: the unnamed portal is described and run to its end.
func describeExecute(dst []byte) []byte {
	dst = wire.AppendDescribe(dst, 'P', "")
	return wire.AppendExecute(dst, "")
}

// appendBind appends Bind, Describe and Execute. number is the decimal name of the statement; below 0: the unnamed one.
func (s *statement) appendBind(dst []byte, number int, scope *scope) []byte {
	at := len(dst)
	dst = append(dst, wire.ClientBind, 0, 0, 0, 0, 0) // the unnamed portal
	dst = append(appendNumber(dst, number), 0)
	dst = append(dst, s.format...)
	dst = appendPieces(dst, s.params, scope)
	dst = append(dst, s.result...)
	binary.BigEndian.PutUint32(dst[at+1:], uint32(len(dst)-at-1))
	return describeExecute(dst)
}

// appendParse appends a Parse.
func (s *statement) appendParse(dst []byte, number int) []byte {
	at := len(dst)
	dst = append(dst, wire.ClientParse, 0, 0, 0, 0)
	dst = append(appendNumber(dst, number), 0)
	dst = append(dst, s.tail...)
	binary.BigEndian.PutUint32(dst[at+1:], uint32(len(dst)-at-1))
	return dst
}

// appendQuery appends a Query with the parameters in its text.
func (s *statement) appendQuery(dst []byte, scope *scope) []byte {
	at := len(dst)
	dst = append(dst, wire.ClientQuery, 0, 0, 0, 0)
	dst = append(appendPieces(dst, s.query, scope), 0)
	binary.BigEndian.PutUint32(dst[at+1:], uint32(len(dst)-at-1))
	return dst
}

// appendNumber appends a statement's decimal name, nothing below 0.
func appendNumber(dst []byte, number int) []byte {
	if number < 0 {
		return dst
	}
	if number >= 10 {
		dst = appendNumber(dst, number/10)
	}
	return append(dst, '0'+byte(number%10))
}

func appendPieces(dst []byte, pieces []piece, scope *scope) []byte {
	start := 0
	for i := range pieces {
		p := &pieces[i]
		dst = append(dst, p.bytes...)
		switch p.how {
		case asLength:
			dst = append(dst, 0, 0, 0, 0)
			start = len(dst)
			continue
		case asEnd:
			binary.BigEndian.PutUint32(dst[start-4:], uint32(len(dst)-start))
			continue
		}
		if p.slot < 0 {
			continue
		}
		v := scope.variable(p.slot)
		switch p.how {
		case asText:
			dst = appendText(dst, v, scope.name(p.slot))
		case asValue:
			dst = appendValue(dst, v)
		case asLiteral:
			dst = appendLiteral(dst, v)
		}
	}
	return dst
}

func appendText(dst []byte, v *variable, name string) []byte {
	if v.state == unset {
		return append(append(dst, ':'), name...)
	}
	return v.appendTo(dst)
}

func appendValue(dst []byte, v *variable) []byte {
	if v.state == unset {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	at := len(dst)
	dst = v.appendTo(append(dst, 0, 0, 0, 0))
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// appendLiteral appends a variable's text for the inside of a string literal. Backslashes mean themselves there (standard_conforming_strings).
func appendLiteral(dst []byte, v *variable) []byte {
	if v.state == typed {
		return v.value.appendTo(dst) // no quotes in it
	}
	return appendQuoted(dst, v.text)
}

// appendQuoted doubles quotes.
func appendQuoted(dst []byte, s string) []byte {
	for i := range len(s) {
		if s[i] == '\'' {
			dst = append(dst, '\'')
		}
		dst = append(dst, s[i])
	}
	return dst
}
