package client

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"poolerd/wire"
)

func message(typ byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(body)+4)), body...)
}

// described is a RowDescription of text columns.
func described(names ...string) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(names)))
	for _, n := range names {
		body = append(append(body, n...), make([]byte, 1+18)...)
	}
	return message(wire.ServerRowDescription, body)
}

// rowed is a DataRow; "NULL" stands for null.
func rowed(values ...string) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(values)))
	for _, v := range values {
		if v == "NULL" {
			body = append(body, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(v))), v...)
	}
	return message(wire.ServerDataRow, body)
}

func notification(payload string) []byte {
	return message(wire.ServerNotificationResponse, append([]byte{0, 0, 0, 1}, "c\x00"+payload+"\x00"...))
}

// summary is all that replies know, as text.
func summary(r *replies, payloads []string) string {
	var row []string
	for _, v := range r.row {
		if v == nil {
			row = append(row, "NULL")
			continue
		}
		row = append(row, *v)
	}
	return fmt.Sprintf("ready=%d%c copy=%v code=%s text=%s fatal=%v wrong=%v %v=%v heard=%v",
		r.ready, r.status|' ', r.copyIn, r.code, r.text, r.fatal, r.wrong, r.columns, row, payloads)
}

// feed gives a reader a stream in pieces.
func feed(stream []byte, piece int, rows, listen bool) string {
	var r replies
	var payloads []string
	if listen {
		r.notified = func(p []byte) { payloads = append(payloads, string(p)) }
	}
	r.begin(rows)
	for part := range slices.Chunk(stream, piece) {
		r.feed(part)
	}
	return summary(&r, payloads)
}

func TestReplies(t *testing.T) {
	ready := wire.AppendReadyForQuery(nil, wire.TxIdle)
	duplicate := &wire.Error{Severity: "ERROR", Code: "23505", Message: "duplicate key value violates unique constraint", Detail: "Key (id)=(secret)"}
	for name, tt := range map[string]struct {
		stream       [][]byte
		rows, listen bool
		want         string
	}{
		"a query": {
			stream: [][]byte{described("a"), rowed("1"), rowed(strings.Repeat("x", 300)), done},
			want:   "ready=1i copy=false code= text= fatal=false wrong=false []=[] heard=[]",
		},
		"rows are kept where wanted": {
			stream: [][]byte{described("a", "b"), rowed("1", "2"), rowed("NULL", ""), done}, rows: true,
			want: "ready=1i copy=false code= text= fatal=false wrong=false [a b]=[NULL ] heard=[]",
		},
		"the first error counts, and every ReadyForQuery": {
			stream: [][]byte{duplicate.Append(nil), wire.AppendReadyForQuery(nil, wire.TxFailed), wire.Errorf("25P02", "aborted").Append(nil), wire.AppendReadyForQuery(nil, wire.TxFailed)},
			want:   "ready=2e copy=false code=23505 text=ERROR: duplicate key value violates unique constraint fatal=false wrong=false []=[] heard=[]",
		},
		"a parameter is not told": {
			stream: [][]byte{wire.Errorf("22P02", `invalid input syntax for type integer: "secret"`).Append(nil), ready},
			want:   "ready=1i copy=false code=22P02 text=ERROR: invalid input syntax for type integer fatal=false wrong=false []=[] heard=[]",
		},
		"the end": {
			stream: [][]byte{duplicate.Append(nil), wire.Fatalf("57P01", "shutting down").Append(nil)},
			want:   "ready=0  copy=false code=57P01 text=FATAL: shutting down fatal=true wrong=false []=[] heard=[]",
		},
		"COPY": {
			stream: [][]byte{message(wire.ServerNoticeResponse, []byte("SNOTICE\x00\x00")), message(wire.ServerCopyInResponse, []byte{0, 0, 0})},
			want:   "ready=0  copy=true code= text= fatal=false wrong=false []=[] heard=[]",
		},
		"notifications": {
			stream: [][]byte{notification("one"), ready, notification("")}, listen: true,
			want: "ready=1i copy=false code= text= fatal=false wrong=false []=[] heard=[one ]",
		},
		"notifications that nobody waits for": {
			stream: [][]byte{notification("one"), ready},
			want:   "ready=1i copy=false code= text= fatal=false wrong=false []=[] heard=[]",
		},
		"no protocol":         {stream: [][]byte{[]byte("HTTP/1.1 400 Bad Request\r\n")}, want: "ready=0  copy=false code= text= fatal=false wrong=true []=[] heard=[]"},
		"too short a length":  {stream: [][]byte{{'Z', 0, 0, 0, 3}}, want: "ready=0  copy=false code= text= fatal=false wrong=true []=[] heard=[]"},
		"no status":           {stream: [][]byte{{'Z', 0, 0, 0, 4}}, want: "ready=0  copy=false code= text= fatal=false wrong=true []=[] heard=[]"},
		"a row that ends":     {stream: [][]byte{message('D', []byte{0, 2, 0, 0, 0, 1, 'x'})}, rows: true, want: "ready=0  copy=false code= text= fatal=false wrong=true []=[x] heard=[]"},
		"a value too long":    {stream: [][]byte{message('D', []byte{0, 1, 0, 0, 1, 0, 'x'})}, rows: true, want: "ready=0  copy=false code= text= fatal=false wrong=true []=[] heard=[]"},
		"half a notification": {stream: [][]byte{message('A', []byte{0, 0, 0, 1, 'c'})}, listen: true, want: "ready=0  copy=false code= text= fatal=false wrong=true []=[] heard=[]"},
	} {
		stream := bytes.Join(tt.stream, nil)
		for piece := 1; piece <= len(stream); piece++ {
			if got := feed(stream, piece, tt.rows, tt.listen); got != tt.want {
				t.Errorf("%s, in pieces of %d:\n got %s\nwant %s", name, piece, got, tt.want)
				break
			}
		}
	}
}

// FuzzReplies: whatever comes, in whatever pieces, it is read alike and without a panic.
func FuzzReplies(f *testing.F) {
	f.Add(bytes.Join([][]byte{described("a", "b"), rowed("1", "NULL"), done, notification("x")}, nil), 3, true, true)
	f.Add(wire.Errorf("22P02", `no: "x"`).Append(done), 1, false, false)
	f.Add([]byte{'Z', 0, 0, 0, 5, 'I', 'G', 0, 0, 0, 4, 'E', 0, 0, 0, 4}, 2, false, true)
	f.Fuzz(func(t *testing.T, stream []byte, piece int, rows, listen bool) {
		if piece < 1 || len(stream) == 0 {
			return
		}
		if whole, parts := feed(stream, len(stream), rows, listen), feed(stream, piece, rows, listen); whole != parts {
			t.Errorf("in one piece %s\nin pieces of %d %s", whole, piece, parts)
		}
	})
}
