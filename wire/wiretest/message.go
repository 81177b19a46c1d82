package wiretest

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"poolerd/wire"
)

// flight is what one line sends.
type flight struct {
	bytes   []byte
	syncs   int  // how many ReadyForQuery answer it when nothing is skipped
	copyEnd bool // holds CopyDone or CopyFail
}

// readFlight reads the messages of a line.
func readFlight(w *words) (flight, error) {
	var f flight
	for {
		if err := f.message(w); err != nil {
			return f, err
		}
		if !w.done() {
			return f, fmt.Errorf("want | or the end at %.20q", w.rest)
		}
		if !w.bar() {
			return f, nil
		}
	}
}

func (f *flight) message(w *words) error {
	name, err := w.word()
	if err != nil {
		return err
	}
	times := 1
	if name == "repeat" {
		n, err := w.number()
		if err != nil {
			return err
		}
		times = int(n)
		if name, err = w.word(); err != nil {
			return err
		}
	}
	m, err := encode(name, w)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if times*len(m) > maxString {
		return fmt.Errorf("more than %d bytes", maxString)
	}
	for range times {
		f.bytes = append(f.bytes, m...)
	}
	switch m[0] {
	case wire.ClientSync, wire.ClientQuery, wire.ClientFunctionCall:
		f.syncs += times
	case wire.ClientCopyDone, wire.ClientCopyFail:
		f.copyEnd = true
	}
	return nil
}

func encode(name string, w *words) ([]byte, error) {
	switch name {
	case "Bind":
		return encodeBind(w)
	case "Close", "Describe":
		return encodeNamed(name[0], w)
	case "CopyData":
		data, err := w.string()
		return envelope(wire.ClientCopyData, []byte(data)), err
	case "CopyDone":
		return wire.AppendEmpty(nil, wire.ClientCopyDone), nil
	case "CopyFail":
		reason, err := w.string()
		return envelope(wire.ClientCopyFail, zeroed(reason)), err
	case "Execute":
		return encodeExecute(w)
	case "Flush":
		return wire.AppendEmpty(nil, wire.ClientFlush), nil
	case "FunctionCall":
		return encodeFunctionCall(w)
	case "Parse":
		return encodeParse(w)
	case "Query":
		sql, err := w.string()
		return wire.AppendQuery(nil, sql), err
	case "Sync":
		return wire.AppendEmpty(nil, wire.ClientSync), nil
	case "Terminate":
		return wire.AppendEmpty(nil, wire.ClientTerminate), nil
	}
	return nil, fmt.Errorf("no such message")
}

func envelope(typ byte, body []byte) []byte {
	m := binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(body)+4))
	return append(m, body...)
}

func zeroed(s string) []byte { return append([]byte(s), 0) }

// encodeNamed: Close and Describe, whose types are the first letters of their names.
func encodeNamed(typ byte, w *words) ([]byte, error) {
	kind, err := w.word()
	if err != nil {
		return nil, err
	}
	if kind != "S" && kind != "P" {
		return nil, fmt.Errorf("want S or P, not %q", kind)
	}
	name, err := w.string()
	return envelope(typ, append([]byte(kind), zeroed(name)...)), err
}

func encodeExecute(w *words) ([]byte, error) {
	portal, err := w.string()
	if err != nil {
		return nil, err
	}
	rows, err := w.number()
	return envelope(wire.ClientExecute, binary.BigEndian.AppendUint32(zeroed(portal), rows)), err
}

func encodeParse(w *words) ([]byte, error) {
	name, err := w.string()
	if err != nil {
		return nil, err
	}
	sql, err := w.string()
	if err != nil {
		return nil, err
	}
	var oids []uint32
	for !w.done() {
		oid, err := w.number()
		if err != nil {
			return nil, err
		}
		oids = append(oids, oid)
	}
	return wire.AppendParse(nil, name, wire.ParseTail(sql, oids...)), nil
}

func encodeBind(w *words) ([]byte, error) {
	portal, err := w.string()
	if err != nil {
		return nil, err
	}
	statement, err := w.string()
	if err != nil {
		return nil, err
	}
	body := append(zeroed(portal), zeroed(statement)...)
	body, results, err := appendValues(body, w)
	if err != nil {
		return nil, err
	}
	return envelope(wire.ClientBind, appendCodes(body, results)), nil
}

func encodeFunctionCall(w *words) ([]byte, error) {
	oid, err := w.number()
	if err != nil {
		return nil, err
	}
	body, results, err := appendValues(binary.BigEndian.AppendUint32(nil, oid), w)
	if err != nil {
		return nil, err
	}
	if len(results) != 1 {
		return nil, fmt.Errorf("want results=0 or results=1")
	}
	return envelope(wire.ClientFunctionCall, binary.BigEndian.AppendUint16(body, results[0])), nil
}

// appendValues reads the format codes of values and the values, and then the format codes of results.
func appendValues(body []byte, w *words) (_ []byte, results []uint16, err error) {
	codes, err := readCodes(w, "params")
	if err != nil {
		return nil, nil, err
	}
	body = appendCodes(body, codes)
	at := len(body)
	body = append(body, 0, 0)
	n := 0
	for ; !w.done() && !strings.HasPrefix(w.rest, "results="); n++ {
		if word := bareWord.FindString(w.rest); word == "null" {
			w.rest = w.rest[len(word):]
			body = binary.BigEndian.AppendUint32(body, 0xffffffff)
			continue
		}
		value, err := w.string()
		if err != nil {
			return nil, nil, err
		}
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(value))), value...)
	}
	binary.BigEndian.PutUint16(body[at:], uint16(n))
	results, err = readCodes(w, "results")
	return body, results, err
}

func readCodes(w *words, name string) ([]uint16, error) {
	text, ok, err := w.option(name)
	if !ok || err != nil {
		return nil, err
	}
	var codes []uint16
	for code := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseUint(code, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%s=%s: want format codes with commas between them", name, text)
		}
		codes = append(codes, uint16(n))
	}
	return codes, nil
}

func appendCodes(body []byte, codes []uint16) []byte {
	body = binary.BigEndian.AppendUint16(body, uint16(len(codes)))
	for _, code := range codes {
		body = binary.BigEndian.AppendUint16(body, code)
	}
	return body
}
