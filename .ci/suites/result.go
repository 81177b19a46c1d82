package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// result is what a suite did in one mode.
type result struct {
	Suite   string
	Mode    string
	Seconds float64
	Tests   []test // in the suite's order

	// Known are the tests that may fail, with the reason of each. Where it is nil no test's failure is judged by itself.
	Known map[string]string `json:",omitempty"`
}

// test is one test of a suite.
type test struct {
	Name string
	OK   bool
	Skip bool   `json:",omitempty"` // it said itself that it does not apply; counts neither way
	Why  string `json:",omitempty"` // of one that failed, in a line
}

// counts are the tests that passed, and all that were not skipped.
func (r *result) counts() (passed, total int) {
	for _, t := range r.Tests {
		if t.OK {
			passed++
		}
		if !t.Skip {
			total++
		}
	}
	return passed, total
}

// passed counts the tests that passed here and were not skipped in the other run.
func (r *result) passed(other *result) (n int) {
	skipped := map[string]bool{}
	for _, t := range other.Tests {
		skipped[t.Name] = t.Skip
	}
	for _, t := range r.Tests {
		if t.OK && !skipped[t.Name] {
			n++
		}
	}
	return n
}

// complete adds the tests that a run before has and this one does not know of: they were not reached.
func (r *result) complete(before *result) {
	known := map[string]bool{}
	for _, t := range r.Tests {
		known[t.Name] = true
	}
	for _, t := range before.Tests {
		if !known[t.Name] && !t.Skip {
			r.Tests = append(r.Tests, test{Name: t.Name, Why: "was not reached"})
		}
	}
}

func (r *result) save(path string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// loadResult reads what save wrote; without a file there is no result and no error.
func loadResult(path string) (*result, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := new(result)
	return r, json.Unmarshal(text, r)
}

// printTable prints what each run passed, and which tests failed that pass without a pooler.
func printTable(w io.Writer, all []*result) {
	fmt.Fprintf(w, "%-10s %-12s %7s %7s %9s\n", "suite", "mode", "passed", "of", "seconds")
	for _, r := range all {
		passed, total := r.counts()
		fmt.Fprintf(w, "%-10s %-12s %7d %7d %9.0f\n", r.Suite, r.Mode, passed, total, r.Seconds)
	}
	for _, r := range all {
		if r.Known != nil {
			r.printKnown(w)
			continue
		}
		lines := differences(r, find(all, r.Suite, direct))
		if len(lines) == 0 {
			continue
		}
		what := "tests differ from direct"
		if r.Mode == direct {
			what = "tests fail"
		}
		fmt.Fprintf(w, "\n%s, %s: %d %s\n", r.Suite, r.Mode, len(lines), what)
		for _, line := range lines {
			fmt.Fprintln(w, "  "+line)
		}
	}
}

// differences names the tests of r that ended otherwise than in the reference, each with its reason. Without a reference, and for the reference itself, they are the failed ones.
func differences(r, reference *result) (lines []string) {
	before := map[string]test{}
	if reference != nil && reference != r {
		for _, t := range reference.Tests {
			before[t.Name] = t
		}
	}
	for _, t := range r.Tests {
		old, known := before[t.Name]
		switch {
		case t.Skip || t.OK && (!known || old.OK):
		case t.OK:
			lines = append(lines, t.Name+": passes here alone")
		case known && !old.OK:
		default:
			lines = append(lines, strings.TrimSuffix(t.Name+": "+t.Why, ": "))
		}
	}
	return lines
}

// printKnown prints the failed tests: those that are known to fail with the reason, then those that are not. Tests that were left out come last.
func (r *result) printKnown(w io.Writer) {
	passed, total := r.counts()
	fmt.Fprintf(w, "\n%s: %d of %d passed\n", r.Suite, passed, total)
	for _, t := range r.Tests {
		if reason, known := r.Known[t.Name]; known && !t.OK && !t.Skip {
			fmt.Fprintf(w, "  fails as known    %s: %s\n", t.Name, reason)
		}
	}
	for _, line := range r.surprises() {
		fmt.Fprintln(w, "  "+line)
	}
	for _, t := range r.Tests {
		if t.Skip {
			fmt.Fprintf(w, "  left out          %s: %s\n", t.Name, t.Why)
		}
	}
}

// sometimes begins the reason of a test that passes or fails by chance.
const sometimes = "sometimes: "

// surprises are the tests that did not end as the list of known failures says.
func (r *result) surprises() (lines []string) {
	if r.Known == nil {
		return nil
	}
	for _, t := range r.Tests {
		reason, known := r.Known[t.Name]
		switch {
		case t.Skip || t.OK != known || strings.HasPrefix(reason, sometimes):
		case t.OK:
			lines = append(lines, "passes unexpected "+t.Name+": take it off the list of known failures")
		default:
			lines = append(lines, "fails unexpected  "+t.Name+": "+t.Why)
		}
	}
	return lines
}

// find is the result of a suite in a mode, nil where there is none.
func find(all []*result, suite, mode string) *result {
	for _, r := range all {
		if r.Suite == suite && r.Mode == mode {
			return r
		}
	}
	return nil
}

// judge says which results fall short of what suites() asks for.
func judge(all []*result) (short []error) {
	for _, s := range suites() {
		for _, r := range all {
			least, asked := s.least[r.Mode]
			if r.Suite != s.name || !asked {
				continue
			}
			if reference := find(all, s.name, direct); least == 0 && reference != nil {
				least = reference.passed(r)
			}
			if passed, total := r.counts(); passed < least {
				short = append(short, fmt.Errorf("%s, %s mode: %d of %d tests pass, %d have to", r.Suite, r.Mode, passed, total, least))
			}
			if n := len(r.surprises()); n > 0 {
				short = append(short, fmt.Errorf("%s, %s mode: %d tests do not end as the list of known failures says", r.Suite, r.Mode, n))
			}
		}
	}
	return short
}
