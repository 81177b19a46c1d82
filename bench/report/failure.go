package report

import (
	"cmp"
	"maps"
	"slices"
)

// unexpected counts the transactions that failed and were not meant to.
func (r *Run) unexpected() int64 {
	n := int64(0)
	for _, f := range r.Errors {
		if !f.Expected {
			n += f.Count
		}
	}
	return n
}

// errors sums the failures of a cell's rounds by code.
func (m *merged) errors() map[string]Failure {
	sum := map[string]Failure{}
	for _, r := range m.runs {
		for code, f := range r.Errors {
			s, known := sum[code]
			if !known {
				s.Expected = true
			}
			s.Count += f.Count
			s.Expected = s.Expected && f.Expected
			s.Text = cmp.Or(s.Text, f.Text)
			sum[code] = s
		}
	}
	return sum
}

// unexpected counts the failures of a cell's rounds that were no part of the load.
func (m *merged) unexpected() int64 {
	n := int64(0)
	for _, r := range m.runs {
		n += r.unexpected()
	}
	return n
}

// codes of failures in the order in which reports tell of them: what is no part of the load first, then the most frequent.
func codes(byCode map[string]Failure) []string {
	return slices.SortedFunc(maps.Keys(byCode), func(a, b string) int {
		fa, fb := byCode[a], byCode[b]
		if fa.Expected != fb.Expected {
			if fb.Expected {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(fb.Count, fa.Count), cmp.Compare(a, b))
	})
}
