package pool

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/record"
)

// recorded reads a recording as one line a record, without the times.
func recorded(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, err := record.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var texts, lines []string
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		b.WriteByte(byte(rec.Kind))
		switch rec.Kind {
		case record.KindStatement:
			texts = append(texts, rec.Statement.Text)
			continue
		case record.KindOpened:
			b.WriteString(" " + rec.User + " " + rec.Database)
		case record.KindMessage:
			m := rec.Message
			b.WriteString(" " + string(m.Type))
			if m.Type == wire.ClientQuery || m.Type == wire.ClientParse {
				b.WriteString(" " + texts[m.Statement])
			}
			if m.Type == wire.ClientBind {
				b.WriteString(" " + m.Name)
			}
			if m.Withheld {
				b.WriteString(" withheld")
			}
		case record.KindReady:
			b.WriteString(" " + string(rec.Status) + " " + rec.Code)
		case record.KindClosed:
			b.WriteString(" " + rec.Code)
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
}

func wantLines(t *testing.T, got []string, want string) {
	t.Helper()
	if text := strings.Join(got, "\n"); text != strings.TrimSpace(want) {
		t.Errorf("recorded:\n%s\nwant:\n%s", text, strings.TrimSpace(want))
	}
}

// TestRecording: each message stands in the recording once, whoever answered it, and so does how each transaction ended.
func TestRecording(t *testing.T) {
	f := startFake(t)
	path := filepath.Join(t.TempDir(), "traffic")
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.Record, c.RecordParameters = path, config.RecordKept })
	c := logIn(t, addr)
	c.send(parse("0", "BEGIN")) // answered here
	c.replies(1)
	c.send(prepared("0")) // deferred
	c.replies(1)
	c.send(unprepared("SELECT 1")) // goes to a server
	c.replies(1)
	c.query("COMMIT")
	c.send(append(unprepared("SELECT 2"), unprepared("SELECT 3")...)) // two in a flight
	c.replies(2)
	c.send(prepared("nothing"))
	if got := c.replies(1); !strings.HasPrefix(got, "E(26000)") {
		t.Fatal(got)
	}
	c.send(wire.AppendQuery(nil, "SELECT '"+strings.Repeat("x", record.LargestMessage)+"'"))
	c.replies(1)
	for _, b := range wire.AppendQuery(nil, "SELECT 4") { // byte by byte
		c.send([]byte{b})
	}
	c.replies(1)
	c.send(wire.AppendEmpty(nil, wire.ClientTerminate))
	if got := c.closed(); got != "" {
		t.Error(got)
	}
	within(t, "the client has gone", func() bool { return len(p.allClients()) == 0 })
	p.Close()
	select {
	case <-p.recorder.ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the recording does not end")
	}
	wantLines(t, recorded(t, path), `
O u d
M P BEGIN
M S
R I
M B 0
M D
M E
M S
R T
M P SELECT 1
M B
M D
M E
M S
R T
M Q COMMIT
R I
M P SELECT 2
M B
M D
M E
M S
M P SELECT 3
M B
M D
M E
M S
R I
R I
M B nothing
M D
M E
M S
R I 26000
M Q
R I
M Q SELECT 4
R I
X
Z`)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
}

// TestRecordingSetsAside: what was recorded before a restart stays.
func TestRecordingSetsAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "traffic")
	for _, text := range []string{"first", "second"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := newRecorder(path, config.RecordHashed, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		go r.run()
		r.stop()
	}
	for name, want := range map[string]string{".1": "first", ".2": "second"} {
		if got, err := os.ReadFile(path + name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := newRecorder(t.TempDir(), config.RecordHashed, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := newRecorder(filepath.Join(t.TempDir(), "no", "folder"), config.RecordHashed, zerolog.Nop()); err == nil {
		t.Error("a folder that is not there was taken")
	}
}

// TestSlowDisk: what finds no room is left out and counted, up to the end of the transaction; nobody waits.
func TestSlowDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "traffic")
	r, err := newRecorder(path, config.RecordKept, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	r.most = 300
	tap := r.tap(&Client{id: 1, user: "u", database: "d"})
	query := func(sql string) { tap.sent(wire.AppendQuery(nil, sql)) }
	ready := func(s wire.TxStatus) { tap.replied(wire.AppendReadyForQuery(nil, s)) }
	query("BEGIN")
	ready(wire.TxActive)
	query(strings.Repeat("x", 400)) // no room
	if err := r.drain(); err != nil {
		t.Fatal(err)
	}
	ready(wire.TxActive) // there is room, but what came before is missing
	query("COMMIT")
	ready(wire.TxIdle)
	query("SELECT 1")
	ready(wire.TxIdle)
	tap.end()
	go r.run()
	r.stop()
	wantLines(t, recorded(t, path), `
O u d
M Q BEGIN
R T
L
M Q SELECT 1
R I
X
Z`)
	if n := r.leftOut.Load(); n != 2 {
		t.Errorf("%d messages left out, want 2", n)
	}
}

// TestFullDisk: the recording ends, the clients go on.
func TestFullDisk(t *testing.T) {
	f := startFake(t)
	path := filepath.Join(t.TempDir(), "traffic")
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.Record = path })
	_ = p.recorder.file.Close() // as good as full
	c := logIn(t, addr)
	for range 5 {
		if got := c.query("SELECT 1"); got != "CZI" {
			t.Fatal(got)
		}
	}
	within(t, "the recording ends", func() bool {
		select {
		case <-p.recorder.ended:
			return true
		default:
			_ = c.query("SELECT 1")
			return false
		}
	})
	for range 5 {
		if got := c.query("SELECT 1"); got != "CZI" {
			t.Fatal(got)
		}
	}
}

// TestRecordingWhileManyTalk: clients of several goroutines record at once, and each one's records are in order.
func TestRecordingWhileManyTalk(t *testing.T) {
	f := startFake(t)
	path := filepath.Join(t.TempDir(), "traffic")
	p, addr := startPooler(t, f.url(), func(c *config.Config) { c.Record = path })
	const clients, each = 8, 100
	done := make(chan struct{})
	for range clients {
		c := logIn(t, addr)
		go func() {
			defer func() { done <- struct{}{} }()
			for range each {
				c.send(unprepared("SELECT 1"))
				c.swallow(1)
			}
		}()
	}
	for range clients {
		<-done
	}
	p.Close()
	select {
	case <-p.recorder.ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the recording does not end")
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	r, err := record.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	said := map[uint64]*strings.Builder{}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if rec.Session == 0 {
			continue
		}
		if said[rec.Session] == nil {
			said[rec.Session] = &strings.Builder{}
		}
		if rec.Kind == record.KindMessage {
			said[rec.Session].WriteByte(rec.Message.Type)
		} else {
			said[rec.Session].WriteByte(byte(rec.Kind))
		}
	}
	for id, b := range said {
		if want := "O" + strings.Repeat("PBDESR", each) + "X"; b.String() != want {
			t.Errorf("session %d: %.100s...", id, b.String())
		}
	}
	if len(said) != clients {
		t.Errorf("%d sessions, want %d", len(said), clients)
	}
}

// FuzzStream: however the bytes come in pieces, the messages are the same.
func FuzzStream(f *testing.F) {
	f.Add(append(unprepared("SELECT 1"), wire.AppendQuery(nil, "SELECT 2")...), uint64(1))
	f.Add([]byte("d\x00\x00\x00\x08abcdS\x00\x00\x00\x04E\x00\x10\x00\x01C42601"), uint64(2))
	f.Add([]byte("Z\x00\x00\x00\x03"), uint64(3))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		for _, kept := range []func(byte, int) int{keptOfClient, keptOfServer} {
			var whole, pieces bytes.Buffer
			note := func(to *bytes.Buffer) func(byte, []byte, int) {
				return func(typ byte, body []byte, size int) {
					to.WriteByte(typ)
					to.Write(body)
					to.WriteString(time.Duration(size).String())
				}
			}
			var one stream
			one.feed(b, kept, note(&whole))
			var many stream
			random := rand.New(rand.NewPCG(seed, 0))
			for rest := b; len(rest) > 0; {
				n := 1 + random.IntN(min(len(rest), 9))
				many.feed(rest[:n], kept, note(&pieces))
				rest = rest[n:]
			}
			if !bytes.Equal(whole.Bytes(), pieces.Bytes()) || one.broken != many.broken {
				t.Fatalf("%q: whole %q, in pieces %q", b, whole.Bytes(), pieces.Bytes())
			}
		}
	})
}

// TestTapAllocatesNothing: not even while traffic is recorded does the data path allocate.
func TestTapAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector allocates: nothing is asserted")
	}
	r := &recorder{most: mostRecorded, wake: make(chan struct{}, 1), buf: make([]byte, 0, 1<<20)}
	tap := r.tap(&Client{id: 1, user: "u", database: "d"})
	asked, answered := unprepared("SELECT 1"), wire.AppendReadyForQuery(wire.AppendCommandComplete(nil, "SELECT 1"), wire.TxIdle)
	n := testing.AllocsPerRun(100, func() {
		tap.sent(asked)
		tap.replied(answered)
		r.buf = r.buf[:0]
	})
	if n != 0 && !raceEnabled {
		t.Errorf("%v allocations a transaction", n)
	}
}
