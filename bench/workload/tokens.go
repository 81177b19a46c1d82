package workload

import (
	"strconv"
	"strings"
)

// tokenKind is what a word of an expression is.
type tokenKind uint8

const (
	tokenEnd      tokenKind = iota
	tokenSymbol             // operators, parentheses, the comma
	tokenWord               // keywords and names of functions, in small letters
	tokenVariable           // its name, without the colon
	tokenInt
	tokenMinInt // 9223372036854775808, which is a number behind a minus only
	tokenDouble
)

type token struct {
	kind   tokenKind
	offset int // in the source
	text   string
	value  value // numbers
}

// lexer reads the words of an expression in src.text[at:end].
type lexer struct {
	src *source
	at  int
	end int
}

func (l *lexer) next() (token, error) {
	l.space()
	t := token{offset: l.at}
	if l.at >= l.end {
		return t, nil
	}
	s := l.src.text[l.at:l.end]
	switch c := s[0]; {
	case isDigit(c), c == '.' && len(s) > 1 && isDigit(s[1]):
		return l.number(t, s)
	case isNameStart(c):
		n := nameLength(s)
		t.kind, t.text = tokenWord, strings.ToLower(s[:n])
		l.at += n // the lower case of bytes that are no character is longer
		return t, nil
	case c == ':':
		n := nameLength(s[1:])
		if n == 0 {
			return t, l.src.errorf(l.at, "a variable's name must follow the colon")
		}
		t.kind, t.text = tokenVariable, s[1:1+n]
		l.at += 1 + n
		return t, nil
	}
	for _, symbol := range [...]string{"<<", ">>", "<=", ">=", "<>", "!="} {
		if strings.HasPrefix(s, symbol) {
			t.kind, t.text = tokenSymbol, symbol
			l.at += 2
			return t, nil
		}
	}
	if strings.IndexByte("+-*/%()<>=,&|#~", s[0]) < 0 {
		r := []rune(s)[0]
		return t, l.src.errorf(l.at, "an expression cannot hold %q", r)
	}
	t.kind, t.text = tokenSymbol, s[:1]
	l.at++
	return t, nil
}

// space skips white space, and a backslash at a line's end with the line feed.
func (l *lexer) space() {
	for l.at < l.end {
		switch s := l.src.text[l.at:l.end]; {
		case isSpace(s[0]):
			l.at++
		case strings.HasPrefix(s, "\\\n"):
			l.at += 2
		case strings.HasPrefix(s, "\\\r\n"):
			l.at += 3
		default:
			return
		}
	}
}

func (l *lexer) number(t token, s string) (token, error) {
	n := digits(s)
	whole := n
	if n < len(s) && s[n] == '.' {
		n++
		n += digits(s[n:])
	}
	if e := exponent(s[n:]); e > 0 {
		n += e
	}
	t.text = s[:n]
	l.at += n
	if n == whole {
		t.kind = tokenInt
		i, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil && strings.TrimLeft(t.text, "0") == "9223372036854775808" {
			t.kind = tokenMinInt
			return t, nil
		}
		if err != nil {
			return t, l.src.errorf(t.offset, "the integer %s does not fit 64 bits: write it with a decimal point", t.text)
		}
		t.value = intValue(i)
		return t, nil
	}
	d, err := strconv.ParseFloat(t.text, 64)
	if err != nil {
		return t, l.src.errorf(t.offset, "the number %s does not fit a double", t.text)
	}
	t.kind, t.value = tokenDouble, doubleValue(d)
	return t, nil
}

// exponent is how long the exponent at the start of s is, 0 when there is none.
func exponent(s string) int {
	if s == "" || s[0]|0x20 != 'e' {
		return 0
	}
	n := 1
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		n++
	}
	if d := digits(s[n:]); d > 0 {
		return n + d
	}
	return 0
}

func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v'
}

// isNameStart: letters, the underscore, and every byte of a character outside ASCII (PostgreSQL's documentation, pgbench: "Variable names").
func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

// nameLength is how long the name at the start of s is, 0 when there is none.
func nameLength(s string) int {
	if s == "" || !isNameStart(s[0]) {
		return 0
	}
	n := 1
	for n < len(s) && (isNameStart(s[n]) || isDigit(s[n])) {
		n++
	}
	return n
}
