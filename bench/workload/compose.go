package workload

import (
	"encoding/binary"
	"strings"

	"poolerd/wire"
)

// assembler puts pieces together, and what does not change between two variables into one.
type assembler struct {
	pieces []piece
	bytes  []byte
}

func (a *assembler) text(s string)             { a.bytes = append(a.bytes, s...) }
func (a *assembler) variable(n int, p putting) { a.put(piece{slot: n, how: p}) }
func (a *assembler) mark(p putting)            { a.put(piece{slot: -1, how: p}) }

func (a *assembler) put(p piece) {
	p.bytes, a.bytes = a.bytes, nil
	a.pieces = append(a.pieces, p)
}

func (a *assembler) done() []piece {
	if len(a.bytes) > 0 {
		a.put(piece{slot: -1})
	}
	return a.pieces
}

// parameter is one $n of a built-in statement.
type parameter struct {
	oid    uint32
	format uint16
	text   string // in which :name stands for a variable
	cast   string // what follows it as a literal
}

// The types that PostgREST gives its parameters.
const (
	oidJSON    = 114
	oidUnknown = 705
)

// plain is a parameter whose type the server finds out.
func plain(text string) parameter { return parameter{oid: oidUnknown, text: text} }

// body is a request's body.
func body(text string) parameter {
	return parameter{oid: oidJSON, format: formatBinary, text: text, cast: "::json"}
}

// compose makes a statement as PostgREST sends it: parameters with types, the results binary.
func (p *program) compose(sql string, params ...parameter) *statement {
	oids := make([]uint32, len(params))
	s := &statement{format: binary.BigEndian.AppendUint16(nil, uint16(len(params)))}
	var values assembler
	for i, param := range params {
		oids[i] = param.oid
		s.format = binary.BigEndian.AppendUint16(s.format, param.format)
		p.assembleValue(&values, param.text)
	}
	s.format = binary.BigEndian.AppendUint16(s.format, uint16(len(params)))
	s.tail = wire.ParseTail(sql, oids...)
	s.params = values.done()
	s.result = []byte{0, 1, 0, formatBinary}
	s.query = p.literals(sql, params)
	return s
}

// assembleValue adds a parameter's length and text.
func (p *program) assembleValue(a *assembler, text string) {
	parts := splitVariables(text)
	switch {
	case len(parts) == 1 && parts[0].name == "", len(parts) == 0:
		a.bytes = binary.BigEndian.AppendUint32(a.bytes, uint32(len(text)))
		a.text(text)
		return
	case len(parts) == 1:
		a.variable(p.variable(parts[0].name), asValue)
		return
	}
	a.mark(asLength)
	for _, part := range parts {
		if part.name == "" {
			a.text(part.text)
		} else {
			a.variable(p.variable(part.name), asText)
		}
	}
	a.mark(asEnd)
}

// literals is the statement as a text without parameters.
func (p *program) literals(sql string, params []parameter) []piece {
	var a assembler
	for {
		before, after, found := strings.Cut(sql, "$")
		a.text(before)
		if !found {
			return a.done()
		}
		if after == "" || !isDigit(after[0]) {
			a.text("$")
			sql = after
			continue
		}
		param := params[after[0]-'1']
		a.text("'")
		for _, part := range splitVariables(param.text) {
			if part.name == "" {
				a.bytes = appendQuoted(a.bytes, part.text)
			} else {
				a.variable(p.variable(part.name), asLiteral)
			}
		}
		a.text("'" + param.cast)
		sql = after[1:]
	}
}

// part is a text, or a variable's name.
type part struct{ text, name string }

// splitVariables divides a text at each :name; a name behind two colons is a type's.
func splitVariables(s string) []part {
	var parts []part
	start := 0
	for i := 0; i < len(s); i++ {
		if s[i] != ':' {
			continue
		}
		n := nameLength(s[i+1:])
		if n == 0 {
			for i+1 < len(s) && s[i+1] == ':' {
				i++
			}
			continue
		}
		if i > start {
			parts = append(parts, part{text: s[start:i]})
		}
		parts = append(parts, part{name: s[i+1 : i+1+n]})
		start = i + 1 + n
		i = start - 1
	}
	if start < len(s) {
		parts = append(parts, part{text: s[start:]})
	}
	return parts
}
