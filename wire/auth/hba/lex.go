package hba

import "strings"

// token is a word of a line.
type token struct {
	text   string
	quoted bool // it began with a quote: then it is a name, whatever it says
}

// is tells whether t is a keyword.
func (t token) is(keyword string) bool { return !t.quoted && t.text == keyword }

// field is what blanks separate: one token, or several with commas between them.
type field []token

const blanks = " \t\r\n\v\f"

// scanner takes a line apart. A quote may start inside a word, where it protects blanks, commas and comments: name="a b". Two quotes inside quotes are one.
type scanner struct {
	rest string
}

// split gives the fields of a line, and the comment behind them; problem is not empty when it cannot be read.
func split(line string) (fields []field, comment, problem string) {
	s := scanner{rest: line}
	for {
		if s.blank(); s.ended() {
			return fields, s.rest, ""
		}
		if s.rest[0] == ',' {
			return nil, "", "nothing stands before a comma"
		}
		f, problem := s.field()
		if problem != "" {
			return nil, "", problem
		}
		fields = append(fields, f)
	}
}

func (s *scanner) blank() { s.rest = strings.TrimLeft(s.rest, blanks) }

func (s *scanner) ended() bool { return s.rest == "" || s.rest[0] == '#' }

// field takes tokens for as long as commas follow.
func (s *scanner) field() (f field, problem string) {
	for {
		t, ok := s.token()
		if !ok {
			return nil, "a quote is not closed"
		}
		f = append(f, t)
		s.blank()
		if s.ended() || s.rest[0] != ',' {
			return f, ""
		}
		s.rest = strings.TrimLeft(s.rest, blanks+",")
		if s.ended() {
			return f, ""
		}
	}
}

// token takes one that is there. ok is false when its quote has no end.
func (s *scanner) token() (t token, ok bool) {
	var b strings.Builder
	t.quoted = s.rest[0] == '"'
	inside, i := false, 0
	for ; i < len(s.rest); i++ {
		c := s.rest[i]
		switch {
		case c == '"' && inside && strings.HasPrefix(s.rest[i+1:], `"`):
			b.WriteByte(c)
			i++
		case c == '"':
			inside = !inside
		case !inside && (c == ',' || c == '#' || strings.IndexByte(blanks, c) >= 0):
			t.text, s.rest = b.String(), s.rest[i:]
			return t, true
		default:
			b.WriteByte(c)
		}
	}
	t.text, s.rest = b.String(), ""
	return t, !inside
}

// quote writes a word so that it is read as it is, and as a name.
func quote(word string) string { return `"` + strings.ReplaceAll(word, `"`, `""`) + `"` }
