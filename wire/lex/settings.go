package lex

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Setting is one SET or RESET of a session parameter.
type Setting struct {
	Name    string // lower case; timezone for SET TIME ZONE, client_encoding for SET NAMES, search_path for SET SCHEMA; with RESET ALL empty
	Value   string // SQL, as written behind TO; empty with Default
	Default bool   // SET ... TO DEFAULT, SET TIME ZONE LOCAL, SET NAMES, RESET
	Reset   bool   // RESET
	Local   bool   // SET LOCAL
}

// Settings reads a text that is nothing but SET and RESET of session parameters, one or more of them, which a server accepts if it knows the
// parameters and likes their values. ok is false when it is anything else, and in doubt. SET TRANSACTION, SET SESSION CHARACTERISTICS, SET CONSTRAINTS
// and the parameters of the running transaction (transaction_isolation and its like) are something else; SET TIME ZONE INTERVAL and SET ... FROM
// CURRENT are not read.
func Settings(sql []byte) (list []Setting, ok bool) {
	sql, _, _ = bytes.Cut(sql, []byte{0})
	if !utf8.Valid(sql) {
		return nil, false
	}
	s := scanner{b: sql}
	for {
		var one Setting
		switch t := s.next(); {
		case t.kind == end:
			if s.odd || len(list) == 0 {
				return nil, false
			}
			return list, true
		case t.is(";"):
			continue
		case t.is("set"):
			one, ok = set(&s)
		case t.is("reset"):
			one, ok = reset(&s)
		default:
			return nil, false
		}
		if !ok {
			return nil, false
		}
		list = append(list, one)
	}
}

func reset(s *scanner) (one Setting, ok bool) {
	one = Setting{Default: true, Reset: true}
	t := s.next()
	at := *s
	second := at.next()
	switch {
	case t.is("all"):
	case t.is("time") && second.is("zone"):
		one.Name, *s = "timezone", at
	case t.is("session") && second.is("authorization"):
		one.Name, *s = "session_authorization", at
	default:
		if one.Name, ok = parameter(s, t); !ok {
			return one, false
		}
	}
	t = s.next()
	return one, t.kind == end || t.is(";")
}

// parameter reads a parameter's name, of which t is the start. Names are not case sensitive, quoted or not.
func parameter(s *scanner, t token) (string, bool) {
	var b strings.Builder
	for {
		name, ok := t.name()
		if !ok || strings.ContainsAny(name, `."`) {
			return "", false
		}
		b.WriteString(strings.ToLower(name))
		at := *s
		if !at.next().is(".") {
			break
		}
		b.WriteByte('.')
		*s = at
		t = s.next()
	}
	switch name := b.String(); name {
	case "transaction_isolation", "transaction_read_only", "transaction_deferrable":
		return "", false
	default:
		return name, len(name) <= maxName
	}
}

func set(s *scanner) (one Setting, ok bool) {
	t := s.next()
	if (t.is("local") || t.is("session")) && !s.assigns() {
		if after := *s; t.is("local") || !after.next().is("authorization") {
			one.Local = t.is("local")
			t = s.next()
		}
	}
	if !s.assigns() {
		return one, special(s, t, &one)
	}
	if one.Name, ok = parameter(s, t); !ok {
		return one, false
	}
	if t := s.next(); !t.is("to") && !t.is("=") {
		return one, false
	}
	return one, value(s, &one)
}

// special reads the forms of SET that have neither = nor TO; t is the first word.
func special(s *scanner, t token, one *Setting) bool {
	switch {
	case t.is("time"):
		one.Name = "timezone"
		if !s.next().is("zone") || !single(s, one, zone) {
			return false
		}
		if strings.EqualFold(one.Value, "local") {
			one.Value, one.Default = "", true
		}
		return true
	case t.is("names"):
		one.Name = "client_encoding"
		at := *s
		if t := at.next(); t.kind == end || t.is(";") {
			one.Default, *s = true, at
			return true
		}
		return single(s, one, func(t token) bool { return t.is("default") || t.kind == text })
	case t.is("schema"):
		one.Name = "search_path"
		return single(s, one, func(t token) bool { return t.kind == text })
	case t.is("role"):
		one.Name = "role"
		return single(s, one, token.role)
	case t.is("xml"):
		one.Name = "xmloption"
		return s.next().is("option") && single(s, one, func(t token) bool { return t.is("document") || t.is("content") })
	case t.is("session"):
		one.Name = "session_authorization"
		return s.next().is("authorization") && single(s, one, func(t token) bool { return t.is("default") || t.role() })
	}
	return false
}

// single reads one value of which allowed holds, and the end of the statement.
func single(s *scanner, one *Setting, allowed func(token) bool) bool {
	at := *s
	t := at.next()
	if t.is("-") || t.is("+") {
		if t = at.next(); t.kind != number {
			return false
		}
	}
	if !allowed(t) {
		return false
	}
	if t := at.next(); t.kind != end && !t.is(";") {
		return false
	}
	return value(s, one)
}

// zone: of unquoted words only some that are no keywords, which are not allowed here.
func zone(t token) bool {
	switch t.kind {
	case text, number:
		return true
	case word:
	default:
		return false
	}
	switch strings.ToLower(string(t.text)) {
	case "default", "local", "utc", "uct", "gmt", "zulu", "cet", "eet", "met", "wet", "est", "hst", "mst", "est5edt", "cst6cdt", "mst7mdt", "pst8pdt":
		return true
	}
	return false
}

// role: a role's name.
func (t token) role() bool {
	return t.kind == text || t.kind == quoted || t.kind == word && !reserved(strings.ToLower(string(t.text)))
}

// value reads constants and words, separated by commas, up to the end of the statement.
func value(s *scanner, one *Setting) bool {
	from, count := -1, 0
	for {
		t := s.next()
		if from < 0 {
			from = t.at
		}
		if t.is("-") || t.is("+") {
			if t = s.next(); t.kind != number {
				return false
			}
		}
		alone := count == 0 && t.is("default")
		if !alone && !t.value() {
			return false
		}
		to := s.at
		count++
		switch t := s.next(); {
		case t.is(",") && !alone:
		case t.kind == end, t.is(";"):
			if one.Default = alone; !alone {
				one.Value = string(s.b[from:to])
			}
			return true
		default:
			return false
		}
	}
}

// value tells whether the token is a value that SET takes, in every version and under all settings.
func (t token) value() bool {
	switch t.kind {
	case word:
		lower := strings.ToLower(string(t.text))
		return !reserved(lower) || lower == "on" || lower == "true" || lower == "false"
	case quoted:
		name, ok := t.name()
		return ok && name != ""
	case number:
		return strings.Trim(string(t.text), "0123456789.") == "" && bytes.Count(t.text, []byte{'.'}) <= 1
	case text:
		return t.plain()
	}
	return false
}

// plain tells whether a string constant is sure to mean the same everywhere: of the escapes of E'...' only the simple ones count, and a backslash
// elsewhere depends on standard_conforming_strings.
func (t token) plain() bool {
	switch t.text[0] {
	case '$':
		return true
	case '\'':
		return bytes.IndexByte(t.text, '\\') < 0
	case 'e', 'E':
	default:
		return false // B'...', X'...', N'...'
	}
	for i := 0; i < len(t.text); i++ {
		if t.text[i] != '\\' {
			continue
		}
		i++
		if strings.IndexByte(`\bfnrt`, t.text[i]) < 0 {
			return false
		}
	}
	return true
}
