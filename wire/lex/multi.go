package lex

import "bytes"

// Multi tells whether the text may hold more than one statement: whether after its first semicolon there is anything but whitespace, comments and
// semicolons. In doubt it does; the semicolons inside a function's body or a rule are such a doubt.
func Multi(sql []byte) bool {
	sql, _, _ = bytes.Cut(sql, []byte{0})
	i := bytes.IndexByte(sql, ';')
	if i < 0 || len(bytes.Trim(sql[i:], "; \t\r\n\f")) == 0 {
		return false // nearly every text
	}
	s := scanner{b: sql}
	for {
		switch t := s.next(); {
		case t.kind == end:
			return false
		case t.kind == broken:
			return true
		case t.is(";"):
			return !s.onlyEnd(t)
		}
	}
}
