package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Origin says where a setting comes from: a line of a file, or a flag or environment variable. The zero Origin is the default.
type Origin struct {
	File string // as it was named, empty for a flag
	Line int    // from 1
	Flag string // "--pool-size" or "POOLERD_POOL_SIZE", empty for a file
}

// Error is one problem with one setting. Its text is one line that names the place, the key, the value, the reason and the way out, and never a password.
type Error struct {
	Origin
	Key    string // as written; empty for a problem with a whole line or file
	Value  string // as written; masked when it is a secret
	Reason string // what is wrong, lower case
	Hint   string // the way out; may be empty
}

func (e *Error) Error() string { return e.text() }

func (e *Error) text() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			b.WriteString(":" + strconv.Itoa(e.Line))
		}
		b.WriteString(": ")
	}
	switch {
	case e.Flag != "" && e.Value == "":
		b.WriteString(e.Flag + ": ")
	case e.Flag != "":
		fmt.Fprintf(&b, "%s %q: ", e.Flag, e.Value)
	case e.Key != "" && e.Value != "":
		fmt.Fprintf(&b, "%s = %s: ", e.Key, e.Value)
	case e.Key != "":
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Reason)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return oneLine(b.String())
}

// oneLine writes out what would break a line, or a terminal.
func oneLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

// Warning is a setting that is accepted and has no effect, is dangerous, or is likely not meant. It reads like an Error.
type Warning Error

func (w Warning) String() string { return (*Error)(&w).text() }

// Errors is all that is wrong, in the order of the file. It is never empty when it is returned.
type Errors []*Error

// Error gives one line for each problem.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find each problem.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, p := range e {
		all[i] = p
	}
	return all
}

// orNil keeps an empty list from becoming a non-nil error.
func (e Errors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}
