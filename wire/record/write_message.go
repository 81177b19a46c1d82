package record

import (
	"encoding/binary"
	"time"

	"poolerd/wire"
)

// Message records a message of a client. body is what follows the header; it may be the start of a message that is longer than LargestMessage, whose length, header included, is size.
// Messages of other types than the package's documentation names, and those that are not well formed, are recorded as far as they can be, or not at all.
func (w *Writer) Message(id uint64, at time.Time, typ byte, body []byte, size int) error {
	s := w.sessions[id]
	if s == nil { // messages of a session whose start was left out
		s = newSession()
		w.sessions[id] = s
	}
	whole := len(body) == size-wire.HeaderLen
	switch typ {
	case wire.ClientSync, wire.ClientQuery, wire.ClientFunctionCall:
		s.asked++
	}
	switch typ {
	case wire.ClientParse:
		w.parse(s, id, at, body, size)
	case wire.ClientQuery:
		st := w.query(body, size)
		w.message(id, at, typ)
		w.uint(st.number)
		w.put(KindMessage)
	case wire.ClientBind:
		w.bind(s, id, at, body, size, whole)
	case wire.ClientDescribe, wire.ClientClose:
		w.naming(s, id, at, typ, body)
	case wire.ClientExecute:
		portal, rest, ok := wire.CString(body)
		if !ok || len(rest) != 4 {
			break
		}
		w.message(id, at, typ)
		w.blob(portal)
		w.body = binary.AppendUvarint(w.body, uint64(binary.BigEndian.Uint32(rest)))
		w.put(KindMessage)
	case wire.ClientFunctionCall, wire.ClientCopyFail:
		w.message(id, at, typ)
		w.uint(size)
		w.put(KindMessage)
	case wire.ClientCopyData:
		return w.CopyData(id, at, 1, int64(size-wire.HeaderLen))
	case wire.ClientSync, wire.ClientFlush, wire.ClientCopyDone:
		w.message(id, at, typ)
		w.put(KindMessage)
	}
	return w.err
}

// message begins the body of a message's record.
func (w *Writer) message(id uint64, at time.Time, typ byte) {
	w.begin(id, at)
	w.body = append(w.body, typ)
}

func (w *Writer) parse(s *session, id uint64, at time.Time, body []byte, size int) {
	name, tail, ok := wire.CString(body)
	if !ok {
		return
	}
	st := w.statement("", tail, size-wire.HeaderLen-len(name)-1)
	s.give(string(name), st)
	w.message(id, at, wire.ClientParse)
	w.blob(name)
	w.uint(st.number)
	w.put(KindMessage)
}

// query finds the statement of a simple Query. It takes the client's unnamed statement away, which costs nothing to remember.
func (w *Writer) query(body []byte, size int) *statement {
	return w.statement("Q", body, size-wire.HeaderLen)
}

// statement finds or writes a text. tail is the text, its zero and the types behind it, or the start of it all when its length is size.
func (w *Writer) statement(prefix string, tail []byte, size int) *statement {
	if len(tail) != size {
		return w.newStatement(nil, true, max(size-1, 0), nil, nil)
	}
	if st, ok := w.known[prefix+string(tail)]; ok {
		return st
	}
	text, rest, ok := wire.CString(tail)
	if !ok {
		text, rest = tail, nil
	}
	var types []uint32
	if len(rest) >= 2 {
		for rest = rest[2:]; len(rest) >= 4; rest = rest[4:] {
			types = append(types, binary.BigEndian.Uint32(rest))
		}
	}
	shown, use, withheld := w.veil.text(text, prefix != "")
	st := w.newStatement(shown, withheld, len(text), types, use)
	if w.bytes += len(prefix) + len(tail); w.bytes > mostKnown {
		clear(w.known)
		w.bytes = len(prefix) + len(tail)
	}
	w.known[prefix+string(tail)] = st
	return st
}

func (w *Writer) newStatement(shown []byte, withheld bool, size int, types []uint32, use *use) *statement {
	st := &statement{number: w.count, types: types, use: use}
	w.count++
	flags := byte(0)
	if withheld {
		flags = 1
	}
	w.body = append(w.body[:0], flags)
	w.uint(size)
	w.blob(shown)
	w.uint(len(types))
	for _, t := range types {
		w.body = binary.AppendUvarint(w.body, uint64(t))
	}
	w.put(KindStatement)
	return st
}

func (w *Writer) naming(s *session, id uint64, at time.Time, typ byte, body []byte) {
	if len(body) < 2 || body[0] != 'S' && body[0] != 'P' {
		return
	}
	name, _, ok := wire.CString(body[1:])
	if !ok {
		return
	}
	if typ == wire.ClientClose && body[0] == 'S' {
		delete(s.names, string(name))
	}
	w.message(id, at, typ)
	w.body = append(w.body, body[0])
	w.blob(name)
	w.put(KindMessage)
}

func (w *Writer) bind(s *session, id uint64, at time.Time, body []byte, size int, whole bool) {
	portal, rest, ok := wire.CString(body)
	if !ok {
		return
	}
	name, rest, ok := wire.CString(rest)
	if !ok {
		return
	}
	b, ok := parseBind(rest)
	ok = ok && whole
	w.message(id, at, wire.ClientBind)
	w.uint(size)
	if !ok {
		w.body = append(w.body, 1)
		w.blob(portal)
		w.blob(name)
		w.put(KindMessage)
		return
	}
	w.body = append(w.body, 0)
	w.blob(portal)
	w.blob(name)
	w.formats(b.formats)
	w.uint(len(b.values))
	st := s.names[string(name)]
	for i, v := range b.values {
		if v == nil {
			w.body = append(w.body, 0)
			continue
		}
		shown, standIn := w.veil.param(st, b, i)
		n := 2 * uint64(len(shown)+1)
		if standIn {
			n++
		}
		w.body = append(binary.AppendUvarint(w.body, n), shown...)
	}
	w.formats(b.results)
	w.put(KindMessage)
}

func (w *Writer) formats(list []uint16) {
	w.uint(len(list))
	for _, f := range list {
		w.body = binary.AppendUvarint(w.body, uint64(f))
	}
}

// bound is a Bind behind its names. A value is nil for NULL; values point into the message.
type bound struct {
	formats, results []uint16
	values           [][]byte
}

// format gives the format of a parameter: 0 for text, 1 for binary.
func (b *bound) format(i int) uint16 {
	switch {
	case len(b.formats) == 1:
		return b.formats[0]
	case i < len(b.formats):
		return b.formats[i]
	}
	return 0
}

// parseBind reads a Bind behind its names.
func parseBind(rest []byte) (b *bound, ok bool) {
	b = &bound{}
	if b.formats, rest, ok = parseFormats(rest); !ok || len(rest) < 2 {
		return nil, false
	}
	n := int(binary.BigEndian.Uint16(rest))
	rest = rest[2:]
	b.values = make([][]byte, n)
	for i := range b.values {
		if len(rest) < 4 {
			return nil, false
		}
		size := int32(binary.BigEndian.Uint32(rest))
		rest = rest[4:]
		if size == -1 {
			continue
		}
		if size < 0 || int(size) > len(rest) {
			return nil, false
		}
		b.values[i], rest = rest[:size:size], rest[size:]
	}
	if b.results, rest, ok = parseFormats(rest); !ok || len(rest) > 0 {
		return nil, false
	}
	return b, true
}

func parseFormats(rest []byte) (list []uint16, _ []byte, ok bool) {
	if len(rest) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(rest))
	if rest = rest[2:]; len(rest) < 2*n {
		return nil, nil, false
	}
	if n > 0 {
		list = make([]uint16, n)
	}
	for i := range list {
		list[i] = binary.BigEndian.Uint16(rest[2*i:])
	}
	return list, rest[2*n:], true
}
