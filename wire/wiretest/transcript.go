package wiretest

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"slices"
	"strings"

	"poolerd/wire"
)

const (
	// maxLine is how many bytes of a message's trace are shown.
	maxLine = 1000

	// maxRow is how many neighbouring messages of one type are shown.
	maxRow = 12
)

// transcript is a script with the replies of a server.
type transcript struct {
	out strings.Builder

	// portable leaves out what only some versions of PostgreSQL say.
	portable bool

	// silent leaves out what makes up the welcome of a session, but for the messages that end it.
	silent bool

	row       rowOfMessages
	reports   []string              // lines of neighbouring ParameterStatus, to be sorted
	reporting map[string]*reporting // by connection
}

// rowOfMessages counts neighbouring messages of one type.
type rowOfMessages struct {
	conn  string
	typ   byte
	count int
	bytes int
	hash  hash.Hash // of those that are not shown
}

func (t *transcript) line(text string) {
	t.flush()
	t.out.WriteString(text)
	t.out.WriteByte('\n')
}

// reply adds a message from a server.
func (t *transcript) reply(conn string, message []byte) {
	r := t.reporting[conn]
	if r == nil {
		r = &reporting{}
		if t.reporting == nil {
			t.reporting = map[string]*reporting{}
		}
		t.reporting[conn] = r
	}
	for _, m := range r.late(message) {
		t.show(conn, m)
	}
}

func (t *transcript) show(conn string, message []byte) {
	message = Normalize(message)
	if t.silent && welcomes(message[0]) {
		return
	}
	if t.portable {
		if message = portable(message); message == nil {
			return
		}
	}
	if message[0] == wire.ServerParameterStatus {
		t.report(conn, message)
		return
	}
	t.sortReports()
	if t.row.conn != conn || t.row.typ != message[0] {
		t.endRow()
		t.row = rowOfMessages{conn: conn, typ: message[0], hash: sha256.New()}
	}
	t.row.count++
	if t.row.count > maxRow {
		t.row.bytes += len(message)
		t.row.hash.Write(message)
		return
	}
	fmt.Fprintf(&t.out, "%s %s\n", conn, shorten(wire.AppendTrace(nil, wire.FromServer, message)))
}

func welcomes(typ byte) bool {
	return typ == wire.ServerAuthentication || typ == wire.ServerParameterStatus || typ == wire.ServerBackendKeyData
}

func (t *transcript) report(conn string, message []byte) {
	t.endRow()
	t.reports = append(t.reports, fmt.Sprintf("%s %s\n", conn, wire.AppendTrace(nil, wire.FromServer, message)))
}

func (t *transcript) sortReports() {
	slices.SortFunc(t.reports, func(a, b string) int { return strings.Compare(name(a), name(b)) })
	for _, line := range t.reports {
		t.out.WriteString(line)
	}
	t.reports = nil
}

// name is the part of a ParameterStatus' line behind its length.
func name(line string) string { return line[strings.Index(line, "ParameterStatus"):] }

func (t *transcript) endRow() {
	if n := t.row.count - maxRow; n > 0 {
		fmt.Fprintf(&t.out, "%s B ... %d more %s, %d bytes, sha256 %.8x\n", t.row.conn, n, wire.MessageName(wire.FromServer, t.row.typ), t.row.bytes, t.row.hash.Sum(nil))
	}
	t.row = rowOfMessages{}
}

func (t *transcript) flush() {
	t.sortReports()
	t.endRow()
}

func (t *transcript) text() string {
	t.flush()
	return t.out.String()
}

// shorten cuts a long line.
func shorten(line []byte) []byte {
	if len(line) <= maxLine {
		return line
	}
	return fmt.Appendf(line[:maxLine/5:maxLine/5], " ... %d bytes, sha256 %.8x", len(line), sha256.Sum256(line))
}
