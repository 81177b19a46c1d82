package lex

import (
	"bytes"
	"strings"
)

// readSettings reads a SET or RESET. What is set of the running transaction is over with it.
func (e *Effect) readSettings(sql []byte) {
	if list, ok := Settings(sql); ok && len(list) == 1 {
		e.Settings = list
		return
	}
	s := scanner{b: sql}
	s.next()
	local := false
	at := s
	if t := at.next(); (t.is("local") || t.is("session")) && !at.assigns() {
		after := at
		if next := after.next(); t.is("local") || !next.is("characteristics") && !next.is("authorization") {
			local = t.is("local")
			s = at
		}
	}
	if list, ok := characteristics(s, local); ok {
		e.Settings = list
		return
	}
	t := s.next()
	if t.is("transaction") && !s.assigns() || ofTransaction(t) {
		if e.Kind == Set {
			e.Kind = SetLocal
		}
		return
	}
	e.Unknown = true
	if name := settingName(&s, t); name != "" {
		e.Settings = []Setting{{Name: name, Local: local, Reset: e.Kind == Reset}}
	}
}

// ofTransaction tells whether the token is the name of a parameter of the running transaction.
func ofTransaction(t token) bool {
	name, ok := t.name()
	if !ok {
		return false
	}
	switch strings.ToLower(name) {
	case "transaction_isolation", "transaction_read_only", "transaction_deferrable":
		return true
	}
	return false
}

// settingName gives the name of the parameter in a SET that cannot be read further; t is its first word.
func settingName(s *scanner, t token) string {
	at := *s
	second := at.next()
	switch {
	case t.is("time") && second.is("zone"):
		return "timezone"
	case t.is("session") && second.is("authorization"):
		return "session_authorization"
	case s.assigns() || second.is("from"):
		name, _ := parameter(s, t)
		return name
	case t.is("names"):
		return "client_encoding"
	case t.is("schema"):
		return "search_path"
	case t.is("role"):
		return "role"
	}
	return ""
}

// characteristics reads SESSION CHARACTERISTICS AS TRANSACTION and its modes as the parameters that it sets (PostgreSQL's documentation, "SET TRANSACTION").
func characteristics(s scanner, local bool) (list []Setting, ok bool) {
	for _, w := range [...]string{"session", "characteristics", "as", "transaction"} {
		if !s.next().is(w) {
			return nil, false
		}
	}
	from := s
	if !modes(&s) {
		return nil, false
	}
	add := func(name, value string) {
		list = append(list, Setting{Name: "default_transaction_" + name, Value: value, Local: local})
	}
	for s = from; ; {
		switch t := s.next(); {
		case t.kind == end:
			return list, true
		case t.is("level"):
			level := s.next()
			value := string(bytes.ToLower(level.text))
			if !level.is("serializable") {
				value += " " + string(bytes.ToLower(s.next().text))
			}
			add("isolation", "'"+value+"'")
		case t.is("only"):
			add("read_only", "on")
		case t.is("write"):
			add("read_only", "off")
		case t.is("not"):
			s.next()
			add("deferrable", "off")
		case t.is("deferrable"):
			add("deferrable", "on")
		}
	}
}
