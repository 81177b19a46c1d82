package workload

import "strings"

// fragment is a part of a statement in a script: text, or a variable.
type fragment struct {
	text   string
	name   string
	offset int  // of a variable, in the source
	quoted bool // the variable stands inside a string, a quoted name or a dollar-quoted text
}

// stop is what ended a statement.
type stop uint8

const (
	atEnd stop = iota
	atSemicolon
	atBackslash // of a meta command, where the scanner stands
)

// scanner divides a script as psql does (PostgreSQL's documentation, "Lexical Structure", and psql): a statement ends at a semicolon that is inside
// neither quotes, a comment, parentheses nor the body of a function, and at a backslash.
type scanner struct {
	src *source
	at  int

	// Of the statement that is being read.
	fragments []fragment
	plain     int // where the text that is in no fragment yet begins
	begun     bool
	first     int // offset of its first character
	several   int // offset of a \; in it, or -1
	parens    int
	words     []string // the first of them, in small letters, outside parentheses
	bodies    int      // BEGIN and CASE in the body of a function that are open
	stdin     bool     // the word STDIN is there
}

// maxWords is how many words at a statement's start matter: CREATE OR REPLACE FUNCTION.
const maxWords = 4

// statement reads up to what ends a statement.
func (s *scanner) statement() (stop, error) {
	*s = scanner{src: s.src, at: s.at, plain: s.at, several: -1}
	for s.at < len(s.src.text) {
		rest := s.src.text[s.at:]
		c := rest[0]
		switch {
		case isSpace(c):
			s.skip(1)
		case strings.HasPrefix(rest, "--"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			s.skip(n)
		case strings.HasPrefix(rest, "/*"):
			n := commentLength(rest)
			if n < 0 {
				return 0, s.src.errorf(s.at, "this comment has no end")
			}
			s.skip(n)
		case c == ';' && s.parens == 0 && s.bodies == 0:
			s.flush()
			s.at++
			return atSemicolon, nil
		case c == '\\':
			if ended := s.backslash(rest); ended {
				return atBackslash, nil
			}
		default:
			if err := s.take(rest); err != nil {
				return 0, err
			}
		}
	}
	s.flush()
	return atEnd, nil
}

// skip passes white space or a comment, which is kept inside a statement and left out before it.
func (s *scanner) skip(n int) {
	s.at += n
	if !s.begun {
		s.plain = s.at
	}
}

// begin notes that the statement has begun.
func (s *scanner) begin() {
	if !s.begun {
		s.begun, s.first = true, s.at
	}
}

// flush makes a fragment of the text that is in none.
func (s *scanner) flush() {
	if s.plain < s.at {
		s.fragments = append(s.fragments, fragment{text: s.src.text[s.plain:s.at]})
	}
	s.plain = s.at
}

// backslash: \; divides statements that are sent together, \: is a colon, and anything else is a meta command, which ends the statement.
func (s *scanner) backslash(rest string) (ended bool) {
	s.flush()
	if len(rest) < 2 || rest[1] != ';' && rest[1] != ':' {
		return true
	}
	if rest[1] == ';' {
		if !s.begun {
			s.at += 2
			s.plain = s.at
			return false
		}
		if s.several < 0 {
			s.several = s.at
		}
	}
	s.begin()
	s.at++
	s.plain = s.at
	s.at++
	return false
}

// take reads one token that belongs to the statement.
func (s *scanner) take(rest string) error {
	s.begin()
	switch c := rest[0]; {
	case c == '\'':
		return s.quoted(rest, "string", quotedLength(rest, false))
	case c == '"':
		return s.quoted(rest, "quoted name", quotedLength(rest, false))
	case c == '$':
		if tag := dollarTag(rest); tag != "" {
			n := strings.Index(rest[len(tag):], tag)
			if n >= 0 {
				n += 2 * len(tag)
			}
			return s.quoted(rest, "dollar-quoted text", n)
		}
		s.at++
	case c == ':':
		return s.colon(rest)
	case isNameStart(c):
		n := nameLength(rest)
		for n < len(rest) && (rest[n] == '$' || isNameStart(rest[n]) || isDigit(rest[n])) {
			n++
		}
		if n == 1 && c|0x20 == 'e' && len(rest) > 1 && rest[1] == '\'' {
			s.at++
			return s.quoted(rest[1:], "string", quotedLength(rest[1:], true))
		}
		s.word(strings.ToLower(rest[:n]))
		s.at += n
	case isDigit(c):
		for n := 1; ; n++ {
			if n == len(rest) || !isDigit(rest[n]) && !isNameStart(rest[n]) {
				s.at += n
				break
			}
		}
	case c == '(':
		s.parens++
		s.at++
	case c == ')':
		s.parens = max(s.parens-1, 0)
		s.at++
	case c == 0:
		return s.src.errorf(s.at, "a script cannot hold a zero byte")
	default:
		s.at++
	}
	return nil
}

// colon: a variable, two colons of a cast, or something of SQL's.
func (s *scanner) colon(rest string) error {
	n := nameLength(rest[1:])
	switch {
	case strings.HasPrefix(rest, "::"), strings.HasPrefix(rest, ":="):
		s.at += 2
		return nil
	case len(rest) > 2 && (rest[1] == '\'' || rest[1] == '"'):
		if m := nameLength(rest[2:]); m > 0 && strings.HasPrefix(rest[2+m:], rest[1:2]) {
			return s.src.errorf(s.at, "%s is psql's: write :%s, which is a parameter and needs no quotes", rest[:m+3], rest[2:2+m])
		}
	}
	s.flush()
	if n > 0 {
		s.fragments = append(s.fragments, fragment{name: rest[1 : 1+n], offset: s.at})
		s.plain += 1 + n
	}
	s.at += 1 + n
	return nil
}

// quoted reads a quoted text of n bytes; n below 0: it has no end.
func (s *scanner) quoted(rest, what string, n int) error {
	if n < 0 {
		return s.src.errorf(s.at, "this %s has no end", what)
	}
	if i := strings.IndexByte(rest[:n], 0); i >= 0 {
		return s.src.errorf(s.at+i, "a script cannot hold a zero byte")
	}
	end := s.at + n
	for _, part := range splitVariables(rest[:n]) {
		if part.name == "" {
			s.at += len(part.text)
			continue
		}
		s.flush()
		s.fragments = append(s.fragments, fragment{name: part.name, offset: s.at, quoted: true})
		s.at += 1 + len(part.name)
		s.plain = s.at
	}
	s.at = end
	return nil
}

// word follows CREATE FUNCTION ... BEGIN ATOMIC ...; END, as psql does.
func (s *scanner) word(w string) {
	s.stdin = s.stdin || w == "stdin"
	if s.parens > 0 {
		return
	}
	if len(s.words) < maxWords {
		s.words = append(s.words, w)
	}
	if !s.makesFunction() {
		return
	}
	switch {
	case w == "begin", w == "case" && s.bodies > 0:
		s.bodies++
	case w == "end" && s.bodies > 0:
		s.bodies--
	}
}

func (s *scanner) makesFunction() bool {
	w := s.words
	if len(w) < 2 || w[0] != "create" {
		return false
	}
	if len(w) == maxWords && w[1] == "or" && w[2] == "replace" {
		w = w[2:]
	}
	return w[1] == "function" || w[1] == "procedure"
}

// commentLength is how long the comment at the start of s is, with comments inside it; -1 when it has no end.
func commentLength(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			i++
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// quotedLength is how long the quoted text at the start of s is; -1 when it has no end. A doubled quote is in it, and with escapes one behind a
// backslash too.
func quotedLength(s string, escapes bool) int {
	quote := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && escapes:
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return -1
}

// dollarTag is the tag that begins a dollar-quoted text, or "".
func dollarTag(s string) string {
	n := 1
	n += nameLength(s[1:])
	if n < len(s) && s[n] == '$' {
		return s[:n+1]
	}
	return ""
}
