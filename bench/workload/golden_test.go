package workload_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"poolerd/bench/workload"
	"poolerd/wire"
)

var update = flag.Bool("update", false, "write testdata anew")

// flights plays one transaction to a server that agrees to everything, except where answer says otherwise, and traces what is sent.
func flights(s *workload.Session, answer func(flight int) workload.Outcome) (trace []byte, count int) {
	tx := s.Begin()
	trace = fmt.Appendf(nil, "# %s\n", tx.Name)
	var o workload.Outcome
	for {
		f, more := s.Next(nil, o)
		if !more {
			return trace, count
		}
		count++
		trace = fmt.Appendf(trace, "flight %d: ready %d", count, f.Ready)
		if f.CopyIn {
			trace = append(trace, ", copy in"...)
		}
		if f.Rows {
			trace = append(trace, ", rows"...)
		}
		if f.Pause > 0 {
			trace = fmt.Appendf(trace, ", after %v", f.Pause)
		}
		trace = append(trace, '\n')
		for rest := f.Data; len(rest) > 0; {
			_, size, _ := wire.Header(rest)
			trace = append(wire.AppendTrace(trace, wire.FromClient, rest[:size]), '\n')
			rest = rest[size:]
		}
		o = workload.Outcome{Status: 'I'}
		if answer != nil {
			o = answer(count)
		}
		if f.CopyIn {
			o.Status = 0
		}
	}
}

// Each request in each protocol: what a fresh connection sends, and what it sends the next time.
func TestGoldenFlights(t *testing.T) {
	for _, name := range []string{"get-by-pk", "get-list", "get-embed", "head-count", "post", "patch", "rpc", "prereq-rollback"} {
		t.Run(name, func(t *testing.T) {
			var got []byte
			for _, p := range []workload.Protocol{workload.Prepared, workload.Unprepared, workload.Simple} {
				w, err := workload.Builtin(name)
				if err != nil {
					t.Fatal(err)
				}
				s := w.NewSession(0, 1, p, nil)
				got = fmt.Appendf(got, "## %s\n", p)
				cold, _ := flights(s, nil)
				got = append(got, cold...)
				if p == workload.Prepared {
					warm, _ := flights(s, nil)
					got = append(got, warm...)
				}
			}
			golden(t, name+".txt", got)
		})
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("differs from %s (write it anew with -update):\n%s", path, got)
	}
}
