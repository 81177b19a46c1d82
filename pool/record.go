package pool

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/record"
)

// The recording of traffic (setting record). A client's goroutine copies what it reads and how its transactions end into a buffer of bounded size (tap.go) and never waits; one goroutine
// takes it from there, hides what must be hidden and writes the file. When the disk is too slow messages are left out, and counted. When it fails the recording ends, and nothing else does.

const (
	// mostRecorded bounds each of the two buffers between the clients and the file.
	mostRecorded = 16 << 20
	recordTick   = 100 * time.Millisecond // how often the buffer is emptied when it does not fill up before
	recordFlush  = time.Second            // how often the file is brought up to date
	recordYield  = 16                     // records after which clients may run first: there may be one processor only
)

// recorder writes a recording. Its lock is taken last and never held across I/O.
type recorder struct {
	log    zerolog.Logger
	path   string
	file   *os.File
	out    *record.Writer
	wake   chan struct{}
	ending chan struct{}
	ended  chan struct{}

	leftOut atomic.Uint64 // messages

	mu    sync.Mutex
	buf   []byte // entries
	spare []byte
	most  int
	over  bool // nothing is recorded any longer
}

// newRecorder makes the file at path, which it alone can read. A recording that is there already stays, under another name.
func newRecorder(path, mode string, log zerolog.Logger) (*recorder, error) {
	kept, err := setAside(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if kept != "" {
		log.Info().Str("file", path).Str("now", kept).Msg("an older recording was renamed")
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	how := record.Hashed
	if mode == config.RecordKept {
		how = record.Kept
	}
	out, err := record.NewWriter(file, how, time.Now())
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("record: write %s: %w", path, err)
	}
	return &recorder{
		log: log, path: path, file: file, out: out, most: mostRecorded,
		wake: make(chan struct{}, 1), ending: make(chan struct{}), ended: make(chan struct{}),
	}, nil
}

// setAside renames a file that is at path already, and gives its new name.
func setAside(path string) (string, error) {
	info, err := os.Lstat(path)
	if os.IsNotExist(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is there already and is no file: name another", path)
	}
	for n := 1; ; n++ {
		other := path + "." + strconv.Itoa(n)
		if _, err := os.Lstat(other); os.IsNotExist(err) {
			return other, os.Rename(path, other)
		}
	}
}

// entry is one thing to be recorded, as it stands in the buffer: the fields in this order, then the bytes.
type entry struct {
	kind    record.Kind
	typ     byte // of a message; the status of a ReadyForQuery
	session uint64
	at      int64  // nanoseconds since 1970
	n       uint64 // bytes of the whole message; messages left out; messages of COPY data
	bytes   []byte // of the message, of an SQLSTATE, of the user and the database with a zero between them; COPY data's length in 8 bytes
}

const entryHead = 1 + 1 + 8 + 8 + 8 + 4

// put takes an entry without waiting for anything but the lock; false means that there is no room for it.
func (r *recorder) put(e entry) bool {
	r.mu.Lock()
	if r.over {
		r.mu.Unlock()
		return true
	}
	if len(r.buf)+entryHead+len(e.bytes) > r.most {
		r.mu.Unlock()
		return false
	}
	b := append(r.buf, byte(e.kind), e.typ)
	b = binary.BigEndian.AppendUint64(b, e.session)
	b = binary.BigEndian.AppendUint64(b, uint64(e.at))
	b = binary.BigEndian.AppendUint64(b, e.n)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.bytes)))
	r.buf = append(b, e.bytes...)
	full := len(r.buf) > r.most/4
	r.mu.Unlock()
	if full {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// run writes the file until stop.
func (r *recorder) run() {
	defer close(r.ended)
	t := time.NewTicker(recordTick)
	defer t.Stop()
	flushed := time.Now()
	for {
		last := false
		select {
		case <-r.ending:
			last = true
		case <-r.wake:
		case <-t.C:
		}
		err := r.drain()
		if now := time.Now(); err == nil && now.Sub(flushed) >= recordFlush {
			flushed, err = now, r.out.Flush()
		}
		if err != nil {
			r.fail(err)
			return
		}
		if last {
			r.finish()
			return
		}
	}
}

// drain writes what the clients have put into the buffer. A broken invariant ends the recording alone.
func (r *recorder) drain() (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.log.Error().Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg(reasonPanic)
			err = fmt.Errorf("broken invariant: %v", p)
		}
	}()
	r.mu.Lock()
	full := r.buf
	r.buf, r.spare = r.spare[:0], nil
	r.mu.Unlock()
	for b, n := full, 0; len(b) > 0; n++ {
		var e entry
		e, b = nextEntry(b)
		if err := r.write(e); err != nil {
			return err
		}
		if n%recordYield == recordYield-1 {
			runtime.Gosched()
		}
	}
	r.mu.Lock()
	r.spare = full
	r.mu.Unlock()
	return nil
}

func nextEntry(b []byte) (entry, []byte) {
	e := entry{
		kind: record.Kind(b[0]), typ: b[1], session: binary.BigEndian.Uint64(b[2:]), at: int64(binary.BigEndian.Uint64(b[10:])), n: binary.BigEndian.Uint64(b[18:]),
	}
	size := int(binary.BigEndian.Uint32(b[26:]))
	e.bytes = b[entryHead : entryHead+size]
	return e, b[entryHead+size:]
}

func (r *recorder) write(e entry) error {
	at := time.Unix(0, e.at)
	switch e.kind {
	case record.KindOpened:
		user, database, _ := wire.CString(e.bytes)
		return r.out.Opened(e.session, at, string(user), string(database))
	case record.KindMessage:
		if e.typ == wire.ClientCopyData {
			return r.out.CopyData(e.session, at, int(e.n), int64(binary.BigEndian.Uint64(e.bytes)))
		}
		return r.out.Message(e.session, at, e.typ, e.bytes, int(e.n))
	case record.KindReady:
		return r.out.Ready(e.session, at, wire.TxStatus(e.typ), string(e.bytes))
	case record.KindCopyIn:
		return r.out.CopyIn(e.session, at)
	case record.KindLeftOut:
		return r.out.LeftOut(e.session, at, e.n)
	case record.KindClosed:
		return r.out.Closed(e.session, at, string(e.bytes))
	}
	panic(fmt.Sprintf("no entry of kind %q", e.kind))
}

// fail ends the recording because of the disk.
func (r *recorder) fail(err error) {
	r.mu.Lock()
	r.over, r.buf, r.spare = true, nil, nil
	r.mu.Unlock()
	_ = r.file.Close()
	r.log.Error().Err(err).Str("file", r.path).Msg("recording has ended: it could not be written")
}

func (r *recorder) finish() {
	n := r.leftOut.Load()
	err := r.out.Close(n)
	if cerr := r.file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		r.log.Error().Err(err).Str("file", r.path).Msg("recording could not be ended in good order")
		return
	}
	e := r.log.Info()
	if n > 0 {
		e = r.log.Warn()
	}
	e.Str("file", r.path).Uint64("messages_left_out", n).Msg("recording has ended")
}

// stop ends the recording when every client has gone.
func (r *recorder) stop() {
	if r != nil {
		close(r.ending)
		<-r.ended
	}
}
