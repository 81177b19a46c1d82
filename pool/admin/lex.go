package admin

import (
	"strings"
	"unicode/utf8"

	"poolerd/wire"
)

// wordKind is the form of a word in a command.
type wordKind uint8

const (
	plainWord  wordKind = iota // letters, digits, _ and what else has no meaning of its own
	quotedWord                 // "name"
	stringWord                 // 'text'
	symbol                     // = or , or ( or )
)

// word is one word of a command, as it was written but for its quotes.
type word struct {
	kind wordKind
	text string
}

// is tells whether w is a word of the console's, whose case does not matter.
func (w word) is(text string) bool { return w.kind <= quotedWord && strings.EqualFold(w.text, text) }

// split cuts a text at its semicolons and gives the words of each command that has any, and the commands' own texts for messages. Comments, -- and
// /* */, are blanks, as in SQL: drivers send them to see whether anyone is there.
func split(text string) (commands []statement, err *wire.Error) {
	if !utf8.ValidString(text) {
		return nil, wire.Errorf(codeBadEncoding, "the command is not valid UTF-8")
	}
	var now statement
	flush := func(end int) {
		if len(now.words) > 0 {
			now.text = strings.TrimSpace(text[now.start:end])
			commands = append(commands, now)
		}
		now = statement{}
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case blank(c):
			i++
		case c == ';':
			flush(i)
			i++
		case strings.HasPrefix(text[i:], "--"):
			i = skipLine(text, i)
		case strings.HasPrefix(text[i:], "/*"):
			if i, err = skipComment(text, i); err != nil {
				return nil, err
			}
		default:
			if len(now.words) == 0 {
				now.start = i
			}
			var w word
			if w, i, err = readWord(text, i); err != nil {
				return nil, err
			}
			now.words = append(now.words, w)
		}
	}
	flush(len(text))
	if len(commands) == 1 {
		commands[0].text = text // PgBouncer's messages show the whole
	}
	return commands, nil
}

// statement is one command as it was written.
type statement struct {
	words []word
	text  string
	start int
}

func blank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func skipLine(text string, i int) int {
	if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(text)
}

// skipComment skips a comment with the comments inside it.
func skipComment(text string, i int) (int, *wire.Error) {
	for depth := 0; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(text[i:], "*/"):
			depth--
			i += 2
			if depth == 0 {
				return i, nil
			}
		default:
			i++
		}
	}
	return i, wire.Errorf(wire.CodeSyntaxError, "a comment has no end: close it with */")
}

func readWord(text string, i int) (word, int, *wire.Error) {
	switch c := text[i]; c {
	case '"', '\'':
		return readQuoted(text, i)
	case '=', ',', '(', ')':
		return word{symbol, text[i : i+1]}, i + 1, nil
	}
	from := i
	for i < len(text) && !blank(text[i]) && !strings.ContainsRune(`;"'=,()`, rune(text[i])) {
		if rest := text[i:]; strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "/*") {
			break
		}
		i++
	}
	return word{plainWord, text[from:i]}, i, nil
}

// readQuoted reads up to the closing quote; a doubled one stands for itself.
func readQuoted(text string, i int) (word, int, *wire.Error) {
	quote := text[i]
	kind := stringWord
	if quote == '"' {
		kind = quotedWord
	}
	var b strings.Builder
	for i++; i < len(text); i++ {
		if text[i] != quote {
			b.WriteByte(text[i])
			continue
		}
		if i+1 == len(text) || text[i+1] != quote {
			return word{kind, b.String()}, i + 1, nil
		}
		i++
		b.WriteByte(quote)
	}
	return word{}, i, wire.Errorf(wire.CodeSyntaxError, "a quoted text has no end: close it with %c", quote)
}
