package client

import (
	"encoding/binary"
	"strings"

	"poolerd/bench/workload"
	"poolerd/wire"
)

// replies reads what a server sends, in pieces of any size. Messages that matter are looked into when they are whole; all others are skipped by their header.
type replies struct {
	ready  int  // ReadyForQuery so far
	status byte // of the last one
	copyIn bool
	rows   bool // look at rows too

	code  string // the first error's
	text  string // its own words, where its code is met for the first time
	fatal bool   // the server ends the connection: code and text say why
	wrong bool   // what came is not the protocol

	columns []string
	row     []*string

	notified func(payload []byte) // may be nil

	codes map[string]string // SQLSTATEs met so far, so that each is allocated once
	skip  int               // of a message that nobody wants, bytes still to come
	part  []byte            // the begin of a message, or of its header, whose rest is still to come
}

// begin makes ready for the replies to a flight.
func (r *replies) begin(rows bool) {
	r.ready, r.status, r.copyIn, r.rows = 0, 0, false, rows
	r.code, r.text = "", ""
	r.columns, r.row = nil, nil
}

// feed reads the next bytes.
func (r *replies) feed(b []byte) {
	for len(b) > 0 && !r.wrong {
		switch {
		case r.skip > 0:
			n := min(r.skip, len(b))
			r.skip -= n
			b = b[n:]
		case len(r.part) > 0 || len(b) < wire.HeaderLen:
			b = r.join(b)
		default:
			b = r.message(b)
		}
	}
}

// message takes the message at the start of b, which holds its header at least, and returns what follows.
func (r *replies) message(b []byte) []byte {
	typ, size, ok := wire.Header(b)
	if !ok {
		r.wrong = true
		return nil
	}
	if len(b) >= size {
		r.take(typ, b[wire.HeaderLen:size])
		return b[size:]
	}
	if r.wanted(typ) {
		r.part = append(r.part, b...)
	} else {
		r.skip = size - len(b)
	}
	return nil
}

// join adds to the part of a message what b has of it, and returns what follows.
func (r *replies) join(b []byte) []byte {
	n := min(max(wire.HeaderLen-len(r.part), 0), len(b))
	r.part = append(r.part, b[:n]...)
	b = b[n:]
	if len(r.part) < wire.HeaderLen {
		return nil
	}
	typ, size, ok := wire.Header(r.part)
	if !ok {
		r.wrong = true
		return nil
	}
	if !r.wanted(typ) {
		r.skip = size - len(r.part)
		r.part = r.part[:0]
		if r.skip == 0 {
			r.take(typ, nil)
		}
		return b
	}
	n = min(size-len(r.part), len(b))
	r.part = append(r.part, b[:n]...)
	if len(r.part) == size {
		r.take(typ, r.part[wire.HeaderLen:])
		r.part = r.part[:0]
	}
	return b[n:]
}

// wanted tells whether a message is looked into.
func (r *replies) wanted(typ byte) bool {
	switch typ {
	case wire.ServerReadyForQuery, wire.ServerErrorResponse, wire.ServerCopyInResponse:
		return true
	case wire.ServerNotificationResponse:
		return r.notified != nil
	case wire.ServerRowDescription, wire.ServerDataRow:
		return r.rows
	}
	return false
}

// take looks into a whole message.
func (r *replies) take(typ byte, body []byte) {
	switch typ {
	case wire.ServerReadyForQuery:
		if len(body) != 1 {
			r.wrong = true
			return
		}
		r.ready++
		r.status = body[0]
	case wire.ServerErrorResponse:
		r.failed(body)
	case wire.ServerCopyInResponse:
		r.copyIn = true
	case wire.ServerNotificationResponse:
		if r.notified != nil {
			r.notify(body)
		}
	case wire.ServerRowDescription:
		if r.rows {
			r.describe(body)
		}
	case wire.ServerDataRow:
		if r.rows {
			r.keep(body)
		}
	}
}

func (r *replies) failed(body []byte) {
	r.fatal = r.fatal || wire.Ends(body)
	if r.code != "" && !r.fatal {
		return
	}
	sqlState := wire.ErrorCode(body)
	code, met := r.codes[string(sqlState)]
	if !met {
		code = string(sqlState)
		if code == "" {
			code = string(wire.CodeInternalError) // an error without a code, which PostgreSQL does not send
		}
		if r.codes == nil {
			r.codes = map[string]string{}
		}
		r.codes[string(sqlState)] = code
	}
	r.code = code
	if !met || r.fatal {
		r.text = words(body)
	}
}

// words gives what an ErrorResponse says in words. The value that a data exception (class 22) quotes is a parameter, or may be one: it is left out.
func words(body []byte) string {
	e, err := wire.ParseError(body)
	if err != nil {
		return "an error message that has no end"
	}
	if strings.HasPrefix(string(e.Code), "22") {
		e.Message, _, _ = strings.Cut(e.Message, `: "`)
	}
	return e.Severity + ": " + e.Message
}

// notify reads a NotificationResponse: the sender's process, channel, payload.
func (r *replies) notify(body []byte) {
	if len(body) < 4 {
		r.wrong = true
		return
	}
	_, rest, ok := wire.CString(body[4:])
	payload, _, whole := wire.CString(rest)
	if !ok || !whole {
		r.wrong = true
		return
	}
	r.notified(payload)
}

// describe reads a RowDescription's names.
func (r *replies) describe(body []byte) {
	const behindName = 4 + 2 + 4 + 2 + 4 + 2 // table, column, type, its length, its modifier, format
	r.columns = r.columns[:0]
	if len(body) < 2 {
		r.wrong = true
		return
	}
	n := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	for range n {
		name, rest, ok := wire.CString(body)
		if !ok || len(rest) < behindName {
			r.wrong = true
			return
		}
		r.columns = append(r.columns, string(name))
		body = rest[behindName:]
	}
}

// keep reads a DataRow. The session gets the last one of the flight.
func (r *replies) keep(body []byte) {
	r.row = r.row[:0]
	if len(body) < 2 {
		r.wrong = true
		return
	}
	n := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	for range n {
		if len(body) < 4 {
			r.wrong = true
			return
		}
		size := int(int32(binary.BigEndian.Uint32(body)))
		body = body[4:]
		if size < 0 {
			r.row = append(r.row, nil)
			continue
		}
		if size > len(body) {
			r.wrong = true
			return
		}
		value := string(body[:size])
		r.row = append(r.row, &value)
		body = body[size:]
	}
}

// outcome is what the session is told.
func (r *replies) outcome() workload.Outcome {
	o := workload.Outcome{Code: r.code, Status: r.status}
	if r.row != nil {
		o.Columns, o.Row = r.columns, r.row
	}
	return o
}
