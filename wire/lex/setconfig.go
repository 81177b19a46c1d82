package lex

import (
	"bytes"
	"strings"
)

// SetConfigs gives the names of the parameters, in small letters, that the text's calls of set_config may set beyond the transaction, wherever in the text
// they stand; set_limit of pg_trgm counts as one. A name may come more than once. ok is false when a call's name is no plain constant, and for an UPDATE of
// pg_settings, which calls set_config for the rows that it finds (PostgreSQL's documentation, "pg_settings").
func SetConfigs(sql []byte) (names []string, ok bool) {
	sql, _, _ = bytes.Cut(sql, []byte{0})
	k := marker{sql: sql, left: 4096 + 4*len(sql)}
	ok = true
	for at := 0; ; at++ {
		n := bytes.IndexByte(sql[at:], '_')
		if n < 0 {
			return names, ok
		}
		at += n
		from := at - len("set")
		if k.is(at-len("pg"), at, "pg") {
			from = at - len("pg")
		} else if !k.is(from, at, "set") {
			continue
		}
		if !k.startsAt(from) {
			continue
		}
		to := at + 1
		for to < len(sql) && wordPart(sql[to]) && to-from < longestWord {
			to++
		}
		switch {
		case k.is(from, to, "pg_settings") && k.updated(from):
			ok = false
		case k.is(from, to, "set_limit") && k.called(to):
			names = append(names, "pg_trgm.similarity_threshold")
		case k.is(from, to, "set_config"):
			c := k.readConfig(to)
			if !c.called || c.local {
				continue
			}
			if c.name == nil {
				ok = false
				continue
			}
			names = append(names, strings.ToLower(string(c.name)))
		}
	}
}

// config looks at a call of set_config, whose name ends at to.
func (k *marker) config(to int) {
	c := k.readConfig(to)
	if !c.called {
		return
	}
	k.mark(MarkSetConfig, !c.local)
	path := c.name == nil
	for _, name := range [...]string{"search_path", "role", "session_authorization"} {
		path = path || token{kind: word, text: c.name}.is(name)
	}
	k.mark(MarkPath, path)
}

// updated tells whether the table whose name begins at from may be what an UPDATE changes.
func (k *marker) updated(from int) bool {
	at := k.unquoted(from)
	if at > 0 && k.sql[at-1] == '.' {
		for at = k.unquoted(at - 1); at > 0 && wordPart(k.sql[at-1]); {
			at--
		}
		at = k.unquoted(at)
	}
	return k.behind(at, func(from, to int) bool {
		return k.is(from, to, "update") || k.is(from, to, "only") && k.behind(from, func(from, to int) bool { return k.is(from, to, "update") })
	})
}

// unquoted gives the place before a quote of a quoted name, if one stands before at.
func (k *marker) unquoted(at int) int {
	if at > 0 && k.sql[at-1] == '"' {
		at--
	}
	return at
}

// configCall is a call of set_config.
type configCall struct {
	called bool   // it may be one
	name   []byte // of the parameter; nil when it is no plain constant
	local  bool   // plainly over with the transaction
}

// readConfig reads a call of set_config, whose name ends at to. PostgREST sends some of them with each request.
func (k *marker) readConfig(to int) configCall {
	at, comment := k.next(to)
	if comment || at >= len(k.sql) || k.sql[at] != '(' {
		return configCall{called: comment}
	}
	if name := k.local(at + 1); name != nil {
		return configCall{called: true, name: name, local: true}
	}
	c := configCall{called: true}
	name, ok := k.argument(at + 1)
	if !ok || name.end != ',' {
		c.name = k.doubled(at + 1)
		return c
	}
	if name.constant && bytes.IndexByte(name.text, '\'') < 0 {
		c.name = name.text
	}
	value, ok := k.argument(name.next)
	if !ok || value.end != ',' {
		return c
	}
	local, ok := k.argument(value.next)
	c.local = ok && local.end == ')' && local.plainlyTrue()
	return c
}

// local reads the arguments of a call just as PostgREST writes them, 'name', $1, true, and gives the name. Anything else takes the longer way.
func (k *marker) local(at int) (name []byte) {
	rest := k.sql[at:]
	if len(rest) < len("'n', $1, true)") || rest[0] != '\'' {
		return nil
	}
	n := 1
	for n < len(rest) && (wordPart(rest[n]) || rest[n] == '.') {
		n++
	}
	name, rest = rest[1:n], rest[n:]
	if len(rest) < len("', $1, true)") || string(rest[:4]) != "', $" || !digit(rest[4]) || len(name) == 0 {
		return nil
	}
	rest = rest[5:]
	if digit(rest[0]) {
		rest = rest[1:]
	}
	if len(rest) < len(", true)") || string(rest[:7]) != ", true)" {
		return nil
	}
	return name
}

// argument is one argument of a call: a string constant, or words, numbers and parameters with dots; both with a cast or without.
type argument struct {
	text     []byte // without the cast; of a constant without its quotes, but with those in it doubled
	cast     []byte // what stands behind ::
	constant bool
	end      byte // the comma or parenthesis behind it
	next     int  // what stands behind that
}

// plainlyTrue tells whether the argument is the constant true.
func (a argument) plainlyTrue() bool {
	t := token{kind: word, text: a.cast}
	if len(a.cast) > 0 && !t.is("bool") && !t.is("boolean") {
		return false
	}
	t.text = a.text
	return t.is("true") || a.constant && (t.is("t") || t.is("on") || t.is("yes") || t.is("1"))
}

// argument reads an argument. ok is false for everything else, as for a call, a comment, or a constant that is not plain; and where the quotes may be those of
// a text inside a string constant, which are doubled.
func (k *marker) argument(at int) (a argument, ok bool) {
	for at < len(k.sql) && isSpace(k.sql[at]) {
		at++
	}
	from := at
	if at < len(k.sql) && k.sql[at] == '\'' {
		if at = k.constantEnd(at); at < 0 {
			return a, false
		}
		a.constant = true
	}
	to, cast := at, -1 // to: the end of what is not the cast
	for ; at < len(k.sql); at++ {
		switch c := k.sql[at]; {
		case c == ',' || c == ')':
			k.left -= at - from
			if cast < 0 {
				to = at
			} else {
				a.cast = bytes.TrimSpace(k.sql[cast:at])
			}
			a.text, a.end, a.next = bytes.TrimSpace(k.sql[from:to]), c, at+1
			if a.constant {
				last := len(a.text) - 1
				if a.text[last] != '\'' {
					return a, false // words behind the constant
				}
				a.text = a.text[1:last]
			}
			return a, k.left >= 0
		case c == ':' && at+1 < len(k.sql) && k.sql[at+1] == ':' && cast < 0:
			to, cast = at, at+2
			at++
		case c == '$' && at+1 < len(k.sql) && !digit(k.sql[at+1]) && !wordPart(k.sql[at-1]), !wordPart(c) && !isSpace(c) && c != '.':
			k.left -= at - from
			return a, false
		}
	}
	return a, false
}

// constantEnd gives what stands behind the string constant at, -1 if it is not sure where it ends.
func (k *marker) constantEnd(at int) int {
	for from := at + 1; ; {
		n := bytes.IndexByte(k.sql[from:], '\'')
		if n < 0 || n > 0 && k.sql[from+n-1] == '\\' {
			return -1
		}
		k.left -= n / 8 // which is fast
		to := from + n + 1
		again := to < len(k.sql) && k.sql[to] == '\''
		if n == 0 && from == at+1 && (again || to < len(k.sql) && !isSpace(k.sql[to]) && bytes.IndexByte([]byte(",:)"), k.sql[to]) < 0) || k.left < 0 {
			return -1
		}
		if !again {
			return to
		}
		k.left -= 64
		from = to + 1
	}
}

// doubled reads a name in quotes that are doubled, as in a text inside a string constant; nil if there is none.
func (k *marker) doubled(at int) []byte {
	for at < len(k.sql) && isSpace(k.sql[at]) {
		at++
	}
	rest, ok := bytes.CutPrefix(k.sql[at:], []byte("''"))
	if !ok {
		return nil
	}
	n := 0
	for n < len(rest) && (wordPart(rest[n]) || rest[n] == '.') {
		n++
	}
	name := rest[:n]
	if rest = rest[n:]; n == 0 || !bytes.HasPrefix(rest, []byte("''")) {
		return nil
	}
	if rest = bytes.TrimLeft(rest[2:], " \t\r\n\f\v"); len(rest) == 0 || rest[0] != ',' {
		return nil
	}
	return name
}
