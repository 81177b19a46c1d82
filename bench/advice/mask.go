package advice

import "strings"

// Mask returns a statement, or a condition of a plan, without what it holds: string and bit constants, numbers and comments become ?, all blanks one space.
// Names and parameters ($1) stay. Texts that end inside a constant end with a ? there, so that a text cut short gives nothing away either.
func Mask(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); {
		n, kind := token(text[i:])
		piece := text[i : i+n]
		i += n
		switch kind {
		case tokenBlank:
			if b.Len() > 0 && i < len(text) {
				b.WriteByte(' ')
			}
		case tokenConstant:
			b.WriteByte('?')
		default:
			b.WriteString(piece)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// tokenKind is what a token is.
type tokenKind uint8

const (
	tokenOther     tokenKind = iota // an operator, a bracket
	tokenBlank                      // blanks and comments
	tokenConstant                   // 'x', E'x', $tag$x$tag$, 12, 1.5e3
	tokenName                       // a word, "a quoted one"
	tokenParameter                  // $1
)

// token measures the token that text, which is not empty, starts with. See PostgreSQL's chapter SQL Syntax: Lexical Structure.
func token(text string) (length int, kind tokenKind) {
	c := text[0]
	switch {
	case isBlank(c):
		n := 1
		for n < len(text) && isBlank(text[n]) {
			n++
		}
		return n, tokenBlank
	case strings.HasPrefix(text, "--"):
		if end := strings.IndexByte(text, '\n'); end >= 0 {
			return end + 1, tokenBlank
		}
		return len(text), tokenBlank
	case strings.HasPrefix(text, "/*"):
		return comment(text), tokenBlank
	case c == '\'':
		return quoted(text, false), tokenConstant
	case c == '"':
		return identifier(text, 0), tokenName
	case c == '$':
		return dollar(text)
	case isDigit(c), c == '.' && len(text) > 1 && isDigit(text[1]):
		return number(text), tokenConstant
	case isLetter(c):
		return word(text)
	}
	return 1, tokenOther
}

// word measures a name, or a constant with a letter before its quote.
func word(text string) (int, tokenKind) {
	if len(text) > 1 && text[1] == '\'' {
		switch text[0] {
		case 'e', 'E':
			return 1 + quoted(text[1:], true), tokenConstant
		case 'b', 'B', 'x', 'X', 'n', 'N':
			return 1 + quoted(text[1:], false), tokenConstant
		}
	}
	if len(text) > 2 && (text[0] == 'u' || text[0] == 'U') && text[1] == '&' {
		switch text[2] {
		case '\'':
			return 2 + quoted(text[2:], false), tokenConstant
		case '"':
			return identifier(text, 2), tokenName
		}
	}
	n := 1
	for n < len(text) && (isLetter(text[n]) || isDigit(text[n]) || text[n] == '$') {
		n++
	}
	return n, tokenName
}

// quoted measures a string constant from its quote on; with escapes a backslash hides the next byte. Without, it does so only where a session has set
// standard_conforming_strings off, which a text does not tell: then all that follows counts as the constant, so that nothing of it is shown.
func quoted(text string, escapes bool) int {
	for n := 1; n < len(text); n++ {
		switch {
		case escapes && text[n] == '\\':
			n++
		case text[n] != '\'':
		case n+1 < len(text) && text[n+1] == '\'':
			n++
		case !escapes && text[n-1] == '\\':
			return len(text)
		default:
			return n + 1
		}
	}
	return len(text)
}

// identifier measures a quoted name whose quote is at start.
func identifier(text string, start int) int {
	for n := start + 1; n < len(text); n++ {
		switch {
		case text[n] != '"':
		case n+1 < len(text) && text[n+1] == '"':
			n++
		default:
			return n + 1
		}
	}
	return len(text)
}

// dollar measures $1 or a dollar-quoted string.
func dollar(text string) (int, tokenKind) {
	n := 1
	for n < len(text) && isDigit(text[n]) {
		n++
	}
	if n > 1 {
		return n, tokenParameter
	}
	for n < len(text) && (isLetter(text[n]) || isDigit(text[n])) {
		n++
	}
	if n == len(text) || text[n] != '$' {
		return 1, tokenOther
	}
	tag := text[:n+1]
	if end := strings.Index(text[n+1:], tag); end >= 0 {
		return n + 1 + end + len(tag), tokenConstant
	}
	return len(text), tokenConstant
}

// number measures a number, with what PostgreSQL reads as its tail: 0x1F, 1_000, 1.5e-3.
func number(text string) int {
	n := 1
	for n < len(text) {
		c := text[n]
		sign := (c == '+' || c == '-') && (text[n-1] == 'e' || text[n-1] == 'E') && !strings.HasPrefix(text, "0x") && !strings.HasPrefix(text, "0X")
		if !isDigit(c) && !isLetter(c) && c != '.' && !sign {
			break
		}
		n++
	}
	return n
}

// comment measures a comment, which may hold others.
func comment(text string) int {
	depth, n := 1, 2
	for n < len(text) && depth > 0 {
		switch {
		case strings.HasPrefix(text[n:], "/*"):
			depth++
			n += 2
		case strings.HasPrefix(text[n:], "*/"):
			depth--
			n += 2
		default:
			n++
		}
	}
	return n
}

func isBlank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isLetter counts every byte of a letter beyond ASCII.
func isLetter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// reads are the first words of statements whose texts pg_stat_statements keeps without their constants. The texts of others (SET, CREATE ROLE) hold them, on
// older servers whole.
var reads = [...]string{"select", "with", "insert", "update", "delete", "merge", "values", "table"}

// plannable is whether a statement has a plan.
func plannable(text string) bool {
	first := firstWord(text)
	for _, one := range reads {
		if first == one {
			return true
		}
	}
	return false
}

// firstWord is a statement's first word in lower case, past blanks, comments and brackets.
func firstWord(text string) string {
	for i := 0; i < len(text); {
		n, k := token(text[i:])
		if k == tokenName {
			return strings.ToLower(text[i : i+n])
		}
		if k != tokenBlank && text[i] != '(' {
			return ""
		}
		i += n
	}
	return ""
}

// short is a statement masked and cut to the length of a line. Of one that has no plan only the first word is shown.
func short(text string) string {
	const most = 110
	if !plannable(text) {
		return strings.ToUpper(firstWord(text))
	}
	masked := []rune(Mask(text))
	if len(masked) > most {
		return string(masked[:most-1]) + "…"
	}
	return string(masked)
}

// fingerprint is the same for a statement as it was sent and as pg_stat_statements keeps it: parameters and constants are all alike.
func fingerprint(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		n, k := token(text[i:])
		piece := text[i : i+n]
		i += n
		switch lower := strings.ToLower(piece); {
		case k == tokenBlank:
		case k == tokenConstant, k == tokenParameter, lower == "null", lower == "true", lower == "false":
			b.WriteString("? ")
		case k == tokenName && piece[0] != '"':
			b.WriteString(lower + " ")
		default:
			b.WriteString(piece + " ")
		}
	}
	return b.String()
}
