package lex

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// maxName is how long a name may be in bytes (NAMEDATALEN - 1): PostgreSQL cuts longer ones, where depends on the encoding.
const maxName = 63

// Name gives the name in a text that is a LISTEN, UNLISTEN or DEALLOCATE of one name and nothing else: folded to lower case unless it is quoted. ok is
// false in doubt, as with an unquoted name that is not plain ASCII, or one that PostgreSQL would cut.
func Name(sql []byte) (name string, ok bool) {
	sql, _, _ = bytes.Cut(sql, []byte{0})
	if !utf8.Valid(sql) {
		return "", false
	}
	s := scanner{b: sql}
	first := s.next()
	if !first.is("listen") && !first.is("unlisten") && !first.is("deallocate") {
		return "", false
	}
	t := s.next()
	if t.is("prepare") && first.is("deallocate") {
		at := s
		if n := at.next(); n.kind == word || n.kind == quoted {
			t, s = n, at
		}
	}
	if name, ok = t.name(); !ok || !s.onlyEnd(s.next()) {
		return "", false
	}
	return name, true
}

// name gives the name that the token is (ColId in PostgreSQL's grammar).
func (t token) name() (string, bool) {
	var name string
	switch t.kind {
	case word:
		for _, c := range t.text {
			if c >= 0x80 {
				return "", false // how it folds depends on the server's locale
			}
		}
		name = strings.ToLower(string(t.text))
		if reserved(name) || functionName(name) {
			return "", false
		}
	case quoted:
		name = strings.ReplaceAll(string(t.text), `""`, `"`)
	default:
		return "", false
	}
	return name, name != "" && len(name) <= maxName
}
