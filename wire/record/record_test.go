package record_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"poolerd/wire"
	"poolerd/wire/record"
)

// start is a time with whole microseconds.
var start = time.UnixMicro(1_700_000_000_123_456) // never changed

// bind is the body of a Bind with parameters in one format.
func bind(portal, name string, format uint16, values ...string) []byte {
	b := append([]byte(portal+"\x00"+name+"\x00"), 0, 1)
	b = binary.BigEndian.AppendUint16(b, format)
	b = binary.BigEndian.AppendUint16(b, uint16(len(values)))
	for _, v := range values {
		if v == "NULL" {
			b = binary.BigEndian.AppendUint32(b, 0xffffffff)
			continue
		}
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	return append(b, 0, 1, 0, 1)
}

func parse(name, sql string, types ...uint32) []byte {
	return append([]byte(name+"\x00"), wire.ParseTail(sql, types...)...)
}

// tape is a recording under way.
type tape struct {
	t *testing.T
	w *record.Writer
	b *bytes.Buffer
	n int
}

func newTape(t *testing.T, mode record.Mode) *tape {
	t.Helper()
	var b bytes.Buffer
	w, err := record.NewWriter(&b, mode, start)
	if err != nil {
		t.Fatal(err)
	}
	return &tape{t: t, w: w, b: &b}
}

func (p *tape) at() time.Time {
	p.n++
	return start.Add(time.Duration(p.n) * time.Millisecond)
}

func (p *tape) message(id uint64, typ byte, body []byte) {
	p.t.Helper()
	if err := p.w.Message(id, p.at(), typ, body, len(body)+wire.HeaderLen); err != nil {
		p.t.Fatal(err)
	}
}

// end closes the recording and gives its records and its decompressed bytes.
func (p *tape) end() ([]record.Record, string) {
	p.t.Helper()
	if err := p.w.Close(7); err != nil {
		p.t.Fatal(err)
	}
	r, err := record.NewReader(bytes.NewReader(p.b.Bytes()))
	if err != nil {
		p.t.Fatal(err)
	}
	if !r.Header.Start.Equal(start) {
		p.t.Errorf("it starts at %v, want %v", r.Header.Start, start)
	}
	var all []record.Record
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, rec)
	}
	z, err := gzip.NewReader(bytes.NewReader(p.b.Bytes()))
	if err != nil {
		p.t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		p.t.Fatal(err)
	}
	return all, string(raw)
}

func TestRoundTrip(t *testing.T) {
	p := newTape(t, record.Kept)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(p.w.Opened(3, p.at(), "joe", "d"))
	p.message(3, wire.ClientParse, parse("0", "SELECT $1, $2", 23, 25))
	p.message(3, wire.ClientBind, bind("p", "0", 0, "42", "NULL", ""))
	p.message(3, wire.ClientDescribe, []byte("Pp\x00"))
	p.message(3, wire.ClientDescribe, []byte("S0\x00"))
	p.message(3, wire.ClientExecute, []byte("p\x00\x00\x00\x00\x09"))
	p.message(3, wire.ClientClose, []byte("S0\x00"))
	p.message(3, wire.ClientSync, nil)
	must(p.w.Ready(3, p.at(), wire.TxFailed, "22012"))
	p.message(3, wire.ClientQuery, []byte("COPY t FROM STDIN\x00"))
	must(p.w.CopyIn(3, p.at()))
	must(p.w.CopyData(3, p.at(), 5, 1000))
	p.message(3, wire.ClientCopyDone, nil)
	must(p.w.Ready(3, p.at(), wire.TxIdle, ""))
	p.message(3, wire.ClientQuery, []byte("COPY t FROM STDIN\x00"))
	must(p.w.LeftOut(3, p.at(), 9))
	must(p.w.Closed(3, p.at(), "57P01"))
	got, _ := p.end()
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	message := func(n int, m record.Message) record.Record {
		return record.Record{Kind: record.KindMessage, Session: 3, At: ms(n), Message: m}
	}
	want := []record.Record{
		{Kind: record.KindOpened, Session: 3, At: ms(1), User: "joe", Database: "d"},
		{Kind: record.KindStatement, Statement: record.Statement{Text: "SELECT $1, $2", Types: []uint32{23, 25}, Size: 13}},
		message(2, record.Message{Type: wire.ClientParse, Name: "0"}),
		message(3, record.Message{
			Type: wire.ClientBind, Size: 5 + 36 - 5, Portal: "p", Name: "0", Formats: []uint16{0}, Params: []record.Param{{Value: []byte("42")}, {}, {Value: []byte{}}}, Results: []uint16{1},
		}),
		message(4, record.Message{Type: wire.ClientDescribe, Kind: 'P', Portal: "p"}),
		message(5, record.Message{Type: wire.ClientDescribe, Kind: 'S', Name: "0"}),
		message(6, record.Message{Type: wire.ClientExecute, Portal: "p", Rows: 9}),
		message(7, record.Message{Type: wire.ClientClose, Kind: 'S', Name: "0"}),
		message(8, record.Message{Type: wire.ClientSync}),
		{Kind: record.KindReady, Session: 3, At: ms(9), Status: wire.TxFailed, Code: "22012"},
		{Kind: record.KindStatement, Statement: record.Statement{Text: "COPY t FROM STDIN", Size: 17}},
		message(10, record.Message{Type: wire.ClientQuery, Statement: 1}),
		{Kind: record.KindCopyIn, Session: 3, At: ms(11)},
		message(12, record.Message{Type: wire.ClientCopyData, Count: 5, Bytes: 1000}),
		message(13, record.Message{Type: wire.ClientCopyDone}),
		{Kind: record.KindReady, Session: 3, At: ms(14), Status: wire.TxIdle},
		message(15, record.Message{Type: wire.ClientQuery, Statement: 1}),
		{Kind: record.KindLeftOut, Session: 3, At: ms(16), LeftOut: 9},
		{Kind: record.KindClosed, Session: 3, At: ms(17), Code: "57P01"},
		{Kind: record.KindEnd, LeftOut: 7},
	}
	for i := range want {
		if i < len(got) && want[i].Message.Size > 0 {
			want[i].Message.Size = wire.HeaderLen + len(bind("p", "0", 0, "42", "NULL", ""))
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// TestLarge: of what is too large there are the names and the size.
func TestLarge(t *testing.T) {
	p := newTape(t, record.Kept)
	body := bind("", "name", 0, strings.Repeat("x", 5000))
	if err := p.w.Message(1, p.at(), wire.ClientBind, body[:100], wire.HeaderLen+len(body)); err != nil {
		t.Fatal(err)
	}
	text := []byte("SELECT '" + strings.Repeat("x", 5000) + "'\x00")
	if err := p.w.Message(1, p.at(), wire.ClientQuery, text[:100], wire.HeaderLen+len(text)); err != nil {
		t.Fatal(err)
	}
	got, raw := p.end()
	if strings.Contains(raw, "xxx") {
		t.Errorf("contents are in the file: %q", raw)
	}
	if m := got[0].Message; !m.Withheld || m.Name != "name" || m.Size != wire.HeaderLen+len(body) {
		t.Errorf("the Bind is %+v", m)
	}
	if s := got[1].Statement; !s.Withheld || s.Text != "" || s.Size != len(text)-1 {
		t.Errorf("the text is %+v", s)
	}
}

// TestCut: a file that ends anywhere gives what was flushed before, and says that it is cut.
func TestCut(t *testing.T) {
	p := newTape(t, record.Hashed)
	if err := p.w.Opened(1, p.at(), "u", "d"); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		p.message(1, wire.ClientQuery, []byte("SELECT 1\x00"))
	}
	if err := p.w.Flush(); err != nil {
		t.Fatal(err)
	}
	flushed := p.b.Len()
	p.message(1, wire.ClientQuery, []byte("SELECT 2\x00"))
	if err := p.w.Close(0); err != nil {
		t.Fatal(err)
	}
	for n := range p.b.Len() {
		r, err := record.NewReader(bytes.NewReader(p.b.Bytes()[:n]))
		count := 0
		for err == nil {
			if _, err = r.Next(); err == nil {
				count++
			}
		}
		switch {
		case errors.Is(err, record.ErrNotARecording) && n < 60:
		case !errors.Is(err, record.ErrCut) && !(errors.Is(err, io.EOF) && n > flushed):
			t.Errorf("cut at %d of %d: %v", n, p.b.Len(), err)
		case n >= flushed && count < 102:
			t.Errorf("cut at %d, behind the flush at %d: %d records", n, flushed, count)
		}
	}
}

func TestRefused(t *testing.T) {
	zip := func(s string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(s))
		_ = z.Close()
		return b.Bytes()
	}
	for _, c := range []struct {
		name string
		file []byte
		want error
	}{
		{"empty", nil, record.ErrNotARecording},
		{"text", []byte("SELECT 1; SELECT 2; SELECT 3"), record.ErrNotARecording},
		{"other gzip", zip("SELECT 1; SELECT 2; SELECT 3"), record.ErrNotARecording},
		{"short gzip", zip("pool"), record.ErrNotARecording},
		{"version", zip("poolerd recording\n\x02\x00\x00"), record.ErrVersion},
		{"mode", zip("poolerd recording\n\x01\x09\x00"), record.ErrNotARecording},
	} {
		if _, err := record.NewReader(bytes.NewReader(c.file)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := record.NewWriter(io.Discard, 9, start); err == nil {
		t.Error("an unknown mode was taken")
	}
}

type fullDisk struct{ left int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.left -= len(p); d.left < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

func TestFullDisk(t *testing.T) {
	w, err := record.NewWriter(&fullDisk{left: 100}, record.Hashed, start)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; err == nil && i < 1000; i++ {
		_ = w.Ready(1, start, wire.TxIdle, "")
		err = w.Flush()
	}
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Fatalf("got %v", err)
	}
	if w.Ready(1, start, wire.TxIdle, "") == nil || w.Close(0) == nil {
		t.Error("the error is forgotten")
	}
}
