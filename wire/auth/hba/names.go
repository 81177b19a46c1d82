package hba

import (
	"regexp"
	"slices"
	"strings"
)

// name is one of a list of databases or users.
type name struct {
	kind    nameKind
	text    string
	pattern *regexp.Regexp
}

type nameKind uint8

const (
	nameLiteral     nameKind = iota
	namePattern              // "/regular expression"
	nameAll                  // all
	nameSameUser             // a database that is called as the user
	nameReplication          // physical replication, which has no database
)

// names is a list. Its literals are looked up, since a file may hold thousands; the others are gone through.
type names struct {
	literal map[string]struct{}
	other   []name
}

func (l *names) add(n name) {
	if n.kind != nameLiteral {
		l.other = append(l.other, n)
		return
	}
	if l.literal == nil {
		l.literal = map[string]struct{}{}
	}
	l.literal[n.text] = struct{}{}
}

// match tells whether a name fits the list; user is that of the connection, for a list of databases.
func (l names) match(text, user string) bool {
	if _, ok := l.literal[text]; ok {
		return true
	}
	return slices.ContainsFunc(l.other, func(n name) bool { return n.match(text, user) })
}

// replication tells whether the list is for physical replication as well, which match leaves out.
func (l names) replication() bool {
	return slices.ContainsFunc(l.other, func(n name) bool { return n.kind == nameReplication })
}

func (n name) match(text, user string) bool {
	switch n.kind {
	case nameLiteral:
		return n.text == text
	case namePattern:
		return n.pattern.MatchString(text)
	case nameAll:
		return true
	case nameSameUser:
		return text == user
	case nameReplication:
	}
	return false
}

// names reads a list of databases or users. A word that starts with @ stands for those in a file.
func (s *source) names(l line, f field, databases bool) (list names) {
	s.addNames(&list, l, f, databases)
	return list
}

func (s *source) addNames(list *names, l line, f field, databases bool) {
	for _, t := range f {
		if path, ok := strings.CutPrefix(t.text, "@"); ok && path != "" && !t.quoted {
			s.nameFile(list, l, beside(l.file, path), databases)
		} else if n, ok := s.name(l, t, databases); ok {
			list.add(n)
		}
	}
}

// nameFile reads a file of names: blanks, commas and ends of lines separate them.
func (s *source) nameFile(list *names, l line, path string, databases bool) {
	text, ok := s.read(l, path, false)
	if !ok {
		return
	}
	for inner := range s.split(path, text, l.depth+1) {
		for _, f := range inner.fields {
			s.addNames(list, inner, f, databases)
		}
	}
}

func (s *source) name(l line, t token, databases bool) (n name, ok bool) {
	switch {
	case strings.HasPrefix(t.text, "/"): // in quotes as well, which it needs when it has a comma
		pattern, err := compile(t.text[1:])
		if err != nil {
			s.complain(l, `invalid regular expression "%s": %s`, t.text[1:], err)
			return name{}, false
		}
		return name{kind: namePattern, pattern: pattern}, true
	case t.quoted:
		return name{text: t.text}, true
	case t.text == "all":
		return name{kind: nameAll}, true
	case databases && t.text == "sameuser":
		return name{kind: nameSameUser}, true
	case databases && t.text == "replication":
		return name{kind: nameReplication}, true
	case databases && (t.text == "samerole" || t.text == "samegroup"):
		s.complain(l, "%s is not supported: the members of roles are not known here", t.text)
		return name{}, false
	case !databases && strings.HasPrefix(t.text, "+"):
		s.complain(l, `"%s" is not supported: the members of roles are not known here; name the users, or write them into a file and @file`, t.text)
		return name{}, false
	}
	return name{text: t.text}, true
}

// compile makes a pattern as PostgreSQL would: it is searched for, so that ^ and $ are its own business, and a dot is any character. What Go's expressions lack, such as
// back references, is an error.
func compile(expression string) (*regexp.Regexp, error) {
	return regexp.Compile("(?s)" + expression)
}
