package record

import (
	"compress/gzip"
	"encoding/binary"
	"io"
	"time"

	"poolerd/wire"
)

// Writer makes a recording. It is for one goroutine.
type Writer struct {
	z        *gzip.Writer
	mode     Mode
	start    time.Time
	at       int64 // of the last record with a time, in microseconds
	veil     *veil
	sessions map[uint64]*session
	known    map[string]*statement // by text and types, as in the tail of a Parse; "Q" before a Query's
	bytes    int                   // of the keys in known
	count    int                   // statements in the file
	body     []byte
	pending  []byte // records on their way to z, which likes them in larger pieces
	err      error
}

// mostKnown bounds the texts that are remembered; when they are more, all are forgotten and written again where they come back.
const mostKnown = 32 << 20

// NewWriter begins a recording on w. start is the time that records count from.
func NewWriter(w io.Writer, mode Mode, start time.Time) (*Writer, error) {
	veil, err := newVeil(mode)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	r := &Writer{z: z, mode: mode, start: start, veil: veil, sessions: map[uint64]*session{}, known: map[string]*statement{}}
	head := append([]byte(magic), version, byte(mode))
	_, r.err = z.Write(binary.AppendUvarint(head, uint64(start.UnixMicro())))
	return r, r.Flush()
}

// Flush brings what was recorded to the file. Like every method it gives the first error of the file, after which nothing is written.
func (w *Writer) Flush() error {
	if w.settle(); w.err == nil {
		w.err = w.z.Flush()
	}
	return w.err
}

const mostPending = 16 << 10

func (w *Writer) settle() {
	if w.err == nil && len(w.pending) > 0 {
		_, w.err = w.z.Write(w.pending)
	}
	w.pending = w.pending[:0]
}

// Close ends the recording in good order. leftOut is how many messages are missing in all. It does not close the file.
func (w *Writer) Close(leftOut uint64) error {
	w.body = binary.AppendUvarint(w.body[:0], leftOut)
	w.put(KindEnd)
	if w.settle(); w.err == nil {
		w.err = w.z.Close()
	}
	return w.err
}

// put writes the body as a record.
func (w *Writer) put(kind Kind) {
	if w.err != nil {
		return
	}
	w.pending = append(binary.AppendUvarint(append(w.pending, byte(kind)), uint64(len(w.body))), w.body...)
	if len(w.pending) >= mostPending {
		w.settle()
	}
}

// begin starts the body of a record of a session.
func (w *Writer) begin(id uint64, at time.Time) {
	us := at.Sub(w.start).Microseconds()
	w.body = binary.AppendVarint(binary.AppendUvarint(w.body[:0], id), us-w.at)
	w.at = us
}

func (w *Writer) string(s string) {
	w.body = append(binary.AppendUvarint(w.body, uint64(len(s))), s...)
}

func (w *Writer) blob(s []byte) {
	w.body = append(binary.AppendUvarint(w.body, uint64(len(s))), s...)
}

func (w *Writer) uint(v int) { w.body = binary.AppendUvarint(w.body, uint64(max(v, 0))) }

// Opened records that a client has logged in.
func (w *Writer) Opened(id uint64, at time.Time, user, database string) error {
	w.sessions[id] = newSession()
	w.begin(id, at)
	w.string(user)
	w.string(database)
	w.put(KindOpened)
	return w.err
}

// Closed records that a client has gone. code is the SQLSTATE of the error that ended its session, if one did.
func (w *Writer) Closed(id uint64, at time.Time, code string) error {
	delete(w.sessions, id)
	w.begin(id, at)
	w.string(code)
	w.put(KindClosed)
	return w.err
}

// Ready records that a client was sent a ReadyForQuery.
func (w *Writer) Ready(id uint64, at time.Time, status wire.TxStatus, code string) error {
	if s := w.sessions[id]; s != nil {
		s.ready(code != "")
	}
	w.begin(id, at)
	w.body = append(w.body, byte(status))
	w.string(code)
	w.put(KindReady)
	return w.err
}

// CopyIn records that a client was told to send the data of a COPY.
func (w *Writer) CopyIn(id uint64, at time.Time) error {
	w.begin(id, at)
	w.put(KindCopyIn)
	return w.err
}

// LeftOut records that messages of a client are missing.
func (w *Writer) LeftOut(id uint64, at time.Time, messages uint64) error {
	w.begin(id, at)
	w.body = binary.AppendUvarint(w.body, messages)
	w.put(KindLeftOut)
	return w.err
}

// CopyData records that a client sent data of a COPY.
func (w *Writer) CopyData(id uint64, at time.Time, messages int, bytes int64) error {
	w.begin(id, at)
	w.body = append(w.body, wire.ClientCopyData)
	w.uint(messages)
	w.body = binary.AppendUvarint(w.body, uint64(max(bytes, 0)))
	w.put(KindMessage)
	return w.err
}
