package record_test

import (
	"io"
	"testing"

	"poolerd/wire"
	"poolerd/wire/record"
)

// BenchmarkWriter: one prepared statement with two parameters, as PostgREST sends it, and its answer.
func BenchmarkWriter(b *testing.B) {
	for _, mode := range []record.Mode{record.Hashed, record.Kept} {
		b.Run(mode.String(), func(b *testing.B) {
			w, err := record.NewWriter(io.Discard, mode, start)
			if err != nil {
				b.Fatal(err)
			}
			text := parse("0", "SELECT * FROM api.dialogue WHERE scene_id = $1 AND line ILIKE $2 ORDER BY line_no")
			_ = w.Message(1, start, wire.ClientParse, text, len(text)+wire.HeaderLen)
			values := bind("", "0", 0, "1234", "%some words%")
			b.ReportAllocs()
			for b.Loop() {
				_ = w.Message(1, start, wire.ClientBind, values, len(values)+wire.HeaderLen)
				_ = w.Message(1, start, wire.ClientDescribe, []byte("P\x00"), 7)
				_ = w.Message(1, start, wire.ClientExecute, []byte("\x00\x00\x00\x00\x00"), 10)
				_ = w.Message(1, start, wire.ClientSync, nil, 5)
				_ = w.Ready(1, start, wire.TxIdle, "")
			}
		})
	}
}
