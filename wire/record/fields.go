package record

import (
	"encoding/binary"
	"math"

	"poolerd/wire"
)

// fields reads the body of a record. After something that is not there, bad is set and all that follows is zero.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) fail() {
	f.b, f.bad = nil, true
}

func (f *fields) byte() byte {
	if len(f.b) == 0 {
		f.fail()
		return 0
	}
	c := f.b[0]
	f.b = f.b[1:]
	return c
}

func (f *fields) uvarint() uint64 {
	v, n := binary.Uvarint(f.b)
	if n <= 0 {
		f.fail()
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) varint() int64 {
	v, n := binary.Varint(f.b)
	if n <= 0 {
		f.fail()
		return 0
	}
	f.b = f.b[n:]
	return v
}

// int reads a number that is no larger than most.
func (f *fields) int(most uint64) int {
	v := f.uvarint()
	if v > most {
		f.fail()
		return 0
	}
	return int(v)
}

// count reads how many things follow, each of which takes a byte at least.
func (f *fields) count() int { return f.int(uint64(len(f.b))) }

func (f *fields) bytes(n int) []byte {
	if n < 0 || n > len(f.b) {
		f.fail()
		return nil
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

func (f *fields) string() string { return string(f.bytes(f.count())) }

func (f *fields) formats() []uint16 {
	n := f.count()
	if n == 0 {
		return nil
	}
	list := make([]uint16, n)
	for i := range list {
		list[i] = uint16(f.int(math.MaxUint16))
	}
	return list
}

func (f *fields) statement() Statement {
	s := Statement{Withheld: f.byte()&1 != 0, Size: f.int(math.MaxInt32), Text: f.string()}
	for n := f.count(); n > 0 && !f.bad; n-- {
		s.Types = append(s.Types, uint32(f.int(math.MaxUint32)))
	}
	return s
}

func (f *fields) message() Message {
	m := Message{Type: f.byte()}
	switch m.Type {
	case wire.ClientParse:
		m.Name, m.Statement = f.string(), f.int(math.MaxInt32)
	case wire.ClientBind:
		f.bind(&m)
	case wire.ClientDescribe, wire.ClientClose:
		m.Kind = f.byte()
		if m.Kind == 'S' {
			m.Name = f.string()
		} else {
			m.Portal = f.string()
		}
	case wire.ClientExecute:
		m.Portal, m.Rows = f.string(), uint32(f.int(math.MaxUint32))
	case wire.ClientQuery:
		m.Statement = f.int(math.MaxInt32)
	case wire.ClientFunctionCall, wire.ClientCopyFail:
		m.Size = f.int(math.MaxInt32)
	case wire.ClientCopyData:
		m.Count, m.Bytes = f.int(math.MaxInt32), int64(f.int(math.MaxInt64))
	case wire.ClientSync, wire.ClientFlush, wire.ClientCopyDone:
	default:
		f.fail()
	}
	return m
}

func (f *fields) bind(m *Message) {
	m.Size, m.Withheld = f.int(math.MaxInt32), f.byte() != 0
	m.Portal, m.Name = f.string(), f.string()
	if m.Withheld {
		return
	}
	m.Formats = f.formats()
	n := f.count()
	if n > 0 {
		m.Params = make([]Param, n)
	}
	for i := range m.Params {
		v := f.uvarint()
		if v == 0 || f.bad {
			continue
		}
		if v > 2*uint64(len(f.b)+1)+1 || v < 2 {
			f.fail()
			return
		}
		m.Params[i] = Param{append([]byte{}, f.bytes(int(v/2)-1)...), v&1 != 0}
	}
	m.Results = f.formats()
}
