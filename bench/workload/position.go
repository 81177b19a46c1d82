package workload

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// position is a place in a script: line and column from 1, columns in characters.
type position struct{ line, column int }

// source is a script's text.
type source struct {
	name string
	text string
}

// position of a byte.
func (s *source) position(offset int) position {
	before := s.text[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	return position{line: 1 + strings.Count(before, "\n"), column: 1 + utf8.RuneCountInString(before[start:])}
}

// errorf is an error at a byte, with the line that it stands in.
func (s *source) errorf(offset int, format string, args ...any) error {
	at := s.position(offset)
	start := strings.LastIndexByte(s.text[:offset], '\n') + 1
	line, _, _ := strings.Cut(s.text[start:], "\n")
	return fmt.Errorf("%s:%d:%d: %s, in %q", s.name, at.line, at.column, fmt.Sprintf(format, args...), shorten(strings.TrimSpace(line)))
}

// shorten keeps an error short.
func shorten(line string) string {
	const most = 120
	runes := []rune(line)
	if len(runes) <= most {
		return line
	}
	return string(runes[:most-1]) + "…"
}
