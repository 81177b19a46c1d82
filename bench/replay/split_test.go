package replay

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"poolerd/wire"
	"poolerd/wire/record"
)

// tape writes one session's messages, a millisecond apart.
type tape struct {
	w  *record.Writer
	at func(int) time.Time
	ms int
}

func (p *tape) now() time.Time {
	p.ms++
	return p.at(p.ms)
}

func (p *tape) message(typ byte, body string) {
	_ = p.w.Message(1, p.now(), typ, []byte(body), len(body)+wire.HeaderLen)
}

func (p *tape) ready(status wire.TxStatus) { _ = p.w.Ready(1, p.now(), status, "") }

func (p *tape) parse(name, sql string) {
	p.message(wire.ClientParse, name+"\x00"+string(wire.ParseTail(sql)))
}

func (p *tape) bind(name string) {
	p.message(wire.ClientBind, "\x00"+name+"\x00\x00\x00\x00\x00\x00\x00")
}

func (p *tape) sync(status wire.TxStatus) {
	p.message(wire.ClientSync, "")
	p.ready(status)
}

func (p *tape) query(sql string, status wire.TxStatus) {
	p.message(wire.ClientQuery, sql+"\x00")
	p.ready(status)
}

// TestSplit: where transactions begin and end, and which are left out with which reason.
func TestSplit(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(p *tape)
		want  string // of each transaction its events, or the reason why it is left out
	}{
		{"one statement", func(p *tape) { p.query("SELECT 1", wire.TxIdle) }, "QR"},
		{"a block", func(p *tape) {
			p.query("BEGIN", wire.TxActive)
			p.query("SELECT 1", wire.TxFailed)
			p.query("ROLLBACK", wire.TxIdle)
			p.query("SELECT 1", wire.TxIdle)
		}, "QRQRQR|QR"},
		{"a pipeline", func(p *tape) {
			p.message(wire.ClientQuery, "SELECT 1\x00")
			p.message(wire.ClientQuery, "SELECT 2\x00")
			p.ready(wire.TxIdle)
			p.ready(wire.TxIdle)
			p.query("SELECT 1", wire.TxIdle)
		}, "QQRR|QR"},
		{"prepared", func(p *tape) {
			p.parse("a", "SELECT 1")
			p.sync(wire.TxIdle)
			p.bind("a")
			p.sync(wire.TxIdle)
			p.message(wire.ClientClose, "Sa\x00")
			p.sync(wire.TxIdle)
			p.bind("a")
			p.sync(wire.TxIdle)
		}, "PSR|BSR|CSR|" + skipUnknown},
		{"a name that is known from SQL", func(p *tape) {
			p.query("PREPARE a AS SELECT 1", wire.TxIdle)
			p.bind("a")
			p.sync(wire.TxIdle)
		}, "QR|BSR"},
		{"a name that nobody knew", func(p *tape) {
			p.bind("a")
			p.message(wire.ClientSync, "")
			_ = p.w.Ready(1, p.now(), wire.TxIdle, "26000")
		}, "BSR"},
		{"messages are missing", func(p *tape) {
			p.query("BEGIN", wire.TxActive)
			_ = p.w.LeftOut(1, p.now(), 3)
			p.query("SELECT 1", wire.TxIdle)
		}, skipLeftOut + "|QR"},
		{"an answer without a question", func(p *tape) {
			_ = p.w.LeftOut(1, p.now(), 3)
			p.ready(wire.TxIdle)
			p.query("SELECT 1", wire.TxIdle)
		}, skipLeftOut + "|QR"},
		{"a Parse is missing", func(p *tape) {
			p.parse("a", "SELECT 1")
			_ = p.w.LeftOut(1, p.now(), 1)
			p.bind("a")
			p.sync(wire.TxIdle)
			p.query("SELECT 1", wire.TxIdle)
		}, skipLeftOut + "|" + skipUnknown + "|QR"},
		{"withheld", func(p *tape) {
			p.query("ALTER ROLE a PASSWORD 'b'", wire.TxIdle)
			p.parse("", "ALTER ROLE a PASSWORD 'b'")
			p.bind("")
			p.sync(wire.TxIdle)
			p.query("SELECT 1", wire.TxIdle)
		}, skipWithheld + "|" + skipWithheld + "|QR"},
		{"too large", func(p *tape) {
			p.parse("", "SELECT 1")
			_ = p.w.Message(1, p.now(), wire.ClientBind, []byte("\x00\x00\x00\x00\x00\x01"), 1<<21)
			p.sync(wire.TxIdle)
			p.query("SELECT 1", wire.TxIdle)
		}, skipTooLarge + "|QR"},
		{"a call", func(p *tape) {
			p.message(wire.ClientFunctionCall, "x")
			p.ready(wire.TxIdle)
			p.query("SELECT 1", wire.TxIdle)
		}, skipCall + "|QR"},
		{"no end", func(p *tape) {
			p.query("SELECT 1", wire.TxIdle)
			p.query("BEGIN", wire.TxActive)
			_ = p.w.Closed(1, p.now(), "")
		}, "QR|" + skipUnfinished},
		{"COPY", func(p *tape) {
			p.message(wire.ClientQuery, "COPY t FROM STDIN\x00")
			_ = p.w.CopyIn(1, p.now())
			_ = p.w.CopyData(1, p.now(), 2, 100)
			p.message(wire.ClientCopyDone, "")
			p.ready(wire.TxIdle)
		}, "QGdcR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := mustLoad(t, written(t, func(w *record.Writer, at func(int) time.Time) { c.write(&tape{w: w, at: at}) }))
			var got []string
			for _, tx := range rec.Sessions[0].Transactions {
				if tx.Skip != "" {
					got = append(got, tx.Skip)
					continue
				}
				s := ""
				for _, e := range tx.events {
					if e.kind == record.KindMessage {
						s += string(rec.messages[e.message].typ)
					} else {
						s += string(e.kind)
					}
				}
				got = append(got, s)
			}
			if s := strings.Join(got, "|"); s != c.want {
				t.Errorf("got %s\nwant %s", s, c.want)
			}
		})
	}
}

// TestWaits: a transaction's wait is the time between questions and answers, its name the start of its main statement.
func TestWaits(t *testing.T) {
	rec := mustLoad(t, written(t, func(w *record.Writer, at func(int) time.Time) {
		body := func(sql string) []byte { return []byte(sql + "\x00") }
		_ = w.Message(1, at(0), wire.ClientQuery, body("BEGIN"), 6+wire.HeaderLen)
		_ = w.Ready(1, at(3), wire.TxActive, "")
		sql := "SELECT  a,\n b FROM a_table_with_a_long_name WHERE another_long_name = 1"
		_ = w.Message(1, at(10), wire.ClientQuery, body(sql), len(sql)+1+wire.HeaderLen)
		_ = w.Ready(1, at(14), wire.TxActive, "")
		_ = w.Message(1, at(20), wire.ClientQuery, body("COMMIT"), 7+wire.HeaderLen)
		_ = w.Ready(1, at(25), wire.TxIdle, "")
	}))
	tx := rec.Sessions[0].Transactions[0]
	if tx.Wait != 12*time.Millisecond || tx.End-tx.Start != 25*time.Millisecond {
		t.Errorf("wait %v of %v", tx.Wait, tx.End-tx.Start)
	}
	if tx.Name != "#1 SELECT a, b FROM a_table_with_a_long_name WHERE another_l..." {
		t.Errorf("name %q", tx.Name)
	}
}

// TestCut: a file that was cut is played as far as it goes.
func TestCut(t *testing.T) {
	whole, err := os.ReadFile(written(t, func(w *record.Writer, at func(int) time.Time) {
		p := &tape{w: w, at: at}
		for range 10 {
			p.query("SELECT 1", wire.TxIdle)
			_ = w.Flush()
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	played := 0
	for _, n := range []int{len(whole) - 30, len(whole) / 2} {
		path := filepath.Join(t.TempDir(), "traffic")
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		rec := mustLoad(t, path)
		if !rec.Cut || rec.Transactions < 2 || rec.Transactions > 10 {
			t.Errorf("cut at %d of %d: cut %v, %d transactions", n, len(whole), rec.Cut, rec.Transactions)
		}
		f := startFake(t, 0)
		_, c, err := Run(t.Context(), Options{Recording: rec, Target: f.url()})
		if err != nil {
			t.Fatal(err)
		}
		if c.Played != int64(rec.Playable()) || !strings.Contains(strings.Join(c.Notes(), "\n"), "is cut") {
			t.Errorf("%q", c.Lines())
		}
		played += int(c.Played)
	}
	if played == 0 {
		t.Error("nothing was played")
	}
}

// FuzzLoad: whatever a recording holds, it is split or refused.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("O\x06\x01\x00\x01u\x01dT\x0b\x00\x08\x08SELECT 1\x00M\x04\x01\x02Q\x00R\x04\x01\x02I\x00X\x03\x01\x02\x00"))
	f.Fuzz(func(t *testing.T, records []byte) {
		var b bytes.Buffer
		writeZipped(&b, append([]byte("poolerd recording\n\x01\x01\x00"), records...))
		rec, err := read(&b)
		if err != nil {
			return
		}
		n := 0
		for _, s := range rec.Sessions {
			n += len(s.Transactions)
			for _, tx := range s.Transactions {
				for _, e := range tx.events {
					if e.kind == record.KindMessage {
						_ = rec.messages[e.message].raw
					}
				}
			}
		}
		if n != rec.Transactions || rec.Playable() < 1 {
			t.Fatalf("%d transactions in sessions, %d in all, %d playable", n, rec.Transactions, rec.Playable())
		}
	})
}
