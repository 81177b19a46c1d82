package record

import (
	"bytes"
	"strings"

	"poolerd/wire/lex"
)

// mostNested bounds how deep texts within texts are looked into.
const mostNested = 4

// hideConstants gives the text with stand-ins for its constants and with blanks for its comments. Its length and its tokens' places stay. ok is false when that cannot
// be done for certain.
func (v *veil) hideConstants(t phrase, depth int) (shown []byte, ok bool) {
	if depth > mostNested {
		return nil, false
	}
	out := make([]byte, 0, len(t.sql))
	at := 0
	set, value := "", len(t.tokens) // the parameter that the running SET sets, and where its value begins
	for i, token := range t.tokens {
		out = blank(out, t.sql[at:token.From])
		at = token.To
		if t.is(i, ";") {
			set, value = "", len(t.tokens)
		}
		if t.is(i, "set") && (i == 0 || t.is(i-1, ";")) {
			set, value = t.set(i)
		}
		b := t.text(i)
		switch {
		case i >= value && set != "":
			b = v.setValue(t, i, set)
		case token.Kind == lex.Number && len(b) >= 5:
			b = v.plain(b)
		case token.Kind == lex.Constant:
			if b, ok = v.hideConstant(t, i, depth); !ok {
				return nil, false
			}
		}
		out = append(out, b...)
	}
	end, _, _ := bytes.Cut(t.sql[at:], []byte{0})
	return blank(out, end), true
}

// blank appends what stands between two tokens: whitespace as it is, comments as blanks.
func blank(out, gap []byte) []byte {
	for _, c := range gap {
		switch c {
		case '\t', '\n', '\r', '\f', '\v', ' ':
		default:
			c = ' '
		}
		out = append(out, c)
	}
	return out
}

// setValue gives what is shown of token i in the value of a SET.
func (v *veil) setValue(t phrase, i int, set string) []byte {
	b := t.text(i)
	if ownParameter([]byte(set)) || t.isAny(i, "default", "on", "off", "true", "false", ",", "-", "+") {
		return b
	}
	switch t.tokens[i].Kind {
	case lex.Constant:
		return v.quote(b, v.setting)
	case lex.Word, lex.Number, lex.Quoted:
		return v.letters(b, b)
	}
	return b
}

// hideConstant gives the stand-in of token i, or the constant itself where it is a part of the language.
func (v *veil) hideConstant(t phrase, i, depth int) (shown []byte, ok bool) {
	b := t.text(i)
	if text, ok := t.constant(i); ok {
		if t.is(i-1, "(") && t.isAny(i-2, "set_config", "current_setting", "nextval", "currval", "setval", "to_regclass") && parameterName(text) {
			return b, true
		}
		if name, ok := t.constant(i - 2); ok && t.is(i-1, ",") && t.is(i-3, "(") && t.is(i-4, "set_config") {
			if ownParameter(name) {
				return b, true
			}
			return v.quote(b, v.setting), true
		}
		if t.is(i-1, "zone") && t.is(i-2, "time") || t.is(i+1, ":") && t.is(i+2, ":") && t.isAny(i+3, "regclass", "regtype", "regproc", "regnamespace", "regrole") {
			return b, true
		}
	}
	if b[0] == '$' {
		return v.hideDollar(t, i, depth)
	}
	return v.quote(b, v.plain), true
}

// hideDollar: the body of a function, or of DO, is a text of its own; what else is quoted by dollars is a constant.
func (v *veil) hideDollar(t phrase, i, depth int) (shown []byte, ok bool) {
	b := t.text(i)
	tag := bytes.IndexByte(b[1:], '$') + 2
	body := b[tag : len(b)-tag]
	if !t.isAny(i-1, "do", "as") && !(t.is(i-2, "language") && t.is(i-3, "do")) {
		inside := v.letters(body, body)
		return bytes.Join([][]byte{b[:tag], inside, b[len(b)-tag:]}, nil), true
	}
	tokens, ok := lex.Tokens(nil, body)
	if !ok {
		return nil, false
	}
	inner := phrase{body, tokens}
	if inner.setsPassword() {
		return nil, false
	}
	inside, ok := v.hideConstants(inner, depth+1)
	if !ok || len(inside) != len(body) {
		return nil, false
	}
	return bytes.Join([][]byte{b[:tag], inside, b[len(b)-tag:]}, nil), true
}

// quote gives a quoted constant whose inside is what standIn makes of it.
func (v *veil) quote(b []byte, standIn func([]byte) []byte) []byte {
	open := bytes.IndexByte(b, '\'') + 1
	if open == 0 || len(b) < open+1 {
		return v.letters(b, b)
	}
	raw := b[open : len(b)-1]
	var inside []byte
	switch prefix := strings.ToLower(string(b[:open-1])); {
	case prefix == "b":
		inside = v.alphabet(raw, "01")
	case prefix == "x":
		inside = v.alphabet(raw, "0123456789abcdef")
	case bytes.IndexByte(raw, '\\') >= 0:
		inside = v.letters(raw, raw)
	default:
		inside = bytes.ReplaceAll(standIn(bytes.ReplaceAll(raw, []byte("''"), []byte("'"))), []byte("'"), []byte("''"))
		if len(inside) != len(raw) || bytes.IndexByte(inside, 0) >= 0 || bytes.IndexByte(inside, '\\') >= 0 {
			inside = v.letters(raw, raw)
		}
	}
	return bytes.Join([][]byte{b[:open], inside, b[len(b)-1:]}, nil)
}
