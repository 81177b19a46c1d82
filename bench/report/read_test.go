package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	want := small(t)
	var file bytes.Buffer
	if err := writeAll(NewWriter(&file), want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read\n%+v, written\n%+v", got, want)
	}
}

// flushed counts what reached it before each Flush.
type flushed struct {
	bytes.Buffer
	lines []int
}

func (f *flushed) Flush() error {
	f.lines = append(f.lines, bytes.Count(f.Bytes(), []byte("\n")))
	return nil
}

func TestEachRecordIsFlushed(t *testing.T) {
	var file flushed
	w := NewWriter(&file)
	if err := errors.Join(w.Header(Header{}), w.Run(Run{}), w.Advice(Advice{}), w.Model(Model{}), w.Recommendation(Recommendation{})); err != nil {
		t.Fatal(err)
	}
	if want := []int{1, 2, 3, 4, 5}; !reflect.DeepEqual(file.lines, want) {
		t.Errorf("whole lines at each flush: %v, want %v", file.lines, want)
	}
}

func TestFiguresThatJSONCannotSayAreWrittenAsZero(t *testing.T) {
	queue := math.NaN()
	run := Run{
		TPS: 12.5, Intervals: []float64{1, math.Inf(1)}, Pooler: &Usage{CPUPerTransactionUS: math.Inf(1), Cores: 0.5}, QueueUS: &queue,
		ByName: map[string]Quantiles{"get": {Mean: math.NaN(), P50: 3}},
	}
	model := Model{Parameters: map[string]any{"sigma": math.NaN(), "list": []any{1.0, nil}}}
	var file bytes.Buffer
	w := NewWriter(&file)
	if err := errors.Join(w.Header(Header{}), w.Run(run), w.Model(model)); err != nil {
		t.Fatal(err)
	}
	if !math.IsInf(run.Pooler.CPUPerTransactionUS, 1) || !math.IsInf(run.Intervals[1], 1) {
		t.Error("the caller's run was changed")
	}
	got, err := Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	r := got.Runs[0]
	if r.TPS != 12.5 || r.Pooler.CPUPerTransactionUS != 0 || r.Pooler.Cores != 0.5 || *r.QueueUS != 0 || r.Intervals[1] != 0 || r.ByName["get"] != (Quantiles{P50: 3}) {
		t.Errorf("read %+v", r)
	}
	if !reflect.DeepEqual(got.Model.Parameters, map[string]any{"sigma": 0.0, "list": []any{1.0, nil}}) {
		t.Errorf("read %v", got.Model.Parameters)
	}
}

const (
	head = `{"kind":"header","format":1,"command":"poolerd bench"}` + "\n"
	run1 = `{"kind":"run","target":"a","round":1,"clients":4,"tps":10}` + "\n"
	run2 = `{"kind":"run","target":"a","round":2,"clients":4,"tps":11}` + "\n"
)

func TestRead(t *testing.T) {
	for _, test := range []struct {
		name, in string
		runs     int
		note     string // part of the last note
		err      string // part of it
	}{
		{name: "no runs", in: head},
		{name: "two runs", in: head + run1 + run2, runs: 2},
		{name: "empty lines", in: "\n" + head + "\n\r\n" + run1, runs: 1},
		{name: "last line without its newline", in: head + strings.TrimSpace(run1), runs: 1},
		{name: "cut last line", in: head + run1 + run2[:30], runs: 1, note: "line 3 is cut"},
		{name: "cut in a name", in: head + run1 + `{"ki`, runs: 1, note: "line 3 is cut"},
		{name: "unknown kind", in: head + `{"kind":"weather","rain":true}` + "\n" + run1, runs: 1},
		{name: "unknown field", in: head + `{"kind":"run","clients":4,"moon":"full"}` + "\n", runs: 1},
		{name: "further bench", in: head + run1 + run2 + head + run1, runs: 3, note: "rounds begin at 3"},
		{name: "nothing", in: "", err: "empty"},
		{name: "cut header", in: head[:20], err: "line 1: not a record"},
		{name: "no header", in: run1, err: `line 1: kind "run" where the header should be`},
		{name: "newer format", in: `{"kind":"header","format":2}`, err: "line 1: format 2, and this poolerd reads format 1"},
		{name: "broken line in the middle", in: head + run1[:20] + "\n" + run2, err: "line 2: not a record"},
		{name: "broken last line that is whole", in: head + run1[:20] + "\n", err: "line 2: not a record"},
		{name: "wrong type", in: head + `{"kind":"run","clients":"many"}` + "\n", err: "line 2: not a run"},
		{name: "wrong type in a last line without its newline", in: head + `{"kind":"run","clients":"many"}`, err: "line 2: not a run"},
		{name: "something else", in: "\x7fELF", err: "line 1: not a record"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Read(strings.NewReader(test.in))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Runs) != test.runs {
				t.Errorf("%d runs, want %d", len(got.Runs), test.runs)
			}
			notes := got.Header.Notes
			if test.note == "" && len(notes) != 0 || test.note != "" && (len(notes) == 0 || !strings.Contains(notes[len(notes)-1], test.note)) {
				t.Errorf("notes %q, want one with %q", notes, test.note)
			}
		})
	}
}

func TestReadFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one, two := file("one.jsonl", head+run1+run2), file("two.jsonl", head+run1+run2[:12])
	got, err := ReadFiles(one, two)
	if err != nil {
		t.Fatal(err)
	}
	rounds := []int{}
	for _, r := range got.Runs {
		rounds = append(rounds, r.Round)
	}
	if want := []int{1, 2, 3}; !reflect.DeepEqual(rounds, want) {
		t.Errorf("rounds %v, want %v", rounds, want)
	}
	if n := len(got.Header.Notes); n != 2 || !strings.HasPrefix(got.Header.Notes[1], two+": line 3 is cut") {
		t.Errorf("notes %q", got.Header.Notes)
	}

	broken := file("broken.jsonl", head+"{\n"+run1)
	if _, err := ReadFiles(one, broken); err == nil || !strings.HasPrefix(err.Error(), broken+": line 2: ") {
		t.Errorf("error %v does not name file and line", err)
	}
	if _, err := ReadFiles(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := ReadFiles(); err == nil {
		t.Error("no file named, and no error")
	}
}

func FuzzRead(f *testing.F) {
	// Seeds are small: the fuzzer spends its time on shrinking large ones.
	f.Add([]byte(head + `{"kind":"run","target":"a","round":1,"pool_size":8,"clients":4,"seconds":1,"tps":9,"latency":{"count":9,"p99_us":70},"pooler":{"cpu_us_tx":3}}` + "\n" +
		`{"kind":"run","target":"b","round":1,"clients":4,"seconds":1,"tps":10,"latency":{"count":9,"p99_us":60},"pooler":{"cpu_us_tx":4}}`))
	f.Add([]byte(head + `{"kind":"model","lines":["x"],"predictions":[{"pool_size":1,"clients":2,"tps":3}]}` + "\n" + `{"kind":"recommendation","text":"t","reasons":["r"]}`))
	f.Add([]byte(head + run1 + head + run2))
	f.Add([]byte(head + `{"kind":"run","tps":1e308,"latency":{"count":1,"p99_us":-1},"seconds":1,"histogram":"HISTFAAAAB4="}`))
	f.Add([]byte(head + `{"kind":"run","round":-9223372036854775808,"errors":{"":{}}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		results, err := Read(bytes.NewReader(in))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := errors.Join(Table(&out, results, 80), CSV(&out, results)); err != nil {
			t.Fatal(err)
		}
		// What was read can be written, and reads as the same.
		var again bytes.Buffer
		if err := writeAll(NewWriter(&again), results); err != nil {
			t.Fatal(err)
		}
		second, err := Read(&again)
		if err != nil {
			t.Fatal(err)
		}
		a, errA := json.Marshal(results)
		b, errB := json.Marshal(second)
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("read again:\n%s\nbefore:\n%s", b, a)
		}
	})
}
