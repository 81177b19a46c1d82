package record

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"poolerd/wire"
)

// The errors that a file may be refused with, to be found with errors.Is.
var (
	ErrNotARecording = errors.New("not a recording of poolerd") // never changed, as the others
	ErrVersion       = errors.New("recording of an unknown version")
	ErrCut           = errors.New("recording is cut or damaged")
)

// Reader reads a recording.
type Reader struct {
	Header Header

	r    *bufio.Reader
	at   time.Duration
	body []byte
	done bool
}

// NewReader reads the start of a recording. The error is ErrNotARecording or ErrVersion, or one of r's.
func NewReader(r io.Reader) (*Reader, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, refuse(err)
	}
	b := bufio.NewReader(z)
	head := make([]byte, len(magic)+2)
	if _, err := io.ReadFull(b, head); err != nil {
		return nil, refuse(err)
	}
	switch v := head[len(magic)]; {
	case string(head[:len(magic)]) != magic:
		return nil, ErrNotARecording
	case v != version:
		return nil, fmt.Errorf("%w: %d, and this poolerd reads %d", ErrVersion, v, version)
	}
	mode := Mode(head[len(magic)+1])
	if mode > Kept {
		return nil, fmt.Errorf("%w: its mode is %d", ErrNotARecording, mode)
	}
	start, err := binary.ReadUvarint(b)
	if err != nil {
		return nil, refuse(err)
	}
	return &Reader{Header: Header{mode, time.UnixMicro(int64(start)).UTC()}, r: b}, nil
}

// refuse makes an error of reading the start one that tells what is wrong.
func refuse(err error) error {
	var damaged flate.CorruptInputError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &damaged) {
		return ErrNotARecording
	}
	return err
}

// Next gives the next record: io.EOF after the last one of a recording that ended in good order, ErrCut where a file ends before. The record's slices and strings are the
// caller's.
func (r *Reader) Next() (Record, error) {
	for !r.done {
		rec, known, err := r.next()
		if err != nil {
			r.done = true
			return Record{}, err
		}
		if known {
			return rec, nil
		}
	}
	return Record{}, io.EOF
}

func (r *Reader) next() (rec Record, known bool, err error) {
	kind, err := r.r.ReadByte()
	if err != nil {
		return rec, false, cut(err)
	}
	n, err := binary.ReadUvarint(r.r)
	if err != nil {
		return rec, false, cut(err)
	}
	if n > mostBody {
		return rec, false, fmt.Errorf("%w: a record of %d bytes", ErrCut, n)
	}
	if uint64(cap(r.body)) < n {
		r.body = make([]byte, n)
	}
	if _, err := io.ReadFull(r.r, r.body[:n]); err != nil {
		return rec, false, cut(err)
	}
	f := fields{b: r.body[:n]}
	rec.Kind = Kind(kind)
	switch rec.Kind {
	case KindStatement:
		rec.Statement = f.statement()
	case KindOpened, KindMessage, KindReady, KindCopyIn, KindLeftOut, KindClosed:
		rec.Session = f.uvarint()
		r.at += time.Duration(f.varint()) * time.Microsecond
		rec.At = r.at
		f.of(&rec)
	case KindEnd:
		rec.LeftOut = f.uvarint()
		r.done = true
	default:
		return rec, false, nil
	}
	if f.bad || len(f.b) > 0 {
		return rec, false, fmt.Errorf("%w: a record %q that cannot be read", ErrCut, kind)
	}
	return rec, true, nil
}

func cut(err error) error {
	var damaged flate.CorruptInputError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.As(err, &damaged) {
		return ErrCut
	}
	return fmt.Errorf("%w: %w", ErrCut, err)
}

// of reads the rest of a record that belongs to a session.
func (f *fields) of(rec *Record) {
	switch rec.Kind {
	case KindOpened:
		rec.User, rec.Database = f.string(), f.string()
	case KindMessage:
		rec.Message = f.message()
	case KindReady:
		rec.Status = wire.TxStatus(f.byte())
		rec.Code = f.string()
	case KindLeftOut:
		rec.LeftOut = f.uvarint()
	case KindClosed:
		rec.Code = f.string()
	}
}
