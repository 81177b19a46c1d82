package workload

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"poolerd/wire"
)

// FuzzScript: whatever a script holds, it is refused with its name and place, or what it sends is whole messages, as many replies as it says, and
// an end.
func FuzzScript(f *testing.F) {
	for _, text := range []string{
		selectOnlyScript, tpcbScript, "SELECT 1\\;SELECT ':x';", "\\if :a\n\\elif 1\n\\else\n\\endif\nSELECT 1\\gset p",
		"\\startpipeline\nSELECT :x;\n\\syncpipeline\n\\endpipeline\n\\sleep 1ms\nSELECT $a$ :x $a$",
		"\\set x case when 1 then -9223372036854775808 / -1 else random_zipfian(1, 10, 2) end\n/* /* */ */ BEGIN; SELECT E'\\';:a', \"b\"\"\", 1e5, a::b;",
		"CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; END; \\set y permute(hash(:client_id), 10) % 3\nSELECT :y", "\\sleep :x us\nSELECT (1;2)",
	} {
		f.Add(text, uint64(1))
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		w, err := FromScript("s.sql", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "s.sql:") {
				t.Errorf("no place in %v", err)
			}
			return
		}
		for _, p := range []Protocol{Prepared, Unprepared, Simple} {
			if err := w.Check(p); err != nil {
				if !strings.HasPrefix(err.Error(), "s.sql:") {
					t.Errorf("no place in %v", err)
				}
				continue
			}
			s := w.NewSession(3, seed, p, map[string]string{"x": "5", "a": "it's"})
			r := rand.New(rand.NewPCG(seed, 1))
			for range 4 {
				playAnything(t, s, r)
			}
		}
	})
}

// playAnything runs one transaction with a server that answers anything.
func playAnything(t *testing.T, s *Session, r *rand.Rand) {
	t.Helper()
	tx := s.Begin()
	var o Outcome
	one := "1"
	for flights := 0; ; flights++ {
		f, more := s.Next([]byte("before"), o)
		if !more {
			return
		}
		if flights > 2*len(tx.steps)+4 {
			t.Fatalf("%d flights of %d steps", flights, len(tx.steps))
		}
		if f.Pause < 0 {
			t.Errorf("a pause of %v", f.Pause)
		}
		if f.Data != nil {
			checkFlight(t, f)
		} else if f.Pause == 0 {
			t.Error("an empty flight")
		}
		o = Outcome{Status: "IIITE"[r.IntN(5)]}
		if r.IntN(6) == 0 || o.Status == 'E' {
			o.Code = "42601"
		}
		if f.Rows && r.IntN(4) > 0 {
			o.Columns, o.Row = []string{"x", "y", "z"}, []*string{&one, nil, &one}
		}
	}
}

// checkFlight: whole messages, Sync and Query as many as Ready says, texts with one zero at their end.
func checkFlight(t *testing.T, f Flight) {
	t.Helper()
	rest, ok := bytes.CutPrefix(f.Data, []byte("before"))
	if !ok {
		t.Fatal("what the buffer held is gone")
	}
	ready := 0
	for len(rest) > 0 {
		if len(rest) < wire.HeaderLen {
			t.Fatalf("half a header: %q", rest)
		}
		typ, size, ok := wire.Header(rest)
		if !ok || size > len(rest) {
			t.Fatalf("a message %c of %d bytes in %d", typ, size, len(rest))
		}
		line := wire.AppendTrace(nil, wire.FromClient, rest[:size])
		if bytes.Contains(line, []byte(" ?")) && !bytes.Contains(rest[:size], []byte("?")) {
			t.Errorf("not to be read: %s", line)
		}
		switch typ {
		case wire.ClientSync, wire.ClientQuery:
			ready++
		}
		if typ == wire.ClientQuery && bytes.IndexByte(rest[wire.HeaderLen:size], 0) != size-wire.HeaderLen-1 {
			t.Errorf("a zero inside %q", rest[:size])
		}
		rest = rest[size:]
	}
	if ready != f.Ready || ready == 0 {
		t.Errorf("%d replies for %d", f.Ready, ready)
	}
}
