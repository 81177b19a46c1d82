package lex

import "bytes"

type tokenKind uint8

const (
	end    tokenKind = iota
	word             // an identifier or keyword, not quoted
	quoted           // a quoted identifier, without its quotes
	text             // a string constant of any form, with its quotes
	number
	symbol // one character
	broken // something that has no end, or whose end depends on what is not known here
)

// token is one token; text is its part of the scanned bytes, which begins at at.
type token struct {
	kind tokenKind
	text []byte
	at   int
}

// is tells whether the token is this word, in any case, or this symbol.
func (t token) is(lower string) bool {
	if len(t.text) != len(lower) || t.kind != word && t.kind != symbol {
		return false
	}
	for i := range len(lower) {
		c := t.text[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// scanner gives the tokens of a text (PostgreSQL's documentation, "Lexical Structure"). It never allocates.
type scanner struct {
	b   []byte
	at  int
	odd bool // a vertical tab was skipped: whitespace since PostgreSQL 16, an error before
}

// next gives the next token. After end and broken it must not be called again, except that end repeats itself.
func (s *scanner) next() token {
	if !s.space() {
		return token{kind: broken, at: s.at}
	}
	start, c := s.at, s.peek(0)
	switch {
	case c == 0:
		return token{kind: end, at: start}
	case s.peek(1) == '\'' && prefix(c):
		s.at++
		return s.constant(start, c|0x20 == 'e')
	case wordStart(c):
		for wordPart(s.peek(0)) {
			s.at++
		}
		return token{word, s.b[start:s.at], start}
	case c == '\'':
		return s.constant(start, false)
	case c == '"':
		return s.identifier(start)
	case c == '$':
		return s.dollar(start)
	case digit(c) || c == '.' && digit(s.peek(1)):
		return s.number(start)
	case c == '\\':
		return token{kind: broken, at: start} // no SQL; in some encodings the second half of a character
	}
	s.at++
	return token{symbol, s.b[start:s.at], start}
}

// onlyEnd tells whether after t, the token read last, there is nothing more but semicolons, whitespace and comments, in every version's eyes.
func (s *scanner) onlyEnd(t token) bool {
	for t.is(";") {
		t = s.next()
	}
	return t.kind == end && !s.odd
}

// peek gives a byte ahead, 0 behind the end.
func (s *scanner) peek(n int) byte {
	if s.at+n < len(s.b) {
		return s.b[s.at+n]
	}
	return 0
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func wordStart(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c >= 0x80 }

func wordPart(c byte) bool { return wordStart(c) || digit(c) || c == '$' }

// prefix: what may stand before a string constant's first quote.
func prefix(c byte) bool {
	c |= 0x20
	return c == 'e' || c == 'b' || c == 'x' || c == 'n'
}

// space skips whitespace and comments. It returns false for a comment that has no end.
func (s *scanner) space() bool {
	for {
		switch c := s.peek(0); {
		case c == '\v':
			s.odd = true
			s.at++
		case c == ' ' || '\t' <= c && c <= '\r':
			s.at++
		case c == '-' && s.peek(1) == '-':
			for c != 0 && c != '\n' && c != '\r' {
				s.at++
				c = s.peek(0)
			}
		case c == '/' && s.peek(1) == '*':
			if !s.comment() {
				return false
			}
		default:
			return true
		}
	}
}

// comment skips a block comment, which may hold others.
func (s *scanner) comment() bool {
	depth := 0
	for {
		switch c := s.peek(0); {
		case c == 0:
			return false
		case c == '/' && s.peek(1) == '*':
			depth++
			s.at += 2
		case c == '*' && s.peek(1) == '/':
			depth--
			s.at += 2
			if depth == 0 {
				return true
			}
		default:
			s.at++
		}
	}
}

// number reads a number and the letters behind it. Whether those are part of the number, and a dollar behind them part of a name or the start of a
// string, depends on the server's version.
func (s *scanner) number(start int) token {
	letters := false
	for c := s.peek(0); c == '.' || wordPart(c); c = s.peek(0) {
		if c == '$' {
			if letters {
				return token{kind: broken, at: start}
			}
			break
		}
		letters = letters || wordStart(c)
		s.at++
	}
	return token{number, s.b[start:s.at], start}
}

// constant reads a string constant from its first quote on. Whether a backslash takes the next character's meaning is sure with E'...' only: elsewhere
// it depends on standard_conforming_strings, and so the constant counts as broken where that decides about its end. A quoted part that continues an
// E'...' of the line above is covered by that as well.
func (s *scanner) constant(start int, escapes bool) token {
	for s.at++; ; s.at++ {
		switch c, after := s.peek(0), s.peek(1); {
		case c == 0:
			return token{kind: broken, at: start}
		case c == '\\' && escapes && s.b[s.at-1] >= 0x80:
			return token{kind: broken, at: start} // in some encodings the second half of a character
		case c == '\\' && !escapes && after == '\'':
			return token{kind: broken, at: start}
		case c == '\\' && (escapes || after == '\\') && after != 0, c == '\'' && after == '\'':
			s.at++
		case c == '\'':
			s.at++
			return token{text, s.b[start:s.at], start}
		}
	}
}

func (s *scanner) identifier(start int) token {
	for s.at++; ; s.at++ {
		switch c := s.peek(0); {
		case c == 0:
			return token{kind: broken, at: start}
		case c == '"' && s.peek(1) == '"':
			s.at++
		case c == '"':
			s.at++
			return token{quoted, s.b[start+1 : s.at-1], start}
		}
	}
}

// dollar reads a dollar-quoted string, or the one character.
func (s *scanner) dollar(start int) token {
	s.at++
	if !digit(s.peek(0)) {
		for wordPart(s.peek(0)) && s.peek(0) != '$' {
			if s.peek(0) >= 0x80 {
				return token{kind: broken, at: start} // where a tag of such characters ends depends on the encoding
			}
			s.at++
		}
	}
	if s.peek(0) != '$' {
		s.at = start + 1
		return token{symbol, s.b[start:s.at], start}
	}
	s.at++
	tag := s.b[start:s.at]
	n := bytes.Index(s.b[s.at:], tag)
	if n < 0 {
		return token{kind: broken, at: start}
	}
	s.at += n + len(tag)
	return token{text, s.b[start:s.at], start}
}
