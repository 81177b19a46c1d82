package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew")

// small is what testdata/small.jsonl holds: the format must stay readable, so the file is compared, not just written.
func small(t testing.TB) *Results {
	t.Helper()
	r := sample{
		targets: []sampleTarget{{"first", 30, 1, true}, {"direct", 0, 0.93, false}}, pools: []int{4, 8}, clients: []int{16, 64}, rates: []float64{1000}, rounds: 2, noise: 0.015, seed: 3,
	}.make(t)
	return withWords(r)
}

func TestGolden(t *testing.T) {
	const source = "testdata/small.jsonl"
	if *update {
		var out bytes.Buffer
		if err := writeAll(NewWriter(&out), small(t)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(source, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Results come from the file, not from the formula, whose last digits are the processor's.
	results, err := ReadFiles(source)
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"small.jsonl":  func(out *bytes.Buffer) error { return writeAll(NewWriter(out), results) },
		"small.txt":    func(out *bytes.Buffer) error { return Table(out, results, 0) },
		"small-80.txt": func(out *bytes.Buffer) error { return Table(out, results, 80) },
		"small.csv":    func(out *bytes.Buffer) error { return CSV(out, results) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := write(&out); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name)
			if *update && path != source {
				if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), want) {
				t.Errorf("differs from %s (go test -update writes it anew); got:\n%s", path, out.Bytes())
			}
		})
	}
}

// writeAll writes results as a bench does.
func writeAll(w *Writer, r *Results) error {
	if err := w.Header(r.Header); err != nil {
		return err
	}
	for _, run := range r.Runs {
		if err := w.Run(run); err != nil {
			return err
		}
	}
	for _, a := range r.Advice {
		if err := w.Advice(a); err != nil {
			return err
		}
	}
	if r.Model != nil {
		if err := w.Model(*r.Model); err != nil {
			return err
		}
	}
	if r.Recommendation != nil {
		return w.Recommendation(*r.Recommendation)
	}
	return nil
}
