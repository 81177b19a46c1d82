package record

import (
	"bytes"
	"strconv"
	"strings"

	"poolerd/wire/lex"
)

// phrase is a text with its tokens.
type phrase struct {
	sql    []byte
	tokens []lex.Token
}

func (t phrase) text(i int) []byte { return t.sql[t.tokens[i].From:t.tokens[i].To] }

// is tells whether token i is a word or a symbol, written in any case; of tokens that are not there it is false.
func (t phrase) is(i int, what string) bool {
	if i < 0 || i >= len(t.tokens) || t.tokens[i].Kind != lex.Word && t.tokens[i].Kind != lex.Symbol {
		return false
	}
	return len(t.text(i)) == len(what) && strings.EqualFold(string(t.text(i)), what)
}

func (t phrase) isAny(i int, what ...string) bool {
	for _, w := range what {
		if t.is(i, w) {
			return true
		}
	}
	return false
}

func (t phrase) kind(i int, kind lex.TokenKind) bool {
	return i >= 0 && i < len(t.tokens) && t.tokens[i].Kind == kind
}

// setsPassword tells whether the text may give a role, a user mapping or the like a password.
func (t phrase) setsPassword() bool {
	makes, password := false, false
	for i := range t.tokens {
		makes = makes || t.isAny(i, "create", "alter")
		password = password || t.is(i, "password")
	}
	return makes && password
}

// constant gives what stands between the quotes of token i, whose own form it must be: no escapes, no dollar quote.
func (t phrase) constant(i int) ([]byte, bool) {
	if !t.kind(i, lex.Constant) {
		return nil, false
	}
	b := t.text(i)
	if b[0] != '\'' || bytes.IndexByte(b, '\\') >= 0 || bytes.IndexByte(b[1:len(b)-1], '\'') >= 0 {
		return nil, false
	}
	return b[1 : len(b)-1], true
}

// parameter gives the number of the parameter ($1) that begins at token i.
func (t phrase) parameter(i int) (int, bool) {
	if !t.is(i, "$") || !t.kind(i+1, lex.Number) || t.tokens[i].To != t.tokens[i+1].From {
		return 0, false
	}
	n, err := strconv.Atoi(string(t.text(i + 1)))
	return n, err == nil && n > 0
}

// parameters finds out what the parameters are for. any tells whether there are some, dotted whether the text gives a value to a parameter of the application's.
func (t phrase) parameters() (rules map[int]rule, any, dotted bool) {
	add := func(n int, r rule) {
		if rules == nil {
			rules = map[int]rule{}
		}
		if r.kind > rules[n].kind {
			rules[n] = r
		}
	}
	for i := range t.tokens {
		if n, ok := t.parameter(i); ok {
			any = true
			if t.isAny(i-1, "limit", "offset", "first", "next") { // how many rows are asked for makes the work, and tells nothing
				add(n, rule{kind: keep})
			}
		}
		if t.is(i, "set") && (i == 0 || t.is(i-1, ";")) {
			name, _ := t.set(i)
			dotted = dotted || name != "" && !ownParameter([]byte(name))
		}
		if !t.is(i, "set_config") || !t.is(i+1, "(") {
			continue
		}
		nameEnd := t.argument(i + 2)
		valueEnd := nameEnd
		if t.is(nameEnd, ",") {
			valueEnd = t.argument(nameEnd + 1)
		}
		value := rule{kind: hide}
		literal, isLiteral := t.constant(i + 2)
		number, isNumber := t.parameter(i + 2)
		switch {
		case isLiteral && t.casts(i+3, nameEnd):
			if ownParameter(literal) {
				value.kind = keep
			} else {
				dotted = true
			}
		case isNumber && t.casts(i+4, nameEnd):
			add(number, rule{kind: keep})
			value = rule{byName, number}
		default:
			dotted = true
		}
		for j := nameEnd; j < valueEnd; j++ {
			if n, ok := t.parameter(j); ok {
				add(n, value)
			}
		}
	}
	return rules, any, dotted
}

// argument gives the token at which the argument that begins at token i ends: a comma or the closing parenthesis.
func (t phrase) argument(i int) int {
	for depth := 0; i < len(t.tokens); i++ {
		switch {
		case t.isAny(i, "(", "["):
			depth++
		case depth == 0 && t.isAny(i, ",", ")"):
			return i
		case t.isAny(i, ")", "]"):
			depth--
		case t.is(i, ";"):
			return i
		}
	}
	return i
}

// casts tells whether the tokens are nothing but casts to types.
func (t phrase) casts(from, to int) bool {
	for i := from; i < to; i++ {
		if !t.is(i, ":") && !t.is(i, ".") && !t.kind(i, lex.Word) {
			return false
		}
	}
	return true
}

// set reads the SET at token i: the name of what it sets, in lower case, and the token at which the value begins. The name is empty when it cannot be told.
func (t phrase) set(i int) (name string, value int) {
	i++
	if t.isAny(i, "session", "local") && !t.isAny(i+1, "=", "to", ".") {
		i++
	}
	if !t.isAny(i+1, "=", "to", ".") {
		switch {
		case t.is(i, "time") && t.is(i+1, "zone"):
			return "timezone", i + 2
		case t.is(i, "names"):
			return "client_encoding", i + 1
		case t.is(i, "schema"):
			return "search_path", i + 1
		case t.is(i, "role"):
			return "role", i + 1
		case t.is(i, "authorization"):
			return "session_authorization", i + 1
		}
		return "", i
	}
	var b strings.Builder
	for ; i < len(t.tokens) && !t.isAny(i, "=", "to", ";"); i++ {
		b.WriteString(strings.Trim(strings.ToLower(string(t.text(i))), `"`))
	}
	return b.String(), i + 1
}
