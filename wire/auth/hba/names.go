package hba

import (
	"regexp"
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

// matches tells whether a name of the list fits; other is the user for a list of databases.
func matches(list []name, text, other string) bool {
	for _, n := range list {
		switch n.kind {
		case nameLiteral:
			if n.text == text {
				return true
			}
		case namePattern:
			if n.pattern.MatchString(text) {
				return true
			}
		case nameAll:
			return true
		case nameSameUser:
			if text == other {
				return true
			}
		case nameReplication: // is asked for apart
		}
	}
	return false
}

// names reads a list of databases or users. A word that starts with @ stands for those in a file.
func (s *source) names(l line, f field, databases bool) (list []name) {
	for _, t := range f {
		if path, ok := strings.CutPrefix(t.text, "@"); ok && path != "" && !t.quoted {
			list = append(list, s.nameFile(l, beside(l.file, path), databases)...)
		} else if n, ok := s.name(l, t, databases); ok {
			list = append(list, n)
		}
	}
	return list
}

// nameFile reads a file of names: blanks, commas and ends of lines separate them.
func (s *source) nameFile(l line, path string, databases bool) (list []name) {
	text, ok := s.read(l, path, false)
	if !ok {
		return nil
	}
	for inner := range s.split(path, text, l.depth+1) {
		for _, f := range inner.fields {
			list = append(list, s.names(inner, f, databases)...)
		}
	}
	return list
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
